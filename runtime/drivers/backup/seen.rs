use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustic_core::IndexedFullStatus;
use rustic_core::repofile::SnapshotFile;

use crate::failure::Failure;

/// The engine with all of the index in memory.
pub type Indexed = rustic_core::Repository<IndexedFullStatus>;

/// What was read of a repository and is not asked for again: a server that is far away takes its time for each request.
#[derive(Default)]
pub struct Seen {
    snapshots: Mutex<Vec<SnapshotFile>>,
    index: Mutex<Option<Arc<Indexed>>>,
}

impl Seen {
    /// The snapshots that were there the last time.
    pub fn snapshots(&self) -> Vec<SnapshotFile> {
        locked(&self.snapshots).clone()
    }

    /// Notes which snapshots are there.
    pub fn note_snapshots(&self, files: &[SnapshotFile]) {
        *locked(&self.snapshots) = files.to_vec();
    }

    /// The index; read again with `anew`, when something newer than it is looked for.
    pub fn index(&self, anew: bool, read: impl FnOnce() -> Result<Indexed, Failure>) -> Result<Arc<Indexed>, Failure> {
        let mut index = locked(&self.index);
        if anew {
            *index = None;
        }
        if let Some(known) = &*index {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(read()?);
        *index = Some(Arc::clone(&read));
        Ok(read)
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
