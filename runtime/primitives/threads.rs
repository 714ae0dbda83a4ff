//! Threads in which the branches of a script are at work beside each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use crate::primitive::{Failure, FailureKind, STACK};

/// Branches at work at the same time, in the whole process.
const MOST: usize = 256;

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Does the work in so many threads at once, or in as many as may still be started, and waits until all are done.
///
/// `gives_up` is called when one could not be started, before those that were are waited for.
pub(super) fn beside_each_other(wanted: usize, work: impl Fn() + Sync, gives_up: impl Fn()) -> Result<(), Failure> {
    if wanted == 0 {
        return Ok(());
    }
    let places = Places::take(wanted)?;
    std::thread::scope(|scope| {
        for _ in 0..places.0 {
            let thread = Builder::new().name("branch".into()).stack_size(STACK);
            thread.spawn_scoped(scope, &work).map_err(|error| {
                gives_up();
                Failure::system("start a thread", &error)
            })?;
        }
        Ok(())
    })
}

/// So many of the branches that may be at work.
#[derive(Debug)]
struct Places(usize);

impl Places {
    fn take(wanted: usize) -> Result<Self, Failure> {
        let mut taken = 0;
        let free = |at_work: usize| {
            taken = wanted.min(MOST.saturating_sub(at_work));
            (taken > 0).then_some(at_work + taken)
        };
        let found = AT_WORK.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok();
        found.then_some(Self(taken)).ok_or_else(|| {
            let message = format!("{MOST} branches are at work at once already, and no more are begun");
            Failure::new(FailureKind::Invalid, message)
                .hint("is there a `parallel` inside of a `parallel` without end?")
        })
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(self.0, Ordering::Relaxed);
    }
}
