//! Who holds a lock, as written on its container.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::process::{HolderProcess, Life};
use super::state::State;
use crate::drivers::docker::Container;

/// The label that makes a container a lock; its value is the lock's name.
pub(super) const LOCK: &str = "runbook.lock";
const HOLDER: &str = "runbook.lock.holder";
const STEP: &str = "runbook.lock.step";
/// The fence that this holder's must exceed.
const AFTER: &str = "runbook.lock.after";

/// Who wants or holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockHolder {
    /// `user@machine`.
    pub owner: String,
    /// The project the run belongs to.
    pub project: String,
    /// The run's number in its project.
    pub run: i64,
    /// Names the run in all the world: the same run takes up its own lock again.
    pub run_uid: String,
    /// The process that executes the run.
    pub process: HolderProcess,
}

/// A lock as anybody finds it on the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The lock's name, as in `shop`.
    pub name: String,
    /// Its container's name: `docker rm` of it breaks the lock by hand.
    pub container: String,
    /// Its container's id: a later holder's is another one.
    pub id: String,
    /// Who holds it.
    pub holder: LockHolder,
    /// Since when, by the engine's clock.
    pub since: Timestamp,
    /// A later holder's is always larger.
    pub fence: i64,
    /// The step the holder was in when it last said so.
    pub step: String,
    /// The holder's run waits for a person: no process needs to be there, and time passing means nothing.
    pub parked: bool,
    /// What the holder last said, to see whether it says something new.
    pub(super) said: State,
    /// On its way out: the name is about to be free.
    pub(super) leaving: bool,
}

/// The labels of a lock's container, all that a new holder has to write.
pub(super) fn labels(name: &str, holder: &LockHolder, step: &str, after: i64) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = [
        (LOCK.to_owned(), name.to_owned()),
        (HOLDER.to_owned(), serde_json::to_string(holder).unwrap_or_default()),
        (STEP.to_owned(), step.to_owned()),
        // For whoever comes across it with `docker inspect`.
        ("runbook.lock.owner".to_owned(), holder.owner.clone()),
        ("runbook.lock.run".to_owned(), holder.run.to_string()),
        ("runbook.lock.project".to_owned(), holder.project.clone()),
    ]
    .into();
    if after > 0 {
        labels.insert(AFTER.to_owned(), after.to_string());
    }
    labels
}

impl HeldLock {
    /// Is its holder's process gone, as far as that can be seen from here? The next one who wants it gets it at once.
    pub fn is_abandoned(&self) -> bool {
        !self.parked && self.holder.process.life(&HolderProcess::current()) == Life::Gone
    }

    /// What the labels of a container and the file in it say; `None` when it is no lock.
    pub(super) fn read(container: &Container, said: State) -> Option<Self> {
        let label = |name: &str| container.labels.get(name).map(String::as_str);
        let since: Timestamp = container.created.parse().ok()?;
        let after: i64 = label(AFTER).and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut holder: LockHolder = serde_json::from_str(label(HOLDER)?).ok()?;
        if let Some(process) = &said.process {
            holder.process.clone_from(process);
        }
        Some(Self {
            name: label(LOCK)?.to_owned(),
            container: container.name.clone(),
            id: container.id.clone(),
            holder,
            since,
            fence: since.as_microsecond().max(after.saturating_add(1)),
            step: if said.beats == 0 { label(STEP).unwrap_or_default().to_owned() } else { said.step.clone() },
            parked: said.parked,
            said,
            leaving: super::is_leaving(container),
        })
    }
}
