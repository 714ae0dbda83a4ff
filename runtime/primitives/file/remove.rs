use std::io::ErrorKind;

use serde_json::Value;

use super::super::writing;
use super::{FILE, place, touches};
use crate::drivers::disk::Held;
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, FailureKind, Left, Need, Outcome, Prediction, Primitive, Probe,
    Recovery, Spec, Touches, unknown,
};

/// Removes a file.
pub struct Remove;

static SPEC: Spec = Spec {
    name: "remove",
    receiver: Some(FILE),
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Destroy,
    summary: "Removes the file, or the link and not what it leads to; a missing file is nothing to do.",
    example: r#"file("maintenance.flag").remove();"#,
};

impl Primitive for Remove {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("remove {}", call.receiver_str("path"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let Some(entry) = there(context, call)? else { return Ok(Outcome::unchanged(false)) };
        let outcome = Outcome::changed(true).made([change(call)]);
        context.announce(&outcome, &Value::Null)?;
        match std::fs::remove_file(entry.path()) {
            Ok(()) => Ok(outcome),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Outcome::unchanged(false)),
            Err(error) => Err(Failure::system(format!("remove `{}`", call.receiver_str("path")), &error)),
        }
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announcement) = context.announced() else { return Ok(Probe::NotDone) };
        let gone = place(context, call)?.metadata().is_err_and(|error| is_absence(&error));
        Ok(if gone { Probe::Done(announcement.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let place = place(context, call)?;
        let prediction = match context.left(&place) {
            Some((Left::File { .. }, _)) => Prediction::one(change(call), true),
            Some((Left::Folder { .. } | Left::Tree, _)) => return Err(is_folder(place.written())),
            Some((Left::Unknown, _)) => {
                let there = unknown(format!("whether `{}` is there", place.written()));
                Prediction::one(Change::depending(Action::Remove, change(call).what), there)
            }
            None if there(context, call)?.is_some() => Prediction::one(change(call), true),
            Some((Left::Gone, _)) | None => Prediction::nothing(false),
        };
        if !prediction.changes.is_empty() {
            writing::note_found(context, &place)?;
            context.services.leaves(&place.name(), Left::Gone);
        }
        Ok(prediction)
    }
}

fn change(call: &Call) -> Change {
    Change::new(Action::Remove, format!("file {}", call.receiver_str("path")))
}

/// What is to be removed, if there is anything.
fn there(context: &Context<'_>, call: &Call) -> Result<Option<Held>, Failure> {
    let place = context.writable(call.receiver_str("path"))?;
    let shown = place.written();
    if place.metadata().is_err_and(|error| is_absence(&error)) {
        return Ok(None);
    }
    let entry = place.entry()?;
    let metadata = entry.path().symlink_metadata();
    if metadata.map_err(|error| Failure::system(format!("remove `{shown}`"), &error))?.is_dir() {
        return Err(is_folder(shown));
    }
    Ok(Some(entry))
}

fn is_absence(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

fn is_folder(shown: &str) -> Failure {
    Failure::new(FailureKind::Invalid, format!("`{shown}` is a folder, not a file"))
        .hint(format!("use `folder({shown:?}).remove()`"))
}
