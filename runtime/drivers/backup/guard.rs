use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

use super::Wanted;
use super::fault::passed;
use super::folder::Folder;
use crate::failure::Failure;

/// Notes what went wrong, and keeps a snapshot from being written from then on.
pub struct Guard {
    fault: Mutex<Option<Failure>>,
    wanted: Wanted,
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(wanted: Wanted) -> Self {
        Self { fault: Mutex::new(None), wanted }
    }

    /// Is it still wanted?
    pub fn wanted(&self) -> Wanted {
        Wanted::clone(&self.wanted)
    }

    /// Notes a fault; the first one is what people are told.
    pub fn note(&self, failure: Failure) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
    }

    /// Fails once anything went wrong, or nobody wants this any more.
    pub fn check(&self) -> Result<(), Failure> {
        if let Some(failure) = &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure.clone());
        }
        (self.wanted)().inspect_err(|failure| self.note(failure.clone()))
    }

    /// What went wrong, else this.
    pub fn reason(&self, otherwise: impl FnOnce() -> Failure) -> Failure {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(otherwise)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("guard")
    }
}

/// A folder that takes no snapshot after a fault.
#[derive(Debug)]
pub struct Guarded {
    folder: Folder,
    guard: Arc<Guard>,
}

impl Guarded {
    /// Puts the guard before the folder.
    pub fn new(folder: Folder, guard: Arc<Guard>) -> Self {
        Self { folder, guard }
    }

    fn noted<T>(&self, result: Result<T, Failure>) -> RusticResult<T> {
        result.map_err(|failure| {
            let error = passed(&failure);
            self.guard.note(failure);
            error
        })
    }
}

impl ReadBackend for Guarded {
    fn location(&self) -> String {
        self.folder.shown()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.noted(self.folder.list(kind))
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        // A check goes on after a file that cannot be read, and says which: no fault of a source.
        self.folder.read(kind, id).map_err(|failure| passed(&failure))
    }

    fn read_partial(&self, kind: FileType, id: &Id, _: bool, offset: u32, length: u32) -> RusticResult<Bytes> {
        self.folder.read_part(kind, id, offset, length).map_err(|failure| passed(&failure))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.folder.path(kind, id).display().to_string()
    }
}

impl WriteBackend for Guarded {
    fn create(&self) -> RusticResult<()> {
        self.noted(self.folder.create())
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let allowed = if kind == FileType::Snapshot { self.guard.check() } else { Ok(()) };
        self.noted(allowed.and_then(|()| self.folder.write(kind, id, content.slice())))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        self.noted(self.folder.remove(kind, id))
    }
}
