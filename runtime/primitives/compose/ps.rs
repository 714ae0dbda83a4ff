//! `compose.ps`: what runs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::app::{App, key_of};
use super::{desired, is_written_before, names, needs, touches};
use crate::compose::Service;
use crate::compose::labels::Instance;
use crate::drivers::docker::Container;
use crate::primitive::{Call, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Spec, Touches, unknown};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
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

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.look_at_project(project))
    }

    /// What comes up is taken to run as the files say: that is what its gates are for.
    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        if is_written_before(context, call) {
            let what = format!("the containers of {}", call.receiver_str("name"));
            return Ok(Prediction::nothing(unknown(what)));
        }
        let app = App::open(context, call)?;
        for name in &options.services {
            app.service(name)?;
        }
        let existing = app.existing()?.after_planned(context);
        let mut all: BTreeMap<(String, u64), Value> =
            existing.serving.iter().map(|(key, container)| (key.clone(), describe(container))).collect();
        for service in app.model.services.values() {
            for number in 1..=service.replicas() {
                let key = (service.name.clone(), number);
                let name = service.name_of(app.name(), &Instance::Replica(number));
                if existing.made.contains(&name) {
                    let before = existing.serving.get(&key);
                    all.insert(key, coming(&app, service, number, &name, before));
                }
            }
        }
        let wanted = |service: &String| names(&options.services).is_none_or(|names| names.contains(service));
        let is_seen = |container: &Value| container["state"] == "running" || !options.running;
        let seen = all.into_iter().filter(|((service, _), container)| wanted(service) && is_seen(container));
        Ok(Prediction::nothing(Value::from(seen.map(|(_, container)| container).collect::<Vec<_>>())))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        let seen = |container: &Value| {
            let mut seen = container.clone();
            if let Some(map) = seen.as_object_mut() {
                map.retain(|field, _| !matches!(field.as_str(), "id" | "restarts" | "started" | "ports"));
            }
            seen
        };
        result.as_array().into_iter().flatten().map(seen).collect()
    }
}

/// A container that an earlier call of the plan makes.
fn coming(app: &App<'_>, service: &Service, number: u64, name: &str, before: Option<&Container>) -> Value {
    let is_job = desired::is_job(&app.model, &service.name);
    let has_check = match &service.healthcheck {
        Some(check) => !check.is_disabled(),
        None => before.is_some_and(|before| before.health.is_some()),
    };
    json!({
        "service": service.name,
        "number": number,
        "name": name,
        "id": unknown(format!("the id of {name}")),
        "image": service.image_name(app.name()),
        "image_id": unknown(format!("the image of {name}")),
        "state": if is_job { "exited" } else { "running" },
        "health": (has_check && !is_job).then_some("healthy"),
        "exit_code": is_job.then_some(0),
        "restarts": 0,
        "started": unknown(format!("when {name} starts")),
        "ports": unknown(format!("the ports of {name}")),
    })
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
