//! Locks that live on an engine: they keep two machines from deploying the same application at once.
//!
//! A lock is a container that is created and never started. Its name is the lock's, and the engine gives a name once,
//! so creating is taking; its id is the holder's, and removing by id is giving back or taking away, which cannot hit a
//! later holder. Labels say who; a small file in it, which the holder writes again every few seconds, says that they
//! are still there and at which step. `docs/decisions/engine-locks.md` has the reasons and the rules of replacement.

mod acquire;
mod holder;
mod image;
mod name;
mod process;
mod state;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

pub use acquire::LockRequest;
pub use holder::{HeldLock, LockHolder};
pub use process::HolderProcess;

use self::state::State;
use super::{Container, Engine};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// How long the engine may take for a look or a word of the holder.
const WORD: Duration = Duration::from_secs(15);
/// How long it may take to take or remove a lock, the image included.
const CHANGE: Duration = Duration::from_secs(60);

/// How often the engine is asked to remove a lock that it fails to remove.
const REMOVALS: u32 = 5;
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(200);

/// A lock that is ours.
#[derive(Debug)]
pub struct EngineLease {
    /// The lock's name.
    pub name: String,
    /// Its container's name.
    pub container: String,
    /// Its container's id, ours alone.
    pub id: String,
    /// Since when, by the engine's clock.
    pub since: Timestamp,
    /// Larger than any earlier holder's.
    pub fence: i64,
    /// Uptime of this machine when the container was as old as `State::alive` says.
    began: u64,
    step: Mutex<String>,
    /// What was said last. Held while it is being said, so that words arrive in order.
    said: tokio::sync::Mutex<State>,
}

