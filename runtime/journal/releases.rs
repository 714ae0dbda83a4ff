//! Releases: what ran for a project, and whether it may be gone back to.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::columns::{Json, Moment, Word};
use super::{Journal, store};
use crate::failure::Failure;
use crate::primitive::{Release, ReleaseState};

impl Journal {
    /// Stores what runs now as the next release of this project and environment, pending until its run ends.
    pub fn record_release(
        &self,
        run: i64,
        project: &str,
        environment: &str,
        content: &Value,
    ) -> Result<Release, Failure> {
        store::check_depth(&[content])?;
        self.write("record the release", |writer| {
            let transaction = writer.transaction()?;
            let number: i64 = transaction.query_row(
                "SELECT ifnull(max(number), 0) + 1 FROM release WHERE project = ?1 AND environment = ?2",
                (project, environment),
                |row| row.get(0),
            )?;
            let at = Timestamp::now();
            let state = ReleaseState::Pending;
            transaction.execute(
                "INSERT INTO release (project, environment, number, run, at, state, content)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![project, environment, number, run, Moment(at), Word(state), Json(content)],
            )?;
            transaction.commit()?;
            let (project, environment) = (project.to_owned(), environment.to_owned());
            Ok(Release { number, project, environment, run, at, state, content: content.clone() })
        })
    }

    /// Says what became of a run's pending releases. The end of a run does the same by itself.
    pub fn settle_releases(&self, run: i64, state: ReleaseState) -> Result<(), Failure> {
        self.write("settle the releases", |writer| settle(&writer.connection, run, state))
    }

    /// Releases of a project in an environment, newest first.
    pub fn releases(&self, project: &str, environment: &str) -> Result<Vec<Release>, Failure> {
        self.read("read the releases", |connection| {
            connection
                .prepare_cached(
                    "SELECT number, project, environment, run, at, state, content FROM release
                     WHERE project = ?1 AND environment = ?2 ORDER BY number DESC",
                )?
                .query_map((project, environment), from_row)?
                .collect()
        })
    }
}

pub(super) fn settle(connection: &Connection, run: i64, state: ReleaseState) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE release SET state = ?2 WHERE run = ?1 AND state = 'pending'")?
        .execute(params![run, Word(state)])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        number: row.get("number")?,
        project: row.get("project")?,
        environment: row.get("environment")?,
        run: row.get("run")?,
        at: row.get::<_, Moment>("at")?.0,
        state: row.get::<_, Word<_>>("state")?.0,
        content: row.get::<_, Json<_>>("content")?.0,
    })
}
