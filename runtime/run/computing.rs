//! How long a script computes without waiting for anything, and how much memory it takes for that.
//!
//! Operations are counted, but one of them may be long: each time a list or map is put into another one, all that is in it
//! is measured. So the time counts as well, that of the processor, so that a busy machine takes nothing from a script.
//! What is assigned to a key of a map is measured by nobody, so the memory of the process counts, too.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The longest that a thread of a script computes between two calls.
const LONGEST: Duration = Duration::from_secs(30);

/// What is said of a script that computes for longer, or uses too many operations.
pub(super) const TOO_LONG: &str =
    "the script computed too long without waiting for anything: is there an endless loop?";

/// What is said of one that holds too much.
const TOO_MUCH: &str = "the script takes too much memory: does a map or a list grow without end?";

/// The clock is read after so many operations: reading it takes longer than most of them.
const BETWEEN: u32 = 64;

/// The memory is asked for after so many operations: that takes a system call or three.
const BETWEEN_LOOKS: u32 = 4096;

/// The most memory by which the process grows between two calls of a script, in bytes.
const MOST_MORE: u64 = 256 << 20;

/// The most memory that the process has while a script computes, in bytes. Calls at work beside it have theirs.
const MOST: u64 = 2 << 30;

thread_local! {
    /// When the last call of this thread was done, by its own clock.
    static SINCE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static OPERATIONS: Cell<u32> = const { Cell::new(0) };
    /// The memory of the process at the first look after that call.
    static HELD: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A call was made: what it computed is not the script's.
pub(super) fn begins_anew() {
    SINCE.set(used());
    HELD.set(None);
}

/// Asked after each operation: has the script been computing for too long, or does it hold too much? Says what is wrong.
pub(super) fn is_endless() -> Option<&'static str> {
    let operations = OPERATIONS.get().wrapping_add(1);
    OPERATIONS.set(operations);
    if operations.is_multiple_of(BETWEEN) && takes_longer_than(LONGEST) {
        return Some(TOO_LONG);
    }
    (operations.is_multiple_of(BETWEEN_LOOKS) && holds_too_much(held(), MOST_MORE)).then_some(TOO_MUCH)
}

fn takes_longer_than(longest: Duration) -> bool {
    used().saturating_sub(SINCE.get()) > longest
}

fn holds_too_much(held: u64, most_more: u64) -> bool {
    let before = HELD.get().unwrap_or(held);
    HELD.set(Some(before));
    held > MOST || held.saturating_sub(before) > most_more
}

/// The memory of the process, in bytes; 0 where that cannot be found out.
fn held() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default();
    kibibytes << 10
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
        assert!(!takes_longer_than(long));
        while used() < SINCE.get() + long {}
        assert!(takes_longer_than(long));
        std::thread::sleep(long);
        begins_anew();
        assert!(!takes_longer_than(long), "waiting is no computing");
    }

    #[test]
    fn memory_counts_from_the_last_call_on_and_in_all() {
        assert!(held() > 1 << 20, "{}", held());
        begins_anew();
        assert!(!holds_too_much(1000, 100) && !holds_too_much(1100, 100));
        assert!(holds_too_much(1101, 100));
        begins_anew();
        assert!(!holds_too_much(1101, 100), "what was held before");
        assert!(holds_too_much(MOST + 1, u64::MAX));
    }
}
