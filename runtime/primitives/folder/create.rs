use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};

use serde_json::json;

use super::{FOLDER, place};
use crate::drivers::disk;
use crate::primitive::{
    Call, Context, Effect, Failure, FailureKind, FileMode, Outcome, Primitive, Probe, Spec, handle,
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

    fn preview(&self, call: &Call) -> String {
        format!("create {}/", call.receiver_str("path").trim_end_matches('/'))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = place(context, call)?;
        let (path, shown) = (place.path(), place.written());
        place.check_new()?;
        let failed = |error: &std::io::Error| match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => Failure::new(
                FailureKind::Conflict,
                format!("cannot create the folder `{shown}`: a file of that name is in the way"),
            ),
            _ => Failure::system(format!("create the folder `{shown}`"), error),
        };
        let mut changed = false;
        match disk::exists(&place)? {
            Some(found) if found.is_dir() => {}
            Some(_) => return Err(failed(&ErrorKind::AlreadyExists.into())),
            None => {
                if let Some(above) = path.parent() {
                    std::fs::create_dir_all(above).map_err(|error| failed(&error))?;
                }
                let mode = options.mode.map_or(0o777, |mode| mode.0);
                DirBuilder::new().mode(mode).create(path).map_err(|error| failed(&error))?;
                changed = true;
            }
        }
        if let Some(FileMode(mode)) = options.mode {
            let before = path.metadata().map_err(|error| failed(&error))?.mode() & 0o7777;
            if before != mode {
                std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| failed(&error))?;
                changed = true;
            }
        }
        let value = handle(FOLDER, json!({ "path": shown, "changed": changed }));
        Ok(Outcome { changed: Some(changed), ..value.into() })
    }

    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        // Making it once more does nothing when it is there.
        Ok(Probe::NotDone)
    }
}
