//! A copy of a SQLite database, made to be saved.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::hosted::Hosted;
use super::private::Private;
use crate::drivers::sqlite;
use crate::primitive::{Context, Failure, Span};

/// A copy in a folder of this call; it is gone when this is dropped.
pub struct Database {
    file: PathBuf,
    tables: Value,
    _folder: Private,
}

impl Database {
    /// Copies the database as it is at one moment. One that is damaged is no backup of anything.
    pub fn copy(context: &Context<'_>, from: &Path, number: usize) -> Result<Self, Failure> {
        Self::made(context, number, |file| sqlite::copy(from, file))
    }

    /// The same of one on a host: it is copied there, and the copy is fetched.
    pub fn fetch(context: &Context<'_>, from: &Hosted, number: usize, within: Span) -> Result<Self, Failure> {
        Self::made(context, number, |file| from.fetch_database(context, file, within))
    }

    fn made(
        context: &Context<'_>,
        number: usize,
        make: impl FnOnce(&Path) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let folder = Private::new(context, &format!("database-{number}"), "a copy of the database")?;
        let file = folder.path().join("copy.sqlite");
        make(&file)?;
        let tables = json!(sqlite::inspect(&file)?);
        Ok(Self { file, tables, _folder: folder })
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