impl EngineLease {
    /// The step the run is in, for whoever finds the lock taken; said with the next word.
    pub fn note_step(&self, step: &str) {
        step.clone_into(&mut self.step.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn step(&self) -> String {
        self.step.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Engine {
    /// Says that the holder is alive and where it is. Kind `Conflict`: the lock is no longer ours.
    pub async fn renew_lock(&self, lease: &EngineLease) -> Result<(), Failure> {
        self.say(lease, |_| true).await
    }

    /// Says where the holder is, unless that was said already: of many steps in a short time the last one counts.
    pub async fn show_step(&self, lease: &EngineLease) -> Result<(), Failure> {
        self.say(lease, |said| said.step != lease.step()).await
    }

    /// Keeps the lock for a run that waits for a person: from now on only the same run or a person's hand removes it.
    pub async fn park_lock(&self, lease: &EngineLease) -> Result<(), Failure> {
        self.say(lease, |said| {
            said.parked = true;
            true
        })
        .await
    }

    /// Is it still ours? One look by id, for right before a change. Kind `Conflict` when it is not.
    pub async fn check_lock(&self, lease: &EngineLease) -> Result<(), Failure> {
        bounded(WORD, format!("looking at the lock `{}`", lease.name), async {
            match self.find(&lease.id).await? {
                Some(found) if found.name == lease.container && !is_leaving(&found) => Ok(()),
                _ => Err(self.lost(lease).await),
            }
        })
        .await
    }

    /// Does anybody have that lock, as far as one look tells?
    pub async fn is_locked(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.find(&name::container_name(name)).await?.is_some())
    }

    /// Gives it back. One that was lost or given back before is left alone.
    pub async fn release_lock(&self, lease: &EngineLease) -> Result<(), Failure> {
        self.remove_lock(&lease.name, &lease.id).await
    }

    /// Takes a lock away from whoever holds it, by a person's order; a later holder of that name keeps theirs.
    pub async fn break_lock(&self, held: &HeldLock) -> Result<(), Failure> {
        self.remove_lock(&held.name, &held.id).await
    }

    /// Gives back a lock that an earlier process of that run took; anybody else's is left alone.
    pub async fn release_lock_of(&self, run_uid: &str, name: &str) -> Result<(), Failure> {
        bounded(CHANGE, format!("giving the lock `{name}` back"), async {
            match self.look(&name::container_name(name)).await?.and_then(Found::lock) {
                Some(held) if held.holder.run_uid == run_uid => self.clear(&held.id).await,
                _ => Ok(()),
            }
        })
        .await
    }

    /// Every lock on this engine, by name.
    pub async fn locks(&self) -> Result<Vec<HeldLock>, Failure> {
        bounded(CHANGE, "reading the locks".into(), async {
            let mut locks = Vec::new();
            for container in self.containers(&[holder::LOCK.into()]).await? {
                locks.extend(self.look(&container.id).await?.and_then(Found::lock));
            }
            locks.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(locks)
        })
        .await
    }

    async fn remove_lock(&self, name: &str, id: &str) -> Result<(), Failure> {
        bounded(CHANGE, format!("giving the lock `{name}` back"), self.clear(id)).await
    }

    /// Removes a lock's container. An engine may fail at that while somebody reads what is in it, and leaves it half removed then.
    async fn clear(&self, id: &str) -> Result<(), Failure> {
        for _ in 1..REMOVALS {
            if self.remove(id, true).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.remove(id, true).await.map(drop)
    }

    /// Sees to it that a lock on its way out goes: where its removal has failed, it would keep the name for ever.
    async fn see_off(&self, container: &str) -> Result<(), Failure> {
        match self.find(container).await?.filter(is_leaving) {
            Some(leaving) => self.clear(&leaving.id).await,
            None => Ok(()),
        }
    }

    async fn say(&self, lease: &EngineLease, is_needed: impl Fn(&mut State) -> bool) -> Result<(), Failure> {
        bounded(WORD, format!("renewing the lock `{}`", lease.name), async {
            let mut said = lease.said.lock().await;
            if !is_needed(&mut said) {
                return Ok(());
            }
            said.beats += 1;
            said.alive = process::uptime().saturating_sub(lease.began);
            said.step = lease.step();
            match state::write(self, &lease.id, &said).await {
                Err(_) if self.is_gone(&lease.id).await? => Err(self.lost(lease).await),
                result => result,
            }
        })
        .await
    }

    /// What is in a lock's container, found by name or id.
    async fn look(&self, container: &str) -> Result<Option<Found>, Failure> {
        let Some(container) = self.find(container).await? else { return Ok(None) };
        if !container.labels.contains_key(holder::LOCK) {
            return Ok(Some(Found::Stranger));
        }
        let said = match state::read(self, &container.id).await {
            Err(_) if self.is_gone(&container.id).await? => return Ok(None),
            said => said?,
        };
        Ok(Some(HeldLock::read(&container, said).map_or(Found::Stranger, |lock| Found::Lock(Box::new(lock)))))
    }

    /// Is a container gone, or on its way out? An engine says all kinds of things of the files in such a one.
    async fn is_gone(&self, id: &str) -> Result<bool, Failure> {
        Ok(self.find(id).await?.is_none_or(|found| is_leaving(&found)))
    }

    /// Why a lock is no longer ours, as far as that can be seen.
    async fn lost(&self, lease: &EngineLease) -> Failure {
        let failure = |how: String| {
            Failure::new(FailureKind::Conflict, format!("this run no longer holds the lock `{}`: {how}", lease.name))
        };
        match self.look(&lease.container).await {
            Ok(Some(Found::Lock(now))) if now.id != lease.id => {
                failure(format!("run {} of {} has it", now.holder.run, now.holder.owner))
            }
            _ => failure(format!("its container `{}` was removed from the engine", lease.container)).hint(
                "`docker system prune` and `docker container prune` remove locks unless told `--filter \
                 label!=runbook.lock`",
            ),
        }
    }
}

/// What has a lock's container name.
enum Found {
    Lock(Box<HeldLock>),
    /// A container that is no lock of ours.
    Stranger,
}

impl Found {
    fn lock(self) -> Option<HeldLock> {
        match self {
            Self::Lock(lock) => Some(*lock),
            Self::Stranger => None,
        }
    }
}

fn is_leaving(container: &Container) -> bool {
    use super::ContainerState::{Dead, Removing};
    matches!(container.state, Removing | Dead)
}

async fn bounded<T>(
    limit: Duration,
    what: String,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(Failure::new(FailureKind::Timeout, format!("timed out after {} while {what}", Span(limit))))
    })
}
