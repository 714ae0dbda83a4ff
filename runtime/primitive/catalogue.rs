//! What the run log knows of backups beside what the repositories say: when each snapshot was proven, and how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Drill, Failure};
use crate::drivers::backup::{Checked, Manifest, PARTIAL, PARTS, Reads, Repository, Snapshot};

/// A snapshot as the run log knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalogued {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What it belongs to.
    pub job: String,
    /// The machine it was made on.
    pub host: String,
    /// When it was made.
    pub at: Timestamp,
    /// Its tags.
    pub tags: Vec<String>,
    /// Files in it.
    pub files: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// The bytes by which the repository grew.
    pub added: u64,
    /// How long it took to make.
    pub milliseconds: u64,
    /// What its manifest says, in short; empty for one that `restic` made.
    pub parts: Vec<CataloguedPart>,
    /// How it was proven that it can be read: the newest proof of each kind.
    pub proofs: Vec<Proof>,
    /// Repositories that have a copy of it.
    pub copies: Vec<String>,
    /// It was there, and is not any more, and nobody forgot it here.
    pub gone: bool,
}

/// A part of a snapshot in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CataloguedPart {
    /// Its name.
    pub name: String,
    /// `folder` or `stream`.
    pub kind: String,
    /// Files in it.
    pub files: u64,
    /// Bytes in it.
    pub bytes: u64,
}

/// That a snapshot was proven to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// How.
    pub how: ProofKind,
    /// When.
    pub at: Timestamp,
}

/// How a snapshot was proven to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofKind {
    /// All data of the repository was read and compared with its hashes, at once or one part a day.
    Read,
    /// It was restored and compared with its manifest.
    Restored,
    /// It was restored into something made for that, and tried out.
    Drilled,
}

impl ProofKind {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Restored => "restored",
            Self::Drilled => "drilled",
        }
    }
}

/// How far the data of a repository was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The part that was read last: 0 to 29.
    pub part: u32,
    /// When.
    pub at: Timestamp,
    /// When the first part was read, if every one since then was read in turn and was as it has to be.
    pub round: Option<Timestamp>,
}

impl Reading {
    /// After these parts were read as well and were as they have to be. Says since when all data has been read, where this completes it:
    /// whatever was there before is proven.
    pub fn after(before: Option<Self>, parts: &[u32], now: Timestamp) -> Option<(Self, Option<Timestamp>)> {
        let mut round = before.and_then(|reading| reading.round);
        let mut complete = None;
        for part in parts {
            match *part {
                0 => round = Some(now),
                last if last + 1 == PARTS => complete = round.take(),
                _ => {}
            }
        }
        parts.last().map(|part| (Self { part: *part, at: now, round }, complete))
    }
}

/// What the run log keeps of backups.
pub trait Catalogue: Send + Sync {
    /// The snapshots of a repository, the oldest first, with those that are gone.
    fn snapshots(&self, repository: &str) -> Result<Vec<Catalogued>, Failure>;
    /// Notes snapshots that are new, and which there are. What was noted after `asked` may be missing among these.
    fn note_snapshots(
        &self,
        repository: &str,
        new: &[Catalogued],
        there: &[&str],
        asked: Timestamp,
    ) -> Result<(), Failure>;
    /// Notes that snapshots were proven to be good.
    fn note_proof(&self, repository: &str, ids: &[&str], proof: Proof) -> Result<(), Failure>;
    /// Notes that snapshots are damaged: no proof of them counts any more.
    fn drop_proofs(&self, repository: &str, ids: &[&str]) -> Result<(), Failure>;
    /// Notes that another repository has a copy.
    fn note_copy(&self, repository: &str, id: &str, to: &str) -> Result<(), Failure>;
    /// Drops snapshots that were forgotten on purpose.
    fn drop_snapshots(&self, repository: &str, ids: &[&str]) -> Result<(), Failure>;
    /// Makes the rows of a repository anew. What was known of proofs and copies of those that are there is kept.
    fn rebuild(&self, repository: &str, all: &[Catalogued]) -> Result<(), Failure>;
    /// How far the data of a repository was read.
    fn reading(&self, repository: &str) -> Result<Option<Reading>, Failure>;
    /// Notes how far it was read.
    fn note_reading(&self, repository: &str, reading: Reading) -> Result<(), Failure>;
    /// The newest call of `backup` for a job that does not go on, and when it began, if it did not end well. `job` is that of calls that name none
    /// with `own`.
    fn failed_backup(&self, repository: &str, job: &str, own: bool) -> Result<Option<(i64, Timestamp)>, Failure>;
    /// Notes a restore drill; one of that name that is known stays as it is.
    fn note_drill(&self, drill: &Drill) -> Result<(), Failure>;
    /// The drills of a repository's snapshots, the oldest first.
    fn drills(&self, repository: &str) -> Result<Vec<Drill>, Failure>;
    /// The newest moment that the run log knows of.
    fn newest_moment(&self) -> Result<Option<Timestamp>, Failure>;
}

impl Catalogued {
    /// Reads what is to be known of a snapshot. A manifest that cannot be read tells of no parts.
    pub fn read(repository: &Repository, snapshot: &Snapshot) -> Self {
        Self::of(snapshot, repository.manifest(snapshot).ok().flatten().unwrap_or_default())
    }

