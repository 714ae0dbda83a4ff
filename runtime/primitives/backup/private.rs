use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::primitive::{Context, Failure};

/// A folder of a call that only this user may look into; it is gone when this is dropped.
pub struct Private(PathBuf);

impl Private {
    /// Makes it, empty. `what` is what it is for.
    pub fn new(context: &Context<'_>, name: &str, what: &str) -> Result<Self, Failure> {
        let folder = context.marker_folder().join(name);
        // Left by a process that was killed over it.
        let _ = fs::remove_dir_all(&folder);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| Failure::system(format!("make a folder for {what}"), &error))?;
        Ok(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
        // Of the call and of the run, when nothing else is in them.
        let _ = self.0.parent().map(fs::remove_dir);
    }
}
