//! Releases: what ran for a project, and whether it may be gone back to.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::columns::{Json, Moment, Word};
use super::entry::{Entry, Fact};
use super::{Journal, store};
use crate::failure::Failure;
use crate::primitive::{Release, ReleaseState};

impl Journal {
    /// Stores what runs now as the next release of this project and environment, pending until its run ends.
    ///
    /// The call at `path` records one release of a project: asked again, after a crash, it gets the one it recorded.
    pub fn record_release(
        &self,
        run: i64,
        path: &str,
        project: &str,
        environment: &str,
        content: &Value,
    ) -> Result<Release, Failure> {
        store::check_depth(&[content])?;
        self.write("record the release", |writer| {
            let transaction = writer.transaction()?;
            let before = transaction
                .query_row(
                    "SELECT number, project, environment, run, at, state, content FROM release
                     WHERE run = ?1 AND path = ?2 AND project = ?3 AND environment = ?4",
                    params![run, path, project, environment],
                    from_row,
                )
                .optional()?;
            if let Some(before) = before {
                return Ok(before);
            }
            let number: i64 = transaction.query_row(
                "SELECT ifnull(max(number), 0) + 1 FROM release WHERE project = ?1 AND environment = ?2",
                (project, environment),
                |row| row.get(0),
            )?;
            let release = Release {
                number,
                project: project.to_owned(),
                environment: environment.to_owned(),
                run,
                at: Timestamp::now(),
                state: ReleaseState::Pending,
                content: content.clone(),
            };
            let fact = Fact::ReleaseRecorded { path: path.to_owned(), release: release.clone() };
            store::enter(&transaction, run, &Entry::from(&fact))?;
            transaction.commit()?;
            Ok(release)
        })
    }

    /// Says what became of a run's pending releases. The end of a run does the same by itself.
    pub fn settle_releases(&self, run: i64, state: ReleaseState) -> Result<(), Failure> {
        self.write("settle the releases", |writer| {
            let transaction = writer.transaction()?;
            let pending: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM release WHERE run = ?1 AND state = 'pending')")?
                .query_row([run], |row| row.get(0))?;
            if pending {
                let fact = Fact::ReleasesSettled { state, at: Timestamp::now() };
                store::enter(&transaction, run, &Entry::from(&fact))?;
            }
            transaction.commit()
        })
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

/// Makes the row of a release.
pub(super) fn insert(connection: &Connection, path: &str, release: &Release) -> rusqlite::Result<()> {
    let Release { number, project, environment, run, at, state, content } = release;
    connection
        .prepare_cached(
            "INSERT INTO release (project, environment, number, run, at, state, content, path)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![project, environment, number, run, Moment(*at), Word(state), Json(content), path])?;
    Ok(())
}

/// Says of a run's pending releases what became of them.
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
