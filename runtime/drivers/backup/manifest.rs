use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::archive::Told;
use super::guard::Guard;
use super::tally::Rights;
use super::{Snapshot, Tally};
use crate::failure::{Failure, FailureKind};

/// Where the manifest is in a snapshot, and where the parts are: the manifest comes last, after what it tells of.
pub const MANIFEST: &str = "manifest.json";
/// The folder of the parts.
pub const DATA: &str = "data";

/// What a snapshot has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of this format.
    pub version: u32,
    /// The job whose snapshot it is.
    pub job: String,
    /// When it was begun.
    pub started: Timestamp,
    /// The parts, by name.
    pub parts: Vec<PartRecord>,
    /// What should be in it and is not: of a snapshot that is only partial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
}

/// A source that is missing in a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The name that its part would have.
    pub name: String,
    /// What was wrong with it.
    pub why: String,
}

/// What one part has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its name, and that of its file or folder in the snapshot's `data`.
    pub name: String,
    /// `folder` or `stream`.
    pub kind: String,
    /// Where it came from: a path, a command.
    pub from: String,
    /// What is in it.
    pub tally: Tally,
    /// What else whoever made it knew: of a SQLite database, `sqlite` with the number of rows of each table.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub facts: Value,
}

/// The part of a snapshot that a person means: its path there, and what it has to be. Without a manifest, the name is a path.
pub fn choose<'a>(
    snapshot: &Snapshot,
    manifest: Option<&'a Manifest>,
    name: Option<&str>,
) -> Result<(String, Option<&'a PartRecord>), Failure> {
    let Some(manifest) = manifest else { return Ok((name.unwrap_or_default().to_owned(), None)) };
    let names = || manifest.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(", ");
    let named = manifest.parts.iter().find(|part| name.is_none_or(|name| part.name == name));
    let is_clear = name.is_some() || manifest.parts.len() == 1;
    let record = named.filter(|_| is_clear).ok_or_else(|| {
        let has = format!("snapshot {} has {}", snapshot.short(), names());
        match name {
            Some(name) => {
                Failure::new(FailureKind::NotFound, format!("snapshot {} has no part `{name}`", snapshot.short()))
            }
            None => Failure::new(FailureKind::Argument, "which part? `--part NAME`"),
        }
        .hint(has)
    })?;
    Ok((super::inside(&record.name), Some(record)))
}

/// The manifest while it is being made: parts are read by several threads.
pub struct Ledger {
    state: Mutex<State>,
    settled: Condvar,
    pub(super) guard: Arc<Guard>,
}

struct State {
    manifest: Manifest,
    /// Files and streams that are not read to their end.
    open: usize,
    /// Who is asked what is known of parts when all was read.
    told: Vec<(usize, Told)>,
}

impl Ledger {
    /// One in which nothing is counted.
    pub fn new(manifest: Manifest, guard: Arc<Guard>) -> Self {
        Self { state: Mutex::new(State { manifest, open: 0, told: Vec::new() }), settled: Condvar::new(), guard }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file or stream is about to be read.
    pub fn opened(&self) {
        self.state().open += 1;
    }

    /// It was read to its end.
    pub fn closed(&self, part: usize, path: &Path, rights: Rights, bytes: u64, hash: &[u8], facts: Value) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        if let Some(part) = state.manifest.parts.get_mut(part) {
            part.tally.file(path, rights, bytes, hash);
            if !facts.is_null() {
                part.facts = facts;
            }
        }
        drop(state);
        self.settled.notify_all();
    }

    /// Counts what has nothing to read.
    pub fn count(&self, part: usize, count: impl FnOnce(&mut Tally)) {
        if let Some(part) = self.state().manifest.parts.get_mut(part) {
            count(&mut part.tally);
        }
    }

    /// Notes what whoever made a part knew of it.
    pub fn tell(&self, part: usize, told: Told) {
        self.state().told.push((part, told));
    }

    /// The manifest, once everything was read. Everything there is has been opened by then.
    pub fn finished(&self) -> Result<Manifest, Failure> {
        let mut state = self.state();
        while state.open > 0 {
            self.guard.check()?;
            let waited = self.settled.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        self.guard.check()?;
        let (mut manifest, told) = (state.manifest.clone(), state.told.clone());
        drop(state);
        for (part, told) in told {
            if let Some(part) = manifest.parts.get_mut(part) {
                part.facts = told();
            }
        }
        Ok(manifest)
    }
}
