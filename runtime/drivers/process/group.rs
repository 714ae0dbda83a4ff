use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

use super::identity::Identity;
use super::{End, keeper};
use crate::failure::Failure;

/// How long a group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait for the kernel to clear away what was killed; a process stuck in a dead file system stays.
const CLEARING: Duration = Duration::from_secs(1);

/// Every process group this process has running, so that a second request to stop can end them all at once.
#[derive(Clone, Default)]
pub struct Processes {
    running: Arc<Mutex<BTreeSet<i32>>>,
    keeper: Option<PathBuf>,
}

impl Processes {
    /// Has kept programs watched over by that build of `runbook` instead of by this very executable.
    pub fn kept_by(keeper: impl Into<PathBuf>) -> Self {
        Self { keeper: Some(keeper.into()), ..Self::default() }
    }

    /// The executable to start a keeper from.
    pub fn keeper(&self) -> Option<&Path> {
        match &self.keeper {
            Some(keeper) => Some(keeper),
            None => keeper::executable(),
        }
    }

    /// Kills every running group now, without a grace period: for the moment before this process gives up.
    pub fn kill_all(&self) {
        for pid in self.locked().iter().filter_map(|pid| Pid::from_raw(*pid)) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeSet<i32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program and everything it starts, ended when this is dropped before [`release`](Self::release).
pub struct Group {
    child: Option<Child>,
    leader: Option<Pid>,
    /// The leader of a group that is not this process's own: only one that is surely still there is ended.
    identity: Option<Identity>,
    processes: Processes,
}

impl Group {
    /// Takes over a child that was started as the leader of a new group.
    pub fn new(child: Child, processes: &Processes) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self::led_by(leader, Some(child), None, processes)
    }

    /// Takes over a program that its keeper started, with the keeper where that is a child of this process.
    pub fn kept(program: Identity, keeper: Option<Child>, processes: &Processes) -> Self {
        let identity = keeper.is_none().then_some(program);
        Self::led_by(Some(program.pid), keeper, identity, processes)
    }

    fn led_by(leader: Option<i32>, child: Option<Child>, identity: Option<Identity>, processes: &Processes) -> Self {
        let leader = leader.and_then(Pid::from_raw);
        if let Some(leader) = leader {
            processes.locked().insert(leader.as_raw_nonzero().get());
        }
        Self { child, leader, identity, processes: processes.clone() }
    }

    /// Waits for the child itself, not for what it started; for ever where the group is not led by one.
    pub async fn ended(&mut self) -> Result<End, Failure> {
        let Some(child) = &mut self.child else { return std::future::pending().await };
        let status = child.wait().await.map_err(|error| Failure::system("wait for the program", &error))?;
        Ok(End::of(status))
    }

    /// Lets go: the program has ended, and what it left in the background is meant to stay.
    pub fn release(mut self) {
        self.forget();
    }

    fn forget(&mut self) -> Option<Pid> {
        let leader = self.leader.take()?;
        self.processes.locked().remove(&leader.as_raw_nonzero().get());
        Some(leader)
    }

    /// Waits for an empty group; the child is reaped on the way: as the leader it would count as a member for ever.
    fn is_gone_within(&mut self, leader: Pid, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            let is_reaped = self.child.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|end| end.is_some()));
            if is_reaped && test_kill_process_group(leader).is_err() {
                return true;
            }
            if start.elapsed() >= time {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Group {
    /// Blocks for at most three seconds, so that nothing of the group is left when the caller goes on.
    fn drop(&mut self) {
        let Some(leader) = self.leader.filter(|_| self.identity.is_none_or(Identity::is_alive)) else {
            self.forget();
            return;
        };
        let asked = kill_process_group(leader, Signal::TERM);
        if asked.is_ok() && !self.is_gone_within(leader, GRACE) {
            let _ = kill_process_group(leader, Signal::KILL);
            self.is_gone_within(leader, CLEARING);
        }
        self.forget();
    }
}
