//! Workers that were started before their time: they have read the project and checked the runbook, and wait for their fire.
//!
//! A worker takes milliseconds of a processor until its run can begin, and schedules fire at whole seconds, so that many are due
//! at once. Nothing is written down of those that wait: one that dies, or whose fire is left out, was started in vain and no more.
//! They hear of the end of the service from the system, which closes their pipes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::worker::Worker;

/// So long before its time a worker is started: what starts together shares the processors.
pub(super) const LEAD: Duration = Duration::from_millis(600);

/// So many at most: each takes a few megabytes.
pub(super) const MOST: usize = 64;

/// How many seconds after its time one waits no longer. A run that did not begin then waits for another one to end.
const PATIENCE: i64 = 2;

/// Those that wait.
#[derive(Default)]
pub(super) struct Ahead {
    /// By schedule.
    waiting: BTreeMap<String, Worker>,
    /// The second they wait for.
    second: i64,
    /// Those that were told to go, until they have.
    leaving: Vec<Worker>,
}

impl Ahead {
    /// Does any wait?
    pub(super) fn is_waited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Was everything prepared that begins at that second?
    pub(super) fn is_ready_for(&self, second: i64) -> bool {
        self.second == second
    }

    /// From now on they wait for that second: each schedule of `names` has one then, of those that can be started.
    pub(super) fn prepare(&mut self, second: i64, names: Vec<String>, start: impl Fn(&str) -> Option<Worker>) {
        self.second = second;
        let wanted = |name: &String| names.contains(name);
        let (stay, leave) = std::mem::take(&mut self.waiting).into_iter().partition(|(name, _)| wanted(name));
        self.waiting = stay;
        self.dismiss(leave);
        for name in names.into_iter().take(MOST) {
            if !self.waiting.contains_key(&name)
                && let Some(worker) = start(&name)
            {
                self.waiting.insert(name, worker);
            }
        }
    }

    /// The one that waits for that schedule; none when none is there, or lives.
    pub(super) fn take(&mut self, schedule: &str) -> Option<Worker> {
        let mut worker = self.waiting.remove(schedule)?;
        if worker.has_ended() {
            self.leaving.push(worker);
            return None;
        }
        Some(worker)
    }

    /// Lets go of those that have gone, and of all that wait in vain.
    pub(super) fn look(&mut self, now: i64) {
        self.leaving.retain_mut(|worker| !worker.has_ended());
        if now > self.second + PATIENCE {
            self.forget();
        }
    }

    /// Nothing of what they read counts any more.
    pub(super) fn forget(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.second = 0;
        self.dismiss(waiting);
    }

    fn dismiss(&mut self, workers: BTreeMap<String, Worker>) {
        let dismissed = workers.into_values().map(|mut worker| {
            worker.dismiss();
            worker
        });
        self.leaving.extend(dismissed);
    }
}
