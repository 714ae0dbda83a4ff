//! Rows as they stand in the file, whatever their columns mean.

use rusqlite::types::Value;
use rusqlite::{Connection, ToSql};
use sha2::{Digest, Sha256};

use super::chain::hex;

/// A table whose rows belong to runs.
pub(super) struct OfRun {
    pub name: &'static str,
    /// The rows of run `?1`, in the order in which they were made.
    rows: &'static str,
}

/// All of them.
pub(super) const OF_A_RUN: [&OfRun; 4] = [
    &OfRun { name: "run", rows: "SELECT * FROM run WHERE id = ?1" },
    &OfRun { name: "source", rows: "SELECT * FROM source WHERE run = ?1 ORDER BY position" },
    &OfRun { name: "call", rows: "SELECT * FROM call WHERE run = ?1 ORDER BY id" },
    &OfRun { name: "release", rows: "SELECT * FROM release WHERE run = ?1 ORDER BY id" },
];

/// Rows, with the names of their columns.
pub(super) struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Table {
    /// The rows of a run. What merely numbers the rows of a table is left out: their order says the same.
    pub(super) fn of(connection: &Connection, table: &OfRun, run: i64) -> rusqlite::Result<Self> {
        Self::read(connection, table.rows, &[&run], |column| column == "id" && table.name != "run")
    }

    /// A column of a row, as text.
    pub(super) fn text(&self, row: &[Value], column: &str) -> String {
        let place = self.columns.iter().position(|name| name == column);
        match place.and_then(|place| row.get(place)) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Integer(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn read(
        connection: &Connection,
        sql: &str,
        parameters: &[&dyn ToSql],
        leave_out: impl Fn(&str) -> bool,
    ) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let kept: Vec<usize> = (0..names.len()).filter(|place| !leave_out(&names[*place])).collect();
        let rows = statement
            .query_map(parameters, |row| kept.iter().map(|place| row.get(*place)).collect())?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self { columns: kept.into_iter().map(|place| names[place].clone()).collect(), rows })
    }
}

/// A table of rows outside the runs, which carry their own hash.
pub(super) struct Sealed {
    name: &'static str,
    key: &'static str,
}

/// Locks.
pub(super) const LEASE: Sealed = Sealed { name: "lease", key: "name" };
/// Schedules.
pub(super) const SCHEDULE: Sealed = Sealed { name: "schedule", key: "name" };
/// Fires.
pub(super) const FIRE: Sealed = Sealed { name: "fire", key: "id" };
/// What the clocks showed.
pub(super) const CLOCK: Sealed = Sealed { name: "clock", key: "id" };
/// Notifications.
pub(super) const NOTICE: Sealed = Sealed { name: "notice", key: "id" };
/// Up to where it was looked at what is to be told.
pub(super) const TOLD: Sealed = Sealed { name: "told", key: "id" };
/// Who may ask the service.
pub(super) const TOKEN: Sealed = Sealed { name: "token", key: "name" };
/// Runs that were dropped.
pub(super) const DROPPED: Sealed = Sealed { name: "dropped", key: "first" };
/// Snapshots of backups.
pub(super) const SNAPSHOT: Sealed = Sealed { name: "snapshot", key: "id" };
/// How far repositories were read.
pub(super) const READING: Sealed = Sealed { name: "reading", key: "repository" };
/// When the rounds began in which they are read.
pub(super) const ROUND: Sealed = Sealed { name: "reading_round", key: "repository" };
/// Restore drills.
pub(super) const DRILL: Sealed = Sealed { name: "drill", key: "id" };
/// Which program brought the file to which format.
pub(super) const FORMAT: Sealed = Sealed { name: "format", key: "version" };

impl Sealed {
    /// Seals the row with that key as it is now: to be called in the transaction that changes it.
    pub(super) fn seal(&self, connection: &Connection, key: &dyn ToSql) -> rusqlite::Result<()> {
        let Self { name, key: column } = self;
        let condition = format!("WHERE {column} = ?1");
        let rows = self.rows(connection, &condition, &[key])?;
        let Some(row) = rows.rows.first() else { return Ok(()) };
        connection
            .prepare_cached(&format!("UPDATE {name} SET seal = ?2 {condition}"))?
            .execute((key, digest(&rows.columns, row)))?;
        Ok(())
    }

    /// The keys of the rows that are not as they were sealed.
    pub(super) fn broken(&self, connection: &Connection) -> rusqlite::Result<Vec<String>> {
        let Self { name, key } = self;
        let rows = self.rows(connection, "ORDER BY 1", &[])?;
        let seals: Vec<(String, String)> = connection
            .prepare(&format!("SELECT CAST({key} AS TEXT), seal FROM {name} ORDER BY {key}"))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let broken = seals.into_iter().zip(&rows.rows).filter(|((_, seal), row)| *seal != digest(&rows.columns, row));
        Ok(broken.map(|((key, _), _)| key).collect())
    }

    fn rows(&self, connection: &Connection, condition: &str, parameters: &[&dyn ToSql]) -> rusqlite::Result<Table> {
        let sql = format!("SELECT * FROM {} {condition}", self.name);
        Table::read(connection, &sql, parameters, |column| column == "seal")
    }
}

fn digest(columns: &[String], row: &[Value]) -> String {
    let mut hash = Sha256::new();
    for (name, value) in columns.iter().zip(row) {
        hash.update(match value {
            Value::Integer(number) => format!("{name} {number}\n"),
            Value::Text(text) => format!("{name} {} {text}\n", text.len()),
            Value::Null | Value::Real(_) | Value::Blob(_) => format!("{name}\n"),
        });
    }
    hex(&hash.finalize())
}
