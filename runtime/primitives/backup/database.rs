//! A copy of a SQLite database, made to be saved.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::drivers::sqlite;
use crate::primitive::{Context, Failure};

/// A copy in a folder of this call; it is gone when this is dropped.
pub struct Database {
    folder: PathBuf,
    file: PathBuf,
    tables: Value,
}

impl Database {
    /// Copies the database as it is at one moment. One that is damaged is no backup of anything.
    pub fn copy(context: &Context<'_>, from: &Path, number: usize) -> Result<Self, Failure> {
        let folder = context.marker_folder().join(format!("database-{number}"));
        let failed = |error: &std::io::Error| Failure::system("make a folder for a copy of the database", error);
        // Left by a process that was killed over it.
        let _ = fs::remove_dir_all(&folder);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|error| failed(&error))?;
        let mut copy = Self { file: folder.join("copy.sqlite"), folder, tables: Value::Null };
        sqlite::copy(from, &copy.file)?;
        copy.tables = json!(sqlite::inspect(&copy.file)?);
        Ok(copy)
    }

    /// The copy.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What the manifest tells about it.
    pub fn facts(&self) -> Value {
        json!({ "sqlite": self.tables })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        // Of the call and of the run, when nothing else is in them.
        let _ = self.folder.parent().map(fs::remove_dir);
    }
}
