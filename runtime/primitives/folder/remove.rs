use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{FOLDER, named, place, touches};
use crate::drivers::disk::{Held, Place};
use crate::primitive::{
    Action, Call, Change, Context, Effect, Failure, FailureKind, Left, Need, Outcome, Prediction, Primitive, Probe,
    Recovery, Spec, Touches,
};

crate::options! {
    /// Options of `folder.remove`.
    pub struct Options {
        /// Remove what it holds too; without it, only an empty folder is removed.
        recursive: bool = false,
        /// The folder lies outside the project, and that is meant.
        outside: bool = false,
    }
}

/// Removes a folder.
pub struct Remove;

static SPEC: Spec = Spec {
    name: "remove",
    receiver: Some(FOLDER),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Destroy,
    summary: "Removes the folder; a missing one is nothing to do.",
    example: r#"folder("build").remove(#{ recursive: true });"#,
};

impl Primitive for Remove {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::write(call.receiver_needed("path"))]
    }

    fn preview(&self, call: &Call) -> String {
        let recursive = call.options.get("recursive").is_some_and(|value| value == true);
        let what = if recursive { " and all it holds" } else { "" };
        format!("remove {}/{what}", call.receiver_str("path").trim_end_matches('/'))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = context.writable(call.receiver_str("path"))?;
        let Some(held) = removable(context, &place, &options)? else { return Ok(Outcome::unchanged(false)) };
        let outcome = Outcome::changed(true).made([change(call)]);
        context.announce(&outcome, &Value::Null)?;
        let removed =
            if options.recursive { std::fs::remove_dir_all(held.path()) } else { std::fs::remove_dir(held.path()) };
        removed.map_err(|error| failed(&place, &error))?;
        Ok(outcome)
    }

    fn recovery(&self, _call: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announcement) = context.announced() else { return Ok(Probe::NotDone) };
        let found = place(context, call)?.metadata();
        let gone = found.is_err_and(|error| error.kind() == ErrorKind::NotFound);
        Ok(if gone { Probe::Done(announcement.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let place = place(context, call)?;
        let is_there = match context.left(&place) {
            None => {
                let folder = removable(context, &place, &options)?;
                if folder
                    .as_ref()
                    .is_some_and(|folder| !options.recursive && holds_more(context, &place, folder.real()))
                {
                    return Err(failed(&place, &ErrorKind::DirectoryNotEmpty.into()));
                }
                folder.is_some()
            }
            Some((Left::Gone, _)) => false,
            Some((Left::File { .. }, _)) => return Err(no_folder("a file", place.written())),
            Some((Left::Folder { .. } | Left::Tree | Left::Unknown, _)) => true,
        };
        if !is_there {
            return Ok(Prediction::nothing(false));
        }
        context.services.leaves(&place.name(), Left::Gone);
        Ok(Prediction::one(change(call), true))
    }
}

/// Will something be in the folder that no planned change takes away before?
fn holds_more(context: &Context<'_>, place: &Place, folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    let stays = |path: PathBuf| {
        let gone = context.services.left(&path).is_some_and(|(left, _)| left == Left::Gone);
        !gone && !context.services.is_doubtful(&path)
    };
    entries.flatten().any(|entry| stays(place.name().join(entry.file_name())))
}

fn change(call: &Call) -> Change {
    Change::new(Action::Remove, named(call))
}

/// The folder that is to be removed, if there is one; refuses what must not be.
fn removable(context: &Context<'_>, place: &Place, options: &Options) -> Result<Option<Held>, Failure> {
    let shown = place.written();
    let metadata = match place.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(place, &error)),
    };
    if !metadata.is_dir() {
        let what = if metadata.is_symlink() { "a link" } else { "a file" };
        return Err(no_folder(what, shown));
    }
    let folder = place.entry()?;
    refuse_precious(context, place, folder.real(), options.outside)?;
    if options.recursive {
        refuse_mounts(context, folder.real(), metadata.dev(), shown)?;
    }
    Ok(Some(folder))
}

fn no_folder(what: &str, shown: &str) -> Failure {
    Failure::new(FailureKind::Invalid, format!("`{shown}` is {what}, not a folder"))
        .hint(format!("use `file({shown:?}).remove()`"))
}

fn failed(place: &Place, error: &std::io::Error) -> Failure {
    let shown = place.written();
    match error.kind() {
        ErrorKind::DirectoryNotEmpty => {
            Failure::new(FailureKind::Conflict, format!("the folder `{shown}` is not empty"))
                .hint("pass `recursive: true` to remove what it holds too")
        }
        ErrorKind::ResourceBusy => {
            Failure::new(FailureKind::Conflict, format!("the folder `{shown}` is a mount point"))
        }
        _ => Failure::system(format!("remove the folder `{shown}`"), error),
    }
}

/// The folders that no runbook means to remove: each is one wrong variable away.
fn refuse_precious(context: &Context<'_>, place: &Place, folder: &Path, outside: bool) -> Result<(), Failure> {
    let shown = place.written();
    let refuse = |why: String| Err(Failure::new(FailureKind::Refused, why));
    let holds = |path: &Path| path.canonicalize().is_ok_and(|path| path.starts_with(folder));
    if folder.components().count() <= 2 {
        return refuse(format!("`{shown}` is `{}`, a folder of the system", folder.display()));
    }
    if holds(context.project.root()) {
        return refuse(format!("`{shown}` holds the project itself"));
    }
    let state = context.project.state_folder();
    if holds(&state) || state.canonicalize().is_ok_and(|state| folder.starts_with(state)) {
        return refuse(format!("`{shown}` holds the run log of this project"));
    }
    if std::env::var_os("HOME").is_some_and(|home| holds(Path::new(&home))) {
        return refuse(format!("`{shown}` holds your home folder"));
    }
    if !outside && !folder.starts_with(place.project()?) {
        return Err(Failure::new(FailureKind::Refused, format!("`{shown}` lies outside the project"))
            .hint("pass `outside: true` if that is meant"));
    }
    Ok(())
}

/// What is mounted below lives elsewhere: a volume, a network share, another disk.
fn refuse_mounts(context: &Context<'_>, folder: &Path, device: u64, shown: &str) -> Result<(), Failure> {
    context.still_wanted()?;
    let failed = |error: std::io::Error| Failure::system(format!("look into `{}`", folder.display()), &error);
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            let path = entry.path();
            if path.symlink_metadata().map_err(failed)?.dev() != device {
                return Err(Failure::new(
                    FailureKind::Refused,
                    format!("`{}` inside `{shown}` is mounted from elsewhere", path.display()),
                )
                .hint(format!("unmount it first: `umount {}`", path.display())));
            }
            refuse_mounts(context, &path, device, shown)?;
        }
    }
    Ok(())
}
