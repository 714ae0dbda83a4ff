use serde_json::{Value, json};

use super::{CONTAINER, ask, method, needs, touches, without};
use crate::primitive::{Call, Context, Failure, Need, Outcome, Primitive, Spec, Touches};

crate::options! {
    /// Options of `containers`.
    pub struct ListOptions {
        /// Only containers with all these labels: `"name"` or `"name=value"`.
        labels: Vec<String>,
        /// Only those that run.
        running: bool = false,
    }
}

/// A list of containers.
pub struct Containers;

static CONTAINERS: Spec = Spec {
    options: Some(ListOptions::SPEC),
    ..method(
        "containers",
        &[],
        "Lists containers, by name; also those that do not run.",
        r#"for found in docker().containers(#{ labels: ["com.docker.compose.project=shop"] }) { info(found.name) }"#,
    )
};

impl Primitive for Containers {
    fn spec(&self) -> &'static Spec {
        &CONTAINERS
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&CONTAINERS, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let found = ask(context, call, "listing containers", async |engine| engine.containers(&options.labels).await)?;
        let running = |state| state == crate::drivers::docker::ContainerState::Running;
        let wanted = found.into_iter().filter(|found| !options.running || running(found.state));
        Ok(json!(wanted.collect::<Vec<_>>()).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_container(""))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        let seen = result.as_array().into_iter().flatten();
        seen.map(|container| without(container, &["id", "status", "created", "labels", "ports"])).collect()
    }
}

crate::options! {
    /// Options of `inspect`.
    pub struct InspectOptions {
        /// With the environment, which usually holds passwords.
        env: bool = false,
        /// With everything the engine said, in its own words, as `raw`.
        raw: bool = false,
    }
}

/// Everything about one container.
pub struct Inspect;

static INSPECT: Spec = Spec {
    options: Some(InspectOptions::SPEC),
    ..method(
        "inspect",
        &[CONTAINER],
        "Returns what a container is and how it fares: image, state, exit code, health, ports, networks, mounts.",
        r#"let code = docker().inspect("shop-migrate-1").exit_code;"#,
    )
};

impl Primitive for Inspect {
    fn spec(&self) -> &'static Spec {
        &INSPECT
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&INSPECT, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: InspectOptions = call.options()?;
        let found = ask(context, call, "inspecting a container", async |engine| engine.inspect(call.str(0)).await)?;
        let mut value = json!(found);
        if let Value::Object(map) = &mut value {
            // Neither belongs into the run's log unasked.
            if !options.env {
                map.shift_remove("env");
            }
            if !options.raw {
                map.shift_remove("raw");
            }
        }
        Ok(value.into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_container(call.str(0)))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        let passing = ["id", "pid", "created", "started", "finished", "labels", "raw", "ports", "networks"];
        let mut seen = without(result, &passing);
        if let Some(health) = seen.get_mut("health") {
            *health = without(health, &["log", "failing_streak"]);
        }
        seen
    }
}
