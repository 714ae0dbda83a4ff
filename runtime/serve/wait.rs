//! How long to wait.

use std::time::Duration;

use crate::schedule::Clock;

/// Nobody tells a process that its machine slept or that its clock was set: no wait is longer.
const SLICE: Duration = Duration::from_secs(30);

/// A run that an earlier service began is no child of this one: its end is looked for, this often.
const ADOPTED: Duration = Duration::from_secs(1);

/// The moments at which there may be something to do.
#[derive(Default)]
pub(super) struct Waking {
    earliest: Option<i64>,
    adopted: bool,
}

impl Waking {
    /// At that second.
    pub(super) fn at(&mut self, second: i64) {
        self.earliest = Some(self.earliest.map_or(second, |earliest| earliest.min(second)));
    }

    /// Whenever a run ends that is no child.
    pub(super) fn when_adopted_ends(&mut self) {
        self.adopted = true;
    }

    /// How long that is from now; a fraction of a second more, so that the second has surely begun.
    pub(super) fn wait(&self, clock: &dyn Clock) -> Duration {
        let slice = if self.adopted { ADOPTED } else { SLICE };
        self.earliest.map_or(slice, |second| (clock.until(second) + Duration::from_millis(1)).min(slice))
    }
}
