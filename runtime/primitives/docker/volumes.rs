use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Foreseen, ask, converge, is_there, labels, method, needs, touches, without};
use crate::drivers::docker::{Volume, VolumeSpec};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Recovery,
    Spec, Touches, Ty,
};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&VOLUMES, call, ["*".to_owned()])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: ListOptions = call.options()?;
        let found = ask(context, call, "listing volumes", async |engine| engine.volumes(&options.labels).await)?;
        Ok(json!(found).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_all("volume"))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        result.as_array().into_iter().flatten().map(|volume| without(volume, &["labels"])).collect()
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&CREATE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let spec = wanted(context, call)?;
        converge(
            context,
            || creating(context, call),
            |_| {
                ask(context, call, "creating a volume", async |engine| match engine.volume(&spec.name).await? {
                    Some(_) => Ok(()),
                    None => engine.create_volume(&spec).await.map(drop),
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("volume", Some(call.str(0))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        creating(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&REMOVE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        converge(
            context,
            || removing(context, call),
            |_| {
                ask(context, call, "removing a volume", async |engine| {
                    engine.remove_volume(call.str(0)).await.map(drop)
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.one("volume", Some(call.str(0))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        removing(context, call).map(Foreseen::prediction)
    }
}

fn wanted(context: &Context<'_>, call: &Call) -> Result<VolumeSpec, Failure> {
    let options: CreateOptions = call.options()?;
    Ok(VolumeSpec {
        name: call.str(0).to_owned(),
        driver: options.driver,
        driver_options: options.driver_options,
        labels: labels(context, options.labels),
    })
}

fn find(context: &Context<'_>, call: &Call) -> Result<Option<Volume>, Failure> {
    ask(context, call, "looking for a volume", async |engine| engine.volume(call.str(0)).await)
}

fn creating(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let (spec, what) = (wanted(context, call)?, format!("volume {}", call.str(0)));
    let present = find(context, call)?;
    if !is_there(context, &what, present.is_some()) {
        return Ok(Foreseen::change(
            true,
            Change::new(Action::Create, what).detail(format!("driver: {}", spec.driver)),
        ));
    }
    match present {
        Some(present) if present.driver != spec.driver || present.driver_options != spec.driver_options => {
            let message =
                format!("there is a volume `{}` already, of driver `{}` with other options", spec.name, present.driver);
            Err(Failure::new(FailureKind::Conflict, message))
        }
        _ => Ok(Foreseen::nothing(false)),
    }
}

fn removing(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let what = format!("volume {}", call.str(0));
    let there = is_there(context, &what, find(context, call)?.is_some());
    Ok(if there { Foreseen::change(true, Change::new(Action::Remove, what)) } else { Foreseen::nothing(false) })
}
