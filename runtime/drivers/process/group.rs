use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

use super::End;
use crate::failure::Failure;

/// How long a group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long to wait for the kernel to clear away what was killed; a process stuck in a dead file system stays.
const CLEARING: Duration = Duration::from_secs(1);

/// Every process group this process has running, so that a second request to stop can end them all at once.
#[derive(Clone, Default)]
pub struct Processes {
    running: Arc<Mutex<BTreeSet<i32>>>,
}

impl Processes {
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
    child: Child,
    leader: Option<Pid>,
    processes: Processes,
}

impl Group {
    /// Takes over a child that was started as the leader of a new group.
    pub fn new(child: Child, processes: &Processes) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            processes.locked().insert(leader.as_raw_nonzero().get());
        }
        Self { child, leader, processes: processes.clone() }
    }

    /// Waits for the program itself, not for what it started.
    pub async fn ended(&mut self) -> Result<End, Failure> {
        let status = self.child.wait().await.map_err(|error| Failure::system("wait for the program", &error))?;
        let by_signal = status.signal().map(End::Signal);
        Ok(status.code().map(End::Code).or(by_signal).unwrap_or(End::Code(0)))
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

    /// Waits for an empty group; the leader is reaped on the way, or it would count as a member for ever.
    fn is_gone_within(&mut self, leader: Pid, time: Duration) -> bool {
        let start = Instant::now();
        loop {
            let _ = self.child.try_wait();
            if test_kill_process_group(leader).is_err() {
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
        let Some(leader) = self.leader else { return };
        let asked = kill_process_group(leader, Signal::TERM);
        if asked.is_ok() && !self.is_gone_within(leader, GRACE) {
            let _ = kill_process_group(leader, Signal::KILL);
            self.is_gone_within(leader, CLEARING);
        }
        self.forget();
    }
}
