//! What the run log keeps of restore drills: each with its evidence, whether it went well or not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Catalogue, Catalogued, Failure};
use crate::project::{BackupRepository, Drilled, Stale, drill_findings, freshness};

/// A restore drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// Its name: the same one is noted once.
    pub name: String,
    /// The repository whose snapshot was restored.
    pub repository: String,
    /// The job.
    pub job: String,
    /// The snapshot; empty when none was found.
    pub snapshot: String,
    /// The run it was a part of.
    pub run: i64,
    /// When it was begun.
    pub at: Timestamp,
    /// Did everything that came back work?
    pub ok: bool,
    /// If not, why.
    pub failure: String,
    /// From the beginning until everything was restored and compared, in milliseconds.
    pub recovery_time: u64,
    /// How old the snapshot was by then, in seconds: what would have been lost.
    pub recovery_point: i64,
    /// All that was found.
    pub evidence: Value,
}

impl Drill {
    /// What matters of it for the budget of its job.
    pub fn drilled(&self) -> Drilled {
        Drilled {
            job: self.job.clone(),
            at: self.at,
            ok: self.ok,
            failure: self.failure.clone(),
            recovery_time: self.recovery_time,
        }
    }
}

/// What is wrong with a repository's backups and drills, as the run log knows them: no repository is opened for it.
pub fn standing(
    catalogue: &dyn Catalogue,
    name: &str,
    repository: &BackupRepository,
    now: Timestamp,
) -> Result<Vec<Stale>, Failure> {
    let made: Vec<_> = catalogue.snapshots(name)?.iter().map(Catalogued::made).collect();
    let drills: Vec<_> = catalogue.drills(name)?.iter().map(Drill::drilled).collect();
    let mut found = freshness(repository, &made, now);
    found.extend(drill_findings(repository, &drills));
    Ok(found)
}
