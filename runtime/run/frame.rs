//! Where a thread stands in the tree of calls.
//!
//! A call's path is its parent's path, the branch where there are several, and its place among the calls there:
//! `3.1.2`. Each branch counts for itself, so paths are the same in every execution whatever the threads' timing.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::primitive::Cancel;

/// The inside of a call (or the top of the run), in which further calls are counted.
pub(super) struct Frame {
    /// The path of the call this is the inside of; empty at the top.
    pub(super) path: String,
    /// What people see: the innermost step's name.
    pub(super) step: String,
    /// Tells the calls inside to stop.
    pub(super) cancel: Cancel,
    next: AtomicUsize,
}

impl Frame {
    pub(super) fn new(path: impl Into<String>, step: impl Into<String>, cancel: Cancel) -> Arc<Self> {
        Arc::new(Self { path: path.into(), step: step.into(), cancel, next: AtomicUsize::new(1) })
    }

    /// The path of the next call in here.
    pub(super) fn next_path(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Frame>>> = const { RefCell::new(None) };
}

/// The frame this thread is in.
pub(super) fn current() -> Option<Arc<Frame>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Runs `work` inside a frame, and comes back to the one before whatever happens.
pub(super) fn inside<T>(frame: Arc<Frame>, work: impl FnOnce() -> T) -> T {
    let _back = Back(CURRENT.replace(Some(frame)));
    work()
}

struct Back(Option<Arc<Frame>>);

impl Drop for Back {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}
