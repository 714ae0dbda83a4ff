//! How long to wait.

use std::time::Duration;

use tokio::time::Instant;

use super::ahead::LEAD;
use crate::schedule::Clock;

/// Nobody tells a process that its machine slept or that its clock was set: no wait is longer.
const SLICE: Duration = Duration::from_secs(30);

/// A run that an earlier service began is no child of this one: its end is looked for, this often.
const ADOPTED: Duration = Duration::from_secs(1);

/// Runs that were told to stop are looked at this often.
const STOPPING: Duration = Duration::from_secs(1);

/// That wait, or what is left of it until runs are no longer waited for. From then on it is looked often whether they have ended.
pub(super) fn until_given_up(wait: Duration, give_up: Option<Instant>) -> Duration {
    let Some(left) = give_up.map(|give_up| give_up.saturating_duration_since(Instant::now())) else { return wait };
    wait.min(if left.is_zero() { STOPPING } else { left })
}

/// The moments at which there may be something to do.
#[derive(Default)]
pub(super) struct Waking {
    earliest: Option<i64>,
    prepared: Option<i64>,
    adopted: bool,
}

impl Waking {
    /// At that second.
    pub(super) fn at(&mut self, second: i64) {
        self.earliest = Some(self.earliest.map_or(second, |earliest| earliest.min(second)));
    }

    /// The first second of these behind that one.
    pub(super) fn next(&self, now: i64) -> Option<i64> {
        self.earliest.filter(|second| *second > now)
    }

    /// Early enough before that second for workers to be ready then.
    pub(super) fn before(&mut self, second: i64) {
        self.prepared = Some(second);
    }

    /// Whenever a run ends that is no child.
    pub(super) fn when_adopted_ends(&mut self) {
        self.adopted = true;
    }

    /// How long that is from now; a fraction of a second more, so that the second has surely begun.
    pub(super) fn wait(&self, clock: &dyn Clock) -> Duration {
        let slice = if self.adopted { ADOPTED } else { SLICE };
        let earliest = self.earliest.map(|second| clock.until(second) + Duration::from_millis(1));
        let prepared = self.prepared.map(|second| clock.until(second).saturating_sub(LEAD) + Duration::from_millis(1));
        earliest.into_iter().chain(prepared).fold(slice, Duration::min)
    }
}
