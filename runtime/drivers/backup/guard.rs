use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

use super::Wanted;
use super::ahead::Ahead;
use super::fault::passed;
use super::files::Files;
use super::meter::{Flow, Meter};
use super::store::Store;
use crate::drivers::bucket::digest;
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// Notes what went wrong, and keeps a snapshot from being written from then on.
pub struct Guard {
    /// And in which part, where that is known.
    fault: Mutex<Option<(Failure, Option<usize>)>>,
    /// What could not be read last: the engine goes on or says something else.
    unread: Mutex<Option<Failure>>,
    wanted: Wanted,
    meter: Arc<Meter>,
    ahead: Arc<Ahead>,
    files: Files,
}

impl Guard {
    /// A guard that has seen nothing.
    pub fn new(wanted: Wanted) -> Self {
        Self {
            fault: Mutex::new(None),
            unread: Mutex::new(None),
            wanted,
            meter: Arc::default(),
            ahead: Arc::default(),
            files: Files::default(),
        }
    }

    /// Is it still wanted?
    pub fn wanted(&self) -> Wanted {
        Wanted::clone(&self.wanted)
    }

    /// How far what goes on is.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// What reads packs of a store that is far away.
    pub fn ahead(&self) -> &Ahead {
        &self.ahead
    }

    /// What was read of a store that is far away.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Notes a fault; the first one is what people are told.
    pub fn note(&self, failure: Failure) {
        self.note_in(None, failure);
    }

    /// Notes a fault of a part.
    pub fn note_in(&self, part: Option<usize>, failure: Failure) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((failure, part));
    }

    /// The part whose fault was the first one.
    pub fn blamed(&self) -> Option<usize> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|(_, part)| *part)
    }

    /// Fails once anything went wrong, or nobody wants this any more.
    pub fn check(&self) -> Result<(), Failure> {
        if let Some((failure, _)) = &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure.clone());
        }
        (self.wanted)().inspect_err(|failure| self.note(failure.clone()))
    }

    /// What went wrong, else this.
    pub fn reason(&self, otherwise: impl FnOnce() -> Failure) -> Failure {
        if let Some((fault, _)) = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return fault;
        }
        let told = otherwise();
        let Some(unread) = self.unread.lock().unwrap_or_else(PoisonError::into_inner).clone() else { return told };
        // What was to be done, and why it could not be.
        let doing = told.message.split(": ").next().unwrap_or_default();
        Failure { message: format!("{doing}: {}", unread.message), ..unread }
    }

    /// A check goes on after a file that cannot be read, and says which: that alone is no fault of a source.
    fn read<T>(&self, result: Result<T, Failure>) -> RusticResult<T> {
        result.map_err(|failure| {
            let error = passed(&failure);
            *self.unread.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            error
        })
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("guard")
    }
}

/// A store that takes no snapshot after a fault.
#[derive(Debug)]
pub struct Guarded {
    store: Arc<dyn Store>,
    guard: Arc<Guard>,
    since: Instant,
}

impl Guarded {
    /// Puts the guard before the store.
    pub fn new(store: Arc<dyn Store>, guard: Arc<Guard>) -> Self {
        Self { store, guard, since: Instant::now() }
    }

    fn noted<T>(&self, result: Result<T, Failure>) -> RusticResult<T> {
        result.map_err(|failure| {
            let error = passed(&failure);
            self.guard.note(failure);
            error
        })
    }

    /// May a snapshot be added?
    fn allowed(&self) -> Result<(), Failure> {
        self.guard.check()?;
        match self.store.patience() {
            Some(patience) if self.since.elapsed() > patience => {
                let message = format!("it took more than {}, in which others may have pruned", Span(patience));
                Err(Failure::new(FailureKind::Timeout, message)
                    .hint("run it again: what is stored already is not sent again"))
            }
            _ => Ok(()),
        }
    }
}

impl ReadBackend for Guarded {
    fn location(&self) -> String {
        self.store.shown()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        match self.guard.files.listed(kind).filter(|_| self.store.is_far()) {
            Some(listed) => Ok(listed),
            None => self.noted(self.store.list(kind)),
        }
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        if let Some(content) = self.guard.files.read(kind, id) {
            return Ok(content);
        }
        let content = self.guard.read(self.store.read(kind, id))?;
        // A file that belongs elsewhere, or was cut off, is not mistaken for this one. Packs are looked at piece by piece.
        if !matches!(kind, FileType::Config | FileType::Pack) && digest(&content) != id.to_hex()[..] {
            let message = format!("`{}` is not what was written there", self.store.shown_file(kind, id));
            return self.guard.read(Err(Failure::new(FailureKind::Invalid, message)));
        }
        self.guard.meter.count(Flow::Read, content.len());
        if self.store.is_far() {
            self.guard.files.keep(kind, id, &content);
        }
        Ok(content)
    }

    fn read_partial(&self, kind: FileType, id: &Id, _: bool, offset: u32, length: u32) -> RusticResult<Bytes> {
        let part = self.guard.read(match kind {
            FileType::Pack if self.store.is_far() => self.guard.ahead.read(&self.store, id, offset, length),
            _ => self.store.read_part(kind, id, offset, length),
        })?;
        self.guard.meter.count(Flow::Read, part.len());
        Ok(part)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.store.shown_file(kind, id)
    }
}

impl WriteBackend for Guarded {
    fn create(&self) -> RusticResult<()> {
        self.noted(self.store.create())
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let allowed = if kind == FileType::Snapshot { self.allowed() } else { Ok(()) };
        self.noted(allowed.and_then(|()| self.store.write(kind, id, content.slice())))?;
        self.guard.meter.count(Flow::Written, content.slice().iter().map(Bytes::len).sum());
        Ok(())
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        self.noted(self.store.remove(kind, id))
    }
}
