//! Which places are between two containers, so that an interruption can be cleaned up after.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::drivers::docker::{Container, ContainerState, Engine};
use crate::primitive::Failure;
use crate::primitives::compose::app::NEXT;

/// How far a replacement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The new container is being made; the old one serves.
    Preparing,
    /// The new container serves beside the old one.
    Joined,
    /// The old container hands its name over to the new one, which serves beside it.
    Swapping,
    /// The new container has the place and proved itself; the old one was asked to stop.
    Retiring,
    /// The old container was asked to stop.
    Stopping,
    /// The new container has the place and has not proved itself.
    Proving,
}

/// A replacement that has begun and not ended.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    /// The name of the place.
    pub name: String,
    /// What was in it: id, name, and whether it ran.
    pub old: Option<(String, String, bool)>,
    /// How far it is.
    pub phase: Phase,
}

/// All replacements that have begun and not ended.
#[derive(Default)]
pub(super) struct Ledger(Mutex<BTreeMap<String, InFlight>>);

/// How long cleaning up may take: whoever cancelled waits for it. An engine at rest needs a second; a busy one gets more, because a place
/// that is left without its container is worse than the wait.
const GRACE: Duration = Duration::from_secs(5);
/// How long a container that was already asked to stop may go on stopping before it is killed and started again.
const STOPPING: Duration = Duration::from_millis(600);
/// How long a container that served for a moment may take to stop; the engine counts whole seconds.
const CURT: Duration = Duration::from_secs(1);

impl Ledger {
    /// A replacement begins.
    pub fn begin(&self, name: &str, old: Option<&Container>) {
        let old = old.map(|old| (old.id.clone(), old.name.clone(), old.is_running()));
        self.with(|all| all.insert(name.to_owned(), InFlight { name: name.to_owned(), old, phase: Phase::Preparing }));
    }

    /// It goes on.
    pub fn phase(&self, name: &str, phase: Phase) {
        self.with(|all| all.get_mut(name).map(|entry| entry.phase = phase));
    }

    /// It ended, well or with everything put back.
    pub fn end(&self, name: &str) {
        self.with(|all| all.remove(name));
    }

    /// Puts one place that is between two containers back to the one it had.
    pub async fn put_back(&self, engine: &Engine, name: &str) -> Result<(), Failure> {
        match self.with(|all| all.remove(name)) {
            Some(entry) => put_back(engine, &entry).await,
            None => Ok(()),
        }
    }

    /// Puts every place that is between two containers back to the one it had; returns the names of those where that
    /// failed or took too long.
    pub async fn settle(&self, engine: &Engine) -> Vec<String> {
        let open: Vec<InFlight> = self.with(|all| std::mem::take(all).into_values().collect());
        let settled = open.iter().map(|entry| async {
            // What serves beside the old one may finish what it has; nobody is waiting for a place.
            let beside = matches!(entry.phase, Phase::Joined | Phase::Swapping);
            let grace = if beside { GRACE + CURT + CURT } else { GRACE };
            let result = tokio::time::timeout(grace, put_back(engine, entry)).await;
            matches!(result, Ok(Ok(()))).then_some(()).map_or(Some(entry.name.clone()), |()| None)
        });
        join_all(settled).await.into_iter().flatten().collect()
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, InFlight>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Removes what is new at a place and gives it back to what was there.
pub(super) async fn put_back(engine: &Engine, entry: &InFlight) -> Result<(), Failure> {
    match entry.phase {
        // Nothing to put back: what is in the place now is what was wanted.
        Phase::Retiring => return Ok(()),
        Phase::Swapping if !swap_back(engine, entry).await? => return Ok(()),
        Phase::Joined | Phase::Swapping => {
            // It may have requests under way.
            if let Some(next) = engine.find(&format!("{}{NEXT}", entry.name)).await? {
                engine.stop(&next.id, Some(CURT)).await?;
            }
        }
        _ => {}
    }
    engine.remove(&format!("{}{NEXT}", entry.name), true).await?;
    if let Some((id, name, ran)) = &entry.old {
        if matches!(entry.phase, Phase::Stopping | Phase::Proving) {
            remove_unless(engine, &entry.name, id).await?;
            if engine.find(id).await?.is_some_and(|now| now.name != *name) {
                engine.rename(id, name).await?;
            }
        }
        if entry.phase == Phase::Stopping {
            end_stopping(engine, id).await;
        }
        if *ran {
            engine.start(id).await?;
        }
    } else {
        engine.remove(&entry.name, true).await?;
    }
    // A request that was given up may still have been carried out.
    engine.remove(&format!("{}{NEXT}", entry.name), true).await?;
    Ok(())
}

/// Gives the old container its name back; `false` when the new one has the name already.
async fn swap_back(engine: &Engine, entry: &InFlight) -> Result<bool, Failure> {
    let Some((id, name, _)) = &entry.old else { return Ok(true) };
    match engine.find(&entry.name).await? {
        Some(found) if found.id != *id => Ok(false),
        Some(_) => Ok(true),
        None => engine.rename(id, name).await.map(|()| true),
    }
}

async fn remove_unless(engine: &Engine, name: &str, id: &str) -> Result<(), Failure> {
    match engine.find(name).await? {
        Some(found) if found.id != *id => engine.remove(&found.id, false).await.map(drop),
        _ => Ok(()),
    }
}

/// Waits a moment for a stop that was asked for; then there is no more time to be polite.
async fn end_stopping(engine: &Engine, id: &str) {
    let stopped = async {
        while engine.find(id).await.ok().flatten().is_some_and(|now| now.state == ContainerState::Running) {
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    if tokio::time::timeout(STOPPING, stopped).await.is_err() {
        // It may end by itself in the meantime: then there is nothing to kill.
        let _ = engine.kill(id, "SIGKILL").await;
        let gone = async {
            while engine.find(id).await.ok().flatten().is_some_and(|now| now.state == ContainerState::Running) {
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        };
        let _ = tokio::time::timeout(STOPPING, gone).await;
    }
}