    /// The same, where the manifest is at hand.
    pub fn of(snapshot: &Snapshot, manifest: Manifest) -> Self {
        let parts = manifest.parts.into_iter().map(|part| CataloguedPart {
            name: part.name,
            kind: part.kind,
            files: part.tally.files,
            bytes: part.tally.bytes,
        });
        Self {
            id: snapshot.id.clone(),
            job: snapshot.group(),
            host: snapshot.host.clone(),
            at: snapshot.time.timestamp(),
            tags: snapshot.tags.clone(),
            files: snapshot.files,
            bytes: snapshot.bytes,
            added: snapshot.added,
            milliseconds: snapshot.milliseconds,
            parts: parts.collect(),
            proofs: Vec::new(),
            copies: Vec::new(),
            gone: false,
        }
    }

    /// Are sources missing in it? Then it counts as none.
    pub fn is_partial(&self) -> bool {
        !self.parts.is_empty() && self.tags.iter().any(|tag| tag == PARTIAL)
    }

    /// The newest proof.
    pub fn proven(&self) -> Option<Proof> {
        self.proofs.iter().copied().max_by_key(|proof| proof.at)
    }
}

/// Compares what a repository holds with what the run log knows, and notes what is new and what is gone: to be called whenever one
/// is opened. Returns the snapshots that are there, and all that is known.
pub fn reconcile(
    catalogue: &dyn Catalogue,
    name: &str,
    repository: &Repository,
) -> Result<(Vec<Snapshot>, Vec<Catalogued>), Failure> {
    let asked = Timestamp::now();
    let found = repository.snapshots()?;
    let known = catalogue.snapshots(name)?;
    let is_known = |id: &str| known.iter().any(|row| row.id == id && !row.gone);
    let new: Vec<Catalogued> = found
        .iter()
        .filter(|snapshot| !is_known(&snapshot.id))
        .map(|snapshot| Catalogued::read(repository, snapshot))
        .collect();
    let is_there = |row: &&Catalogued| found.iter().any(|snapshot| snapshot.id == row.id);
    let is_gone = known.iter().any(|row| !row.gone && !is_there(&row));
    if new.is_empty() && !is_gone {
        return Ok((found, known));
    }
    let there: Vec<&str> = found.iter().map(|snapshot| snapshot.id.as_str()).collect();
    catalogue.note_snapshots(name, &new, &there, asked)?;
    let known = catalogue.snapshots(name)?;
    Ok((found, known))
}

/// The parts of a repository's data whose turn it is: one for each day since some were read, so that all are read in a month
/// whatever days are left out.
pub fn parts_due(reading: Option<Reading>, now: Timestamp) -> Vec<u32> {
    let Some(Reading { part, at, .. }) = reading else { return vec![0] };
    let hours = now.duration_since(at).as_hours();
    let days = u32::try_from((hours + 12) / 24).unwrap_or(0).clamp(1, PARTS);
    (1..=days).map(|day| (part + day) % PARTS).collect()
}

/// What a check reads, as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckScope {
    /// Nothing.
    Nothing,
    /// What is due.
    Due,
    /// All data.
    All,
}

/// Checks a repository and notes what was read, what is proven by that, and what is not any more. Returns what was found, how many of
/// the parts were read, and what can be done.
pub fn check_and_note(
    catalogue: Option<&dyn Catalogue>,
    name: &str,
    repository: &Repository,
    scope: CheckScope,
) -> Result<(Checked, u32, Vec<String>), Failure> {
    let now = Timestamp::now();
    let snapshots = repository.snapshots()?;
    let before = catalogue.map_or(Ok(None), |catalogue| catalogue.reading(name))?;
    let mut reads = match scope {
        CheckScope::Nothing => Reads::Nothing,
        CheckScope::Due => Reads::Parts(parts_due(before, now)),
        CheckScope::All => Reads::All,
    };
    if matches!(&reads, Reads::Parts(parts) if parts.len() == PARTS as usize) {
        reads = Reads::All;
    }
    let checked = repository.inspect(&reads)?;
    let read = match &reads {
        Reads::Nothing => 0,
        Reads::Parts(parts) => u32::try_from(parts.len()).unwrap_or(PARTS),
        Reads::All => PARTS,
    };
    let advice = if checked.errors.is_empty() { Vec::new() } else { repository.advice(&checked, &snapshots) };
    let Some(catalogue) = catalogue else { return Ok((checked, read, advice)) };
    if !checked.errors.is_empty() {
        let ids: Vec<&str> = checked.damaged.iter().map(|damaged| damaged.id.as_str()).collect();
        catalogue.drop_proofs(name, &ids)?;
        if let Some(reading) = before.filter(|reading| reading.round.is_some()) {
            catalogue.note_reading(name, Reading { round: None, ..reading })?;
        }
        return Ok((checked, read, advice));
    }
    match reads {
        Reads::Nothing => {}
        Reads::Parts(parts) => {
            if let Some((reading, complete)) = Reading::after(before, &parts, now) {
                let is_old = |snapshot: &&Snapshot| complete.is_some_and(|began| snapshot.time.timestamp() < began);
                let ids: Vec<&str> = snapshots.iter().filter(is_old).map(|snapshot| snapshot.id.as_str()).collect();
                catalogue.note_proof(name, &ids, Proof { how: ProofKind::Read, at: now })?;
                catalogue.note_reading(name, reading)?;
            }
        }
        Reads::All => {
            let ids: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.id.as_str()).collect();
            catalogue.note_proof(name, &ids, Proof { how: ProofKind::Read, at: now })?;
            catalogue.note_reading(name, Reading { part: PARTS - 1, at: now, round: None })?;
        }
    }
    Ok((checked, read, advice))
}
