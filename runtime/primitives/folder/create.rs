use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{FOLDER, named, place, touches};
use crate::drivers::disk::{self, Place};
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, FailureKind, FileMode, Left, Need, Outcome, Prediction, Primitive,
    Probe, Recovery, Spec, Touches, handle,
};

crate::options! {
    /// Options of `folder.create`.
    pub struct Options {
        /// The permissions, as in `"0700"`. Folders above it that are missing too get the usual ones.
        mode: Option<FileMode>,
    }
}

/// Makes a folder.
pub struct Create;

static SPEC: Spec = Spec {
    name: "create",
    receiver: Some(FOLDER),
    args: &[],
    options: Some(Options::SPEC),
    returns: Some(FOLDER),
    effect: Effect::Change,
    summary: "Makes the folder and the folders above it that are missing.",
    example: r#"folder("/srv/shop/data").create(#{ mode: "0750" });"#,
};

impl Primitive for Create {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("create {}/", call.receiver_str("path").trim_end_matches('/'))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = context.writable(call.receiver_str("path"))?;
        // What an attempt before a crash had begun to change is this call's change as well.
        let outcome = match context.announced() {
            Some(announcement) => announcement.outcome,
            None => outcome(&place, call, &options)?,
        };
        if outcome.changed == Some(false) {
            return Ok(outcome);
        }
        context.announce(&outcome, &Value::Null)?;
        if disk::exists(&place)?.is_none() {
            if place.name().ancestors().skip(1).find(|above| above.exists()).is_some_and(|above| !above.is_dir()) {
                return Err(failed(&place, &ErrorKind::NotADirectory.into()));
            }
            let mode = options.mode.map_or(0o777, |mode| mode.0);
            place.new_folder()?.make(mode).map_err(|error| failed(&place, &error))?;
        }
        if let Some(mode) = options.mode {
            let held = place.source()?;
            let set = match held.path().metadata() {
                Ok(found) if FileMode::of(&found) != mode => {
                    std::fs::set_permissions(held.path(), Permissions::from_mode(mode.0))
                }
                found => found.map(drop),
            };
            set.map_err(|error| failed(&place, &error))?;
        }
        Ok(outcome)
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announcement) = context.announced() else { return Ok(Probe::NotDone) };
        let options: Options = call.options()?;
        let is_done = outcome(&place(context, call)?, call, &options).is_ok_and(|left| left.changed == Some(false));
        Ok(if is_done { Probe::Done(announcement.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let place = context.writable(call.receiver_str("path"))?;
        let outcome = match context.left(&place) {
            None => outcome(&place, call, &options)?,
            Some((Left::Gone, _)) => of(&place, Some(making(call, &options))),
            Some((Left::File { .. }, _)) => return Err(failed(&place, &ErrorKind::AlreadyExists.into())),
            Some((Left::Unknown, _)) => of(&place, Some(Change::depending(Action::Create, named(call)))),
            Some((Left::Folder { .. } | Left::Tree, _)) if options.mode.is_none() => of(&place, None),
            Some((Left::Folder { mode, .. }, _)) => {
                // One that came with something in it has its own mode where it was there before, else the usual one.
                let found = || place.path().metadata().ok().filter(std::fs::Metadata::is_dir);
                let before = mode.or_else(|| found().as_ref().map(FileMode::of)).or_else(|| disk::usual_mode(0o777));
                of(&place, before.and_then(|before| other_mode(call, &options, before)))
            }
            Some((Left::Tree, _)) => of(&place, Some(Change::depending(Action::Update, named(call)))),
        };
        if let Some(change) = outcome.changes.first() {
            let is_new = change.action == Action::Create;
            let mode = options.mode.or_else(|| disk::usual_mode(0o777).filter(|_| is_new));
            context.services.leaves(&place.name(), Left::Folder { mode, is_new });
        }
        Ok(Prediction { value: outcome.value, changes: outcome.changes })
    }
}

/// What there is to do, and what the call returns once it is done.
fn outcome(place: &Place, call: &Call, options: &Options) -> Result<Outcome, Failure> {
    place.check_new()?;
    Ok(match disk::exists(place)? {
        None => of(place, Some(making(call, options))),
        Some(found) if !found.is_dir() => return Err(failed(place, &ErrorKind::AlreadyExists.into())),
        Some(found) => of(place, other_mode(call, options, FileMode::of(&found))),
    })
}

fn of(place: &Place, change: Option<Change>) -> Outcome {
    let value = handle(FOLDER, json!({ "path": place.written(), "changed": change.is_some() }));
    Outcome { changed: Some(change.is_some()), ..value.into() }.made(change)
}

fn making(call: &Call, options: &Options) -> Change {
    let change = Change::new(Action::Create, named(call));
    options.mode.iter().fold(change, |change, mode| change.detail(format!("mode: {mode}")))
}

fn other_mode(call: &Call, options: &Options, before: FileMode) -> Option<Change> {
    let mode = options.mode.filter(|mode| *mode != before)?;
    Some(Change::new(Action::Update, named(call)).detail(format!("mode: {before} → {mode}")))
}

fn failed(place: &Place, error: &std::io::Error) -> Failure {
    let shown = place.written();
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Failure::new(
            FailureKind::Conflict,
            format!("cannot create the folder `{shown}`: a file of that name is in the way"),
        ),
        _ => Failure::system(format!("create the folder `{shown}`"), error),
    }
}
