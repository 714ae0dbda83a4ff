use std::collections::BTreeMap;

use serde_json::json;

use super::{ask, labels, made, method};
use crate::drivers::docker::VolumeSpec;
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Spec, Ty};

const NAME: Arg = Arg::new("name", Ty::Str, "The volume's name.");

crate::options! {
    /// Options of `volumes`.
    pub struct ListOptions {
        /// Only volumes with all these labels: `"name"` or `"name=value"`.
        labels: Vec<String>,
    }
}

/// Lists volumes.
pub struct Volumes;

static VOLUMES: Spec = Spec {
    options: Some(ListOptions::SPEC),
    ..method("volumes", &[], "Lists volumes, by name.", r"let all = docker().volumes().map(|volume| volume.name);")
};

impl Primitive for Volumes {
    fn spec(&self) -> &'static Spec {
        &VOLUMES
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let found = ask(context, call, "listing volumes", async |engine| engine.volumes(&options.labels).await)?;
        Ok(json!(found).into())
    }
}

crate::options! {
    /// Options of `create_volume`.
    pub struct CreateOptions {
        /// The driver.
        driver: String = "local".into(),
        /// Options of the driver.
        driver_options: BTreeMap<String, String>,
        /// Labels.
        labels: BTreeMap<String, String>,
    }
}

/// Creates a volume.
pub struct CreateVolume;

static CREATE: Spec = Spec {
    options: Some(CreateOptions::SPEC),
    effect: Effect::Change,
    ..method(
        "create_volume",
        &[NAME],
        "Creates a volume, unless there is one like it. Returns whether it had to be created.",
        r#"docker().create_volume("shop-data");"#,
    )
};

impl Primitive for CreateVolume {
    fn spec(&self) -> &'static Spec {
        &CREATE
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: CreateOptions = call.options()?;
        let spec = VolumeSpec {
            name: call.str(0).to_owned(),
            driver: options.driver,
            driver_options: options.driver_options,
            labels: labels(context, options.labels),
        };
        ask(context, call, "creating a volume", async |engine| match engine.volume(&spec.name).await? {
            Some(present) if present.driver != spec.driver || present.driver_options != spec.driver_options => {
                let message = format!(
                    "there is a volume `{}` already, of driver `{}` with other options",
                    spec.name, present.driver
                );
                Err(Failure::new(FailureKind::Conflict, message))
            }
            Some(_) => Ok(made(false)),
            None => engine.create_volume(&spec).await.map(|_| made(true)),
        })
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // One that is there is left alone.
    }
}

/// Removes a volume.
pub struct RemoveVolume;

static REMOVE: Spec = Spec {
    effect: Effect::Destroy,
    ..method(
        "remove_volume",
        &[NAME],
        "Removes a volume and the data in it. Returns whether there was one.",
        r#"docker().remove_volume("shop-cache");"#,
    )
};

impl Primitive for RemoveVolume {
    fn spec(&self) -> &'static Spec {
        &REMOVE
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        ask(context, call, "removing a volume", async |engine| engine.remove_volume(call.str(0)).await).map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Removing what is gone changes nothing.
    }
}
