use std::io::ErrorKind;

use serde_json::Value;

use super::{ENV_FILE, change, previous};
use crate::drivers::disk::{self, Written};
use crate::primitive::{
    Action, ByteSize, Call, Change, Context, Effect, Failure, FailureKind, FileMode, Left, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Spec, Touches,
};
use crate::primitives::writing;

/// Puts the previous file back.
pub(super) struct PutBack;

static SPEC: Spec = Spec {
    name: "put_back",
    receiver: Some(ENV_FILE),
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Change,
    summary: "Puts back what the file held before the run changed it, or removes a file that was not there before.",
    example: r#"undo("put the previous .env back", || written.put_back());"#,
};

/// The largest file that is put back.
const LARGEST: ByteSize = ByteSize(16 << 20);

/// What the file was before, as the handle tells it.
enum Before {
    /// The same: there is nothing to put back.
    Same,
    /// Not there.
    Nothing,
    /// This text, with this mode.
    Text(String, Option<FileMode>),
}

impl Primitive for PutBack {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("put the previous {} back", path(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let path = path(call);
        match before(context, call)? {
            Before::Same => Ok(Outcome::unchanged(false)),
            Before::Nothing => remove(context, path),
            Before::Text(text, mode) => {
                let tell = |written: &Written| outcome(path, written);
                Ok(tell(&writing::write_as(context, path, &text, mode, &tell)?))
            }
        }
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        if call.receiver.get("created") != Some(&Value::Bool(true)) {
            return writing::probe(context, path(call));
        }
        let is_there = disk::exists(&context.writable(path(call))?)?.is_some();
        Ok(match context.announced() {
            Some(announcement) if !is_there => Probe::Done(announcement.outcome),
            _ => Probe::NotDone,
        })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        context.touches(path(call))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let path = path(call);
        match before(context, call)? {
            Before::Same => Ok(Prediction::nothing(false)),
            Before::Nothing => {
                let place = context.writable(path)?;
                context.services.leaves(&place.name(), Left::Gone);
                Ok(Prediction::one(change(Action::Remove, path), true))
            }
            Before::Text(text, mode) => {
                writing::foresee_as(context, path, Some(&text), mode, &|written| outcome(path, written))
            }
        }
    }
}

fn path(call: &Call) -> &str {
    call.receiver_str("path")
}

fn before(context: &Context<'_>, call: &Call) -> Result<Before, Failure> {
    let is = |field: &str| call.receiver.get(field) == Some(&Value::Bool(true));
    if !is("changed") {
        return Ok(Before::Same);
    }
    if is("created") {
        return Ok(Before::Nothing);
    }
    let kept = previous::place(context, path(call))?;
    let found = disk::exists(&kept)?;
    if found.is_none() {
        let message = format!("what `{}` held before is no longer kept in `{}`", path(call), kept.written());
        return Err(Failure::new(FailureKind::NotFound, message).hint("only the last five runs' are kept"));
    }
    Ok(Before::Text(disk::text(&kept, LARGEST)?, found.as_ref().map(FileMode::of)))
}

fn outcome(path: &str, written: &Written) -> Outcome {
    let action = if written.created { Action::Create } else { Action::Update };
    let changes = written.changed.then(|| Change { detail: written.details(), ..change(action, path) });
    Outcome {
        value: written.changed.into(),
        changed: Some(written.changed),
        note: None,
        changes: changes.into_iter().collect(),
    }
}

fn remove(context: &Context<'_>, path: &str) -> Result<Outcome, Failure> {
    let place = context.writable(path)?;
    let entry = place.entry()?;
    if entry.path().symlink_metadata().is_err() {
        return Ok(Outcome::unchanged(false));
    }
    let outcome = Outcome::changed(true).made([change(Action::Remove, path)]);
    context.announce(&outcome, &Value::Null)?;
    match std::fs::remove_file(entry.path()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::system(format!("remove `{path}`"), &error)),
        _ => Ok(outcome),
    }
}
