//! Releases: what runs, recorded so exactly that it can be put back.
//!
//! `compose.release` looks and remembers, `up` records what it left running, `compose.releases` and `compose.last_good` look
//! back, and `compose.running_is` tells whether a release is what runs.

mod history;
mod images;
mod snapshot;

use serde_json::{Value, json};

use super::app::App;
use super::descriptor::Descriptor;
use super::{needs, short, touches};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Guard, Need, Outcome, Prediction, Primitive, Release,
    ReleaseState, Spec, Touches, Ty, handle, unknown,
};

pub(super) use history::{is_recorded, measured, record};
pub(super) use images::Kept;
pub(super) use snapshot::{Labelled, Recorded, Snapshot, Timing, fingerprint};

/// Remembers what runs, or finds a recorded release.
pub(super) struct Remember;
/// Lists recorded releases.
pub(super) struct Releases;
/// Finds what to go back to.
pub(super) struct LastGood;
/// Compares a release with what runs.
pub(super) struct RunningIs;

crate::options! {
    /// Options of `compose.running_is`.
    pub struct RunningIsOptions {
        /// Fail when it is not. With `false`, the result says so.
        check: bool = true,
    }
}

static REMEMBER: Spec = Spec {
    name: "release",
    receiver: Some("compose"),
    args: &[Arg::optional("number", Ty::Int, "The number of a recorded release; what runs now when left out.")],
    options: None,
    returns: Some("release"),
    effect: Effect::Read,
    summary: "Remembers what runs now, images by digest and every container's configuration, or finds a recorded release.",
    example: r#"let before = app.release(); undo("put the previous release back", || app.up(before));"#,
};

static RELEASES: Spec = Spec {
    name: "releases",
    receiver: Some("compose"),
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Lists the recorded releases of the application in this environment, newest first.",
    example: "for r in app.releases() { info(`${r.number} ${r.state} ${r.at}`); }",
};

static LAST_GOOD: Spec = Spec {
    name: "last_good",
    receiver: Some("compose"),
    args: &[],
    options: None,
    returns: Some("release"),
    effect: Effect::Read,
    summary: "Finds the newest good release that is not what runs now: what to go back to.",
    example: "app.up(app.last_good());",
};

static RUNNING_IS: Spec = Spec {
    name: "running_is",
    receiver: Some("compose"),
    args: &[Arg::new("release", Ty::Handle("release"), "The release.")],
    options: Some(RunningIsOptions::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Verifies that what runs are exactly the images that a release recorded.",
    example: "app.running_is(before);",
};

impl Primitive for Remember {
    fn spec(&self) -> &'static Spec {
        &REMEMBER
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &REMEMBER)
    }

    /// What somebody else is in the middle of changing is nothing to go back to.
    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call).filter(|_| call.optional(0).is_none())
    }

    fn preview(&self, call: &Call) -> String {
        let name = call.receiver_str("name");
        match call.optional(0) {
            Some(number) => format!("find release {number} of {name}"),
            None => format!("remember what runs of {name}"),
        }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let app = App::without_files(context, Descriptor::of(call)?)?;
        if let Some(number) = call.optional(0).and_then(Value::as_i64) {
            return Ok(found(&history::numbered(&app, number)?));
        }
        let now = kept(context, &app, Snapshot::take(&app)?)?;
        let note = match now.services.len() {
            0 => "nothing runs".to_owned(),
            number => super::count(number, "service"),
        };
        Ok(Outcome::from(now.handle()).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        match call.optional(0) {
            Some(_) => Touches::Nothing,
            None => touches(context, call, |paths, project| paths.look_at_project(project)),
        }
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(unknown(format!("what will run of {}", call.receiver_str("name")))))
    }

    /// The same containers and images, whenever they are looked at.
    fn observed(&self, _: &Call, result: &Value) -> Value {
        let mut observed = result.clone();
        if let Some(map) = observed.as_object_mut() {
            map.shift_remove("at");
        }
        observed
    }
}

/// What was found, as this very call found it first. What the variables of containers hold is masked among the results of
/// calls, so it is kept where releases are: a run that goes on after a crash gets it whole, although something else runs
/// by then.
fn kept(context: &Context<'_>, app: &App<'_>, now: Snapshot) -> Result<Snapshot, Failure> {
    if context.planning || now.containers.is_empty() {
        return Ok(now);
    }
    // No project has such a name: it is nothing to go back to by itself.
    let name = format!("{} (as found)", app.name());
    let first = context.services.record_release(context.path, &name, &now.handle())?;
    Snapshot::of(app, Some(&first.content))
}

