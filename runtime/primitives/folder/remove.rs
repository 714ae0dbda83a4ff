use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{FOLDER, place};
use crate::drivers::disk::Place;
use crate::primitive::{Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Probe, Spec};

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

    fn preview(&self, call: &Call) -> String {
        let recursive = call.options.get("recursive").is_some_and(|value| value == true);
        let what = if recursive { " and all it holds" } else { "" };
        format!("remove {}/{what}", call.receiver_str("path").trim_end_matches('/'))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = place(context, call)?;
        let shown = place.written();
        let failed = |error: &std::io::Error| match error.kind() {
            ErrorKind::DirectoryNotEmpty => {
                Failure::new(FailureKind::Conflict, format!("the folder `{shown}` is not empty"))
                    .hint("pass `recursive: true` to remove what it holds too")
            }
            ErrorKind::ResourceBusy => {
                Failure::new(FailureKind::Conflict, format!("the folder `{shown}` is a mount point"))
            }
            _ => Failure::system(format!("remove the folder `{shown}`"), error),
        };
        let metadata = match place.path().symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::unchanged(false)),
            Err(error) => return Err(failed(&error)),
        };
        if !metadata.is_dir() {
            let what = if metadata.is_symlink() { "a link" } else { "a file" };
            return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is {what}, not a folder"))
                .hint(format!("use `file({shown:?}).remove()`")));
        }
        let folder = place.entry()?;
        refuse_precious(context, &place, &folder, options.outside)?;
        if options.recursive {
            refuse_mounts(context, &folder, metadata.dev(), shown)?;
            std::fs::remove_dir_all(&folder).map_err(|error| failed(&error))?;
        } else {
            std::fs::remove_dir(&folder).map_err(|error| failed(&error))?;
        }
        Ok(Outcome::changed(true))
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let gone = place(context, call)?.path().symlink_metadata().is_err();
        Ok(if gone { Probe::Done(Outcome::changed(true)) } else { Probe::NotDone })
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
