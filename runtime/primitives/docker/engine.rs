use serde_json::{Value, json};

use super::{ask, method, needs, touches};
use crate::primitive::{Call, Context, Failure, Need, Outcome, Primitive, Spec, Touches};

/// What kind of engine it is.
pub struct Version;

static VERSION: Spec = method(
    "version",
    &[],
    "Returns the engine's version, API version, storage driver, operating system, processors and memory.",
    r"info(`Docker ${docker().version().version}`);",
);

impl Primitive for Version {
    fn spec(&self) -> &'static Spec {
        &VERSION
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&VERSION, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Ok(json!(ask(context, call, "asking the engine about itself", async |engine| engine.info().await)?).into())
    }

    fn touches(&self, _: &Context<'_>, _: &Call) -> Touches {
        Touches::Nothing
    }
}

/// What its data takes.
pub struct DiskUsage;

static DISK_USAGE: Spec = method(
    "disk_usage",
    &[],
    "Returns how many images, containers and volumes there are, and how many bytes images and containers take.",
    r"info(`${docker().disk_usage().reclaimable_size} bytes of images are unused`);",
);

impl Primitive for DiskUsage {
    fn spec(&self) -> &'static Spec {
        &DISK_USAGE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&DISK_USAGE, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Ok(json!(ask(context, call, "measuring the engine's data", async |engine| engine.disk_usage().await)?).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.everything())
    }

    fn observed(&self, _: &Call, _: &Value) -> Value {
        Value::Null
    }
}
