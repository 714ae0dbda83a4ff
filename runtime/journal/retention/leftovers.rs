//! What the calls of runs left behind for their probes, and nobody will ask for any more.

use std::fs::DirEntry;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use rusqlite::OptionalExtension;

use super::INTERRUPTED;
use crate::failure::Failure;
use crate::journal::Journal;
use crate::primitive::MARKERS_DROPPED;

/// A folder below the state folder: one for each run, by its name in the world.
const CALLS: &str = "calls";

/// What becomes of a run's folder.
enum Fate {
    Kept,
    /// Emptied, and marked: what was in it may be missed.
    Emptied,
    Removed,
}

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
            let path = entry.path();
            let dropped = match self.fate(&entry)? {
                Fate::Kept => continue,
                Fate::Emptied => empty(&path),
                Fate::Removed => std::fs::remove_dir_all(&path).map(|()| true),
            };
            match dropped {
                Ok(dropped) => removed += usize::from(dropped),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::system(format!("remove `{}`", path.display()), &error)),
            }
        }
        Ok(removed)
    }

    fn fate(&self, entry: &DirEntry) -> Result<Fate, Failure> {
        let recently = Timestamp::now().checked_sub(INTERRUPTED).map_or(0, Timestamp::as_microsecond);
        let found: Option<(bool, bool)> = self.read("read the runs", |connection| {
            connection
                .prepare_cached(
                    "SELECT finished_at IS NULL OR finished_at > ?2, state = 'killed' FROM run WHERE uid = ?1",
                )?
                .query_row((entry.file_name().to_string_lossy(), recently), |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        // A run that this run log does not know: it may be about to begin.
        let is_new = || entry.metadata().and_then(|data| data.modified()).is_ok_and(is_recent);
        Ok(match found {
            Some((true, _)) => Fate::Kept,
            Some((false, true)) => Fate::Emptied,
            None if is_new() => Fate::Kept,
            None | Some((false, false)) => Fate::Removed,
        })
    }
}

/// Removes everything in a run's folder, and marks it first; false when that was done before.
fn empty(folder: &Path) -> io::Result<bool> {
    let mark = folder.join(MARKERS_DROPPED);
    let was_marked = mark.exists();
    std::fs::write(&mark, "")?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path != mark {
            std::fs::remove_dir_all(path)?;
        }
    }
    Ok(!was_marked)
}

fn is_recent(at: SystemTime) -> bool {
    at.elapsed().map_or(true, |age| age < INTERRUPTED)
}
