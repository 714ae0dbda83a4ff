//! How long a script computes without waiting for anything.
//!
//! Operations are counted, but one of them may be long: each time a list or map is put into another one, all that is in it
//! is measured. So the time counts as well, that of the processor, so that a busy machine takes nothing from a script.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The longest that a thread of a script computes between two calls.
const LONGEST: Duration = Duration::from_secs(30);

/// The clock is read after so many operations: reading it takes longer than most of them.
const BETWEEN: u32 = 64;

thread_local! {
    /// When the last call of this thread was done, by its own clock.
    static SINCE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static OPERATIONS: Cell<u32> = const { Cell::new(0) };
}

/// A call was made: what it computed is not the script's.
pub(super) fn begins_anew() {
    SINCE.set(used());
}

/// Asked after each operation: has the script been computing for too long?
pub(super) fn is_endless() -> bool {
    takes_longer_than(LONGEST)
}

fn takes_longer_than(longest: Duration) -> bool {
    let operations = OPERATIONS.get().wrapping_add(1);
    OPERATIONS.set(operations);
    operations.is_multiple_of(BETWEEN) && used().saturating_sub(SINCE.get()) > longest
}

/// The time that this thread has had of a processor.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_from_the_last_call_on() {
        let long = Duration::from_millis(20);
        begins_anew();
        assert!(!(0..BETWEEN).any(|_| takes_longer_than(long)));
        while used() < SINCE.get() + long {}
        assert!((0..=BETWEEN).any(|_| takes_longer_than(long)));
        std::thread::sleep(long);
        begins_anew();
        assert!(!(0..BETWEEN).any(|_| takes_longer_than(long)), "waiting is no computing");
    }
}
