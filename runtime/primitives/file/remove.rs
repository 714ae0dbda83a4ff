use std::io::ErrorKind;

use super::{FILE, place};
use crate::primitive::{Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Spec};

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

    fn preview(&self, call: &Call) -> String {
        format!("remove {}", call.receiver_str("path"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let place = place(context, call)?;
        let shown = place.written();
        if place.path().symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(Outcome::unchanged(false));
        }
        let entry = place.entry()?;
        let metadata = entry.symlink_metadata();
        if metadata.map_err(|error| Failure::system(format!("remove `{shown}`"), &error))?.is_dir() {
            return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is a folder, not a file"))
                .hint(format!("use `folder({shown:?}).remove()`")));
        }
        match std::fs::remove_file(&entry) {
            Ok(()) => Ok(Outcome::changed(true)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Outcome::unchanged(false)),
            Err(error) => Err(Failure::system(format!("remove `{shown}`"), &error)),
        }
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let gone =
            place(context, call)?.path().symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        Ok(if gone { Probe::Done(Outcome::changed(true)) } else { Probe::NotDone })
    }
}
