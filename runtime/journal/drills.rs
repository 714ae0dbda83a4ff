//! Restore drills, as they were noted.

use rusqlite::{Connection, Row, params};

use super::Journal;
use super::columns::{Json, Moment};
use super::table::DRILL;
use crate::failure::Failure;
use crate::primitive::Drill;

impl Journal {
    /// The drills of a repository's snapshots, the oldest first.
    pub fn drilled(&self, repository: &str) -> Result<Vec<Drill>, Failure> {
        self.read("read the restore drills", |connection| {
            connection
                .prepare_cached("SELECT * FROM drill WHERE repository = ?1 ORDER BY at, id")?
                .query_map([repository], from_row)?
                .collect()
        })
    }

    /// Notes a drill; one of that name that is known stays as it is.
    pub(super) fn add_drill(&self, drill: &Drill) -> Result<(), Failure> {
        self.write("note a restore drill", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            let added = transaction.execute(
                "INSERT INTO drill (name, repository, job, snapshot, run, at, ok, failure, recovery_time, recovery_point, evidence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
                params![
                    drill.name,
                    drill.repository,
                    drill.job,
                    drill.snapshot,
                    drill.run,
                    Moment(drill.at),
                    drill.ok,
                    drill.failure,
                    i64::try_from(drill.recovery_time).unwrap_or(i64::MAX),
                    drill.recovery_point,
                    Json(&drill.evidence),
                ],
            )?;
            if added == 1 {
                DRILL.seal(&transaction, &transaction.last_insert_rowid())?;
            }
            transaction.commit()
        })
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Drill> {
    Ok(Drill {
        name: row.get("name")?,
        repository: row.get("repository")?,
        job: row.get("job")?,
        snapshot: row.get("snapshot")?,
        run: row.get("run")?,
        at: row.get::<_, Moment>("at")?.0,
        ok: row.get("ok")?,
        failure: row.get("failure")?,
        recovery_time: u64::try_from(row.get::<_, i64>("recovery_time")?).unwrap_or_default(),
        recovery_point: row.get("recovery_point")?,
        evidence: row.get::<_, Json<_>>("evidence")?.0,
    })
}

/// Are all of them as they were sealed? Names those that are not.
pub(super) fn altered(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let broken = DRILL.broken(connection)?;
    Ok(broken.into_iter().map(|id| format!("row {id} of the restore drills was altered")).collect())
}
