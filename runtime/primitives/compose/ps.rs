//! `compose.ps`: what runs.

use serde_json::{Value, json};

use super::app::{App, key_of};
use super::names;
use crate::drivers::docker::Container;
use crate::primitive::{Call, Context, Effect, Failure, Outcome, Primitive, Spec};

/// Lists containers.
pub(super) struct Ps;

crate::options! {
    /// Options of `compose.ps`.
    pub struct Options {
        /// Only these services.
        services: Vec<String>,
        /// Only containers that run.
        running: bool = false,
    }
}

static SPEC: Spec = Spec {
    name: "ps",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Lists the containers of the application with their state, health, image and ports.",
    example: "for c in app.ps() { info(`${c.service}: ${c.state} ${c.health}`); }",
};

impl Primitive for Ps {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("list the containers of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let app = App::open(context, call)?;
        for name in &options.services {
            app.service(name)?;
        }
        let wanted = |service: &String| names(&options.services).is_none_or(|names| names.contains(service));
        let existing = app.existing()?;
        let containers: Vec<Value> = existing
            .serving
            .iter()
            .filter(|((service, _), container)| wanted(service) && (container.is_running() || !options.running))
            .map(|(_, container)| describe(container))
            .collect();
        let running = existing.serving.values().filter(|container| container.is_running()).count();
        let note = format!("{running} of {} running", super::count(existing.serving.len(), "container"));
        Ok(Outcome::from(Value::from(containers)).note(note))
    }
}

/// One container, for a script.
pub(super) fn describe(container: &Container) -> Value {
    let (service, number) = key_of(container);
    let ports: Vec<String> = container
        .ports
        .iter()
        .map(|port| format!("{}:{}->{}/{}", port.host_ip, port.host_port, port.container, port.protocol))
        .collect();
    json!({
        "service": service,
        "number": number,
        "name": container.name,
        "id": container.id,
        "image": container.image,
        "image_id": container.image_id,
        "state": container.state,
        "health": container.health.as_ref().map(|health| health.status),
        "exit_code": container.exit_code,
        "restarts": container.restart_count,
        "started": container.started,
        "ports": ports,
    })
}
