//! Which entry was recorded last, written beside the database.
//!
//! SQLite keeps the newest commits in a write-ahead log, and takes a frame of it that is damaged for its end: what was
//! committed behind it is silently gone, and a run would be gone on with as if that had never happened. Whoever opens the
//! run log looks here whether the last entry is still there. A power cut may take what was not yet waited for, so this
//! counts only until the machine starts again.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::chain::{Hash, hex, text_hash};
use super::owner::boot_id;
use crate::failure::{Failure, FailureKind};

/// The name of the file in the state folder.
const FILE: &str = "head";

/// The file, opened with the first note; where it cannot be written nothing is noted, and nothing else is worse.
pub(super) struct Head {
    path: PathBuf,
    file: Option<File>,
    boot: String,
    noted: i64,
}

impl Head {
    pub(super) fn new(state_folder: &Path) -> Self {
        Self { path: state_folder.join(FILE), file: None, boot: boot_id().unwrap_or_default(), noted: 0 }
    }

    /// Notes the entry that is the last one now: after the commit, so that what is noted is there.
    pub(super) fn note(&mut self, connection: &Connection) {
        let Ok(Some((id, hash))) = last(connection) else { return };
        if id != self.noted {
            let open = || File::options().create(true).truncate(false).write(true).open(&self.path).ok();
            let Some(file) = self.file.take().or_else(open) else { return };
            let line = format!("{} {id} {}", self.boot, hex(&hash));
            if file.write_all_at(format!("{line} {}\n", text_hash(&line)).as_bytes(), 0).is_ok() {
                self.noted = id;
            }
            self.file = Some(file);
        }
    }
}

/// Fails when the entry that was noted is not there.
pub(super) fn check(state_folder: &Path, connection: &Connection) -> Result<(), Failure> {
    let path = state_folder.join(FILE);
    let Some((id, hash)) = noted(&path) else { return Ok(()) };
    let found: Option<Hash> = connection
        .query_row("SELECT hash FROM entry WHERE id = ?1", [id], |row| row.get(0))
        .optional()
        .unwrap_or_default();
    if found.is_some_and(|found| hex(&found) == hash) {
        return Ok(());
    }
    let shown = state_folder.display();
    let message = format!("the run log in `{shown}` has lost what was recorded last, up to entry {id} of all runs");
    Err(Failure::new(FailureKind::Invalid, message)
        .hint("was `journal.sqlite-wal` removed, or the disk damaged? Then runs that went on meanwhile did more than it says")
        .hint(format!("to go on with what is left, look at what those runs did, and remove `{}`", path.display())))
}

/// What was noted on this boot. Somebody may be writing it: then it does not fit its own hash for a moment.
fn noted(path: &Path) -> Option<(i64, String)> {
    for _ in 0..5 {
        let text = std::fs::read_to_string(path).ok()?;
        if let Some((line, seal)) = text.lines().next()?.rsplit_once(' ')
            && text_hash(line) == seal
        {
            let mut parts = line.split(' ');
            let boot = parts.next()?;
            let noted = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
            return (boot_id().as_deref() == Some(boot)).then_some(noted);
        }
    }
    None
}

fn last(connection: &Connection) -> rusqlite::Result<Option<(i64, Hash)>> {
    connection
        .prepare_cached("SELECT id, hash FROM entry ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}
