//! What the calls of runs left behind for their probes, and nobody will ask for any more.

use std::fs::DirEntry;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::INTERRUPTED;
use crate::failure::Failure;
use crate::journal::Journal;

/// A folder below the state folder: one for each run, by its name in the world.
const CALLS: &str = "calls";

impl Journal {
    /// Removes what calls left behind of runs that ended, or were interrupted, more than 30 days ago. Returns how many runs
    /// that were. What a run that waits for a person needs stays.
    ///
    /// A run that is gone on with later than that asks a person where it would have looked there.
    pub fn prune_calls(&self) -> Result<usize, Failure> {
        if self.is_copy() {
            return Ok(0);
        }
        let Ok(entries) = std::fs::read_dir(self.state_folder().join(CALLS)) else { return Ok(0) };
        let mut removed = 0;
        for entry in entries.filter_map(Result::ok) {
            if self.is_needed(&entry)? {
                continue;
            }
            let path: PathBuf = entry.path();
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::system(format!("remove `{}`", path.display()), &error));
                }
                _ => removed += 1,
            }
        }
        Ok(removed)
    }

    fn is_needed(&self, entry: &DirEntry) -> Result<bool, Failure> {
        let now = Timestamp::now();
        let recently = now.checked_sub(INTERRUPTED).map_or(0, Timestamp::as_microsecond);
        let needed: Option<bool> = self.read("read the runs", |connection| {
            connection
                .prepare_cached("SELECT finished_at IS NULL OR finished_at > ?2 FROM run WHERE uid = ?1")?
                .query_row((entry.file_name().to_string_lossy(), recently), |row| row.get(0))
                .optional()
        })?;
        // A run that this run log does not know: it may be about to begin.
        let is_new = || entry.metadata().and_then(|data| data.modified()).is_ok_and(is_recent);
        Ok(needed.unwrap_or_else(is_new))
    }
}

fn is_recent(at: SystemTime) -> bool {
    at.elapsed().map_or(true, |age| age < INTERRUPTED)
}
