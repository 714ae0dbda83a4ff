//! The database: a SQLite file, or memory.

use std::time::Duration;

use rusqlite::{Connection, Result};

/// Opens the database that `DATABASE_PATH` names; several processes of the container may have it open.
pub fn open() -> Result<Connection> {
    let path = std::env::var("DATABASE_PATH").unwrap_or_else(|_| ":memory:".into());
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// What an upsert did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Upsert {
    /// The row is new.
    Inserted,
    /// The row had other content.
    Updated,
    /// The row was already so.
    Unchanged,
}

/// Puts a row where it is missing or different.
pub fn upsert(connection: &Connection, kind: &str, id: &str, body: &str) -> Result<Upsert> {
    let known: Option<String> = connection
        .query_row("SELECT body FROM entries WHERE kind = ?1 AND id = ?2", [kind, id], |row| row.get(0))
        .map(Some)
        .or_else(|error| if error == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(error) })?;
    let upsert = match known {
        None => Upsert::Inserted,
        Some(known) if known == body => return Ok(Upsert::Unchanged),
        Some(_) => Upsert::Updated,
    };
    connection.execute("INSERT OR REPLACE INTO entries (kind, id, body) VALUES (?1, ?2, ?3)", [kind, id, body])?;
    Ok(upsert)
}