impl Primitive for Releases {
    fn spec(&self) -> &'static Spec {
        &RELEASES
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &RELEASES)
    }

    fn preview(&self, call: &Call) -> String {
        format!("list the releases of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let releases = context.services.releases(call.receiver_str("name"))?;
        let note = super::count(releases.len(), "release");
        Ok(Outcome::from(Value::from(releases.iter().map(line).collect::<Vec<_>>())).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project(project))
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(unknown(format!("which releases of {} will be recorded", call.receiver_str("name")))))
    }
}

impl Primitive for LastGood {
    fn spec(&self) -> &'static Spec {
        &LAST_GOOD
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &LAST_GOOD)
    }

    fn preview(&self, call: &Call) -> String {
        format!("find the last good release of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let app = App::without_files(context, Descriptor::of(call)?)?;
        Ok(found(&history::last_good(&app)?))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.look_at_project(project))
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let what = format!("which release of {} will be the last good one", call.receiver_str("name"));
        Ok(Prediction::nothing(unknown(what)))
    }
}

impl Primitive for RunningIs {
    fn spec(&self) -> &'static Spec {
        &RUNNING_IS
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &RUNNING_IS)
    }

    fn preview(&self, call: &Call) -> String {
        format!("verify what runs of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RunningIsOptions = call.options()?;
        let app = App::without_files(context, Descriptor::of(call)?)?;
        let wanted = Snapshot::of(&app, call.optional(0))?;
        match verify(&app, &wanted) {
            Ok(()) => Ok(Outcome::from(Value::Bool(true)).note(wanted.shown())),
            Err(failure) if failure.kind == FailureKind::Check && !options.check => {
                Ok(Outcome::from(Value::Bool(false)).note("something else runs"))
            }
            Err(failure) => Err(failure),
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.look_at_project(project))
    }

    /// It is a gate: a plan goes on behind it.
    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: RunningIsOptions = call.options()?;
        Ok(Prediction::nothing(if options.check { Value::Bool(true) } else { unknown("whether the release will run") }))
    }
}

/// Gives the images of what runs names by which they survive a pruning of unused ones: a rollback needs them.
pub(super) fn keep_running(app: &App<'_>) -> Result<(), Failure> {
    images::keep(app, &Snapshot::take(app)?)
}

/// Fails unless the running images are those of the release.
pub(super) fn verify(app: &App<'_>, wanted: &Snapshot) -> Result<(), Failure> {
    let now = Snapshot::take(app)?;
    let problems = wanted.deviations(&now);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Check,
        format!("what runs of `{}` is not the recorded release: {}", app.name(), problems[0]),
    )
    .evidence("recorded and running", problems.join("\n")))
}

/// The handle of a recorded release: which one it is, and its images. How its containers were made stays where releases are
/// kept, for it holds what is masked among the results of calls: a run that goes on after a crash reads it there again.
fn found(release: &Release) -> Outcome {
    let mut content = release.content.clone();
    if let Some(map) = content.as_object_mut() {
        for key in Snapshot::CREATION {
            map.shift_remove(key);
        }
        map.insert("number".into(), release.number.into());
        map.insert("run".into(), release.run.into());
        map.insert("at".into(), json!(release.at));
    }
    let note = format!("release {} of run {}", release.number, release.run);
    Outcome::from(handle("release", content)).note(note)
}

fn line(release: &Release) -> Value {
    let services = release.content.get("services").and_then(Value::as_object).cloned().unwrap_or_default();
    let image = |service: &Value| {
        let text = |key: &str| service.get(key).and_then(Value::as_str);
        text("digest").or_else(|| text("image_id")).map(short).unwrap_or_default()
    };
    let services: serde_json::Map<String, Value> =
        services.iter().map(|(name, service)| (name.clone(), image(service).into())).collect();
    json!({
        "number": release.number,
        "run": release.run,
        "at": release.at,
        "state": release.state,
        "good": release.state == ReleaseState::Good,
        "services": services,
    })
}
