//! Where a thread stands in the tree of calls.
//!
//! A call's path is its parent's path, the branch where there are several, and its place among the calls there:
//! `3.1.2`. Each branch counts for itself, so paths are the same in every execution whatever the threads' timing.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::primitive::Cancel;

/// The inside of a call (or the top of the run), in which further calls are counted.
pub(super) struct Frame {
    /// The path of the call this is the inside of; empty at the top.
    pub(super) path: String,
    /// What people see: the innermost step's name.
    pub(super) step: String,
    /// Tells the calls inside to stop.
    pub(super) cancel: Cancel,
    /// What happened in here before this process took the run up.
    pub(super) past: Past,
    next: AtomicUsize,
    /// Blocks registered since the last call, to tell them apart.
    registered: AtomicUsize,
    /// Has a call been made in here by this process?
    live: AtomicBool,
}

/// What an earlier process did inside a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing: every call in here is new.
    None,
    /// Some of it; it goes on where the journal ends.
    Begun,
    /// All of it: whatever the journal does not have was not reached, and is not made up for.
    Ended,
    /// It does not count: what happens in here is not recorded at all.
    Aside,
}

impl Frame {
    pub(super) fn new(path: impl Into<String>, step: impl Into<String>, cancel: Cancel, past: Past) -> Arc<Self> {
        Arc::new(Self {
            path: path.into(),
            step: step.into(),
            cancel,
            past,
            next: AtomicUsize::new(1),
            registered: AtomicUsize::new(0),
            live: AtomicBool::new(matches!(past, Past::None | Past::Aside)),
        })
    }

    /// The path of the next call in here.
    pub(super) fn next_path(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.registered.store(0, Ordering::Relaxed);
        self.below(number)
    }

    /// A name for a block registered here and now (`undo`, `always`): the same in every execution, and in the order of
    /// the script whatever the threads' timing.
    pub(super) fn place(&self) -> Place {
        let mut numbers: Vec<usize> = self.path.split('.').filter_map(|part| part.parse().ok()).collect();
        numbers.push(self.next.load(Ordering::Relaxed));
        Place { numbers, among: self.registered.fetch_add(1, Ordering::Relaxed) }
    }

    /// Notes that this process makes a call in here: the past is over.
    pub(super) fn go_live(&self) {
        self.live.store(true, Ordering::Relaxed);
    }

    /// Is the past over in here?
    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    fn below(&self, number: usize) -> String {
        if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) }
    }
}

/// Where a block was registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    numbers: Vec<usize>,
    among: usize,
}

impl Place {
    /// Was it inside of that branch or call?
    pub(super) fn is_in(&self, path: &str) -> bool {
        let numbers: Vec<usize> = path.split('.').filter_map(|part| part.parse().ok()).collect();
        self.numbers.len() > numbers.len() && self.numbers.starts_with(&numbers)
    }
}

impl std::fmt::Display for Place {
    /// One part of a path, and unlike any call's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        f.write_str(&numbers.join("-"))?;
        if self.among > 0 { write!(f, "+{}", self.among) } else { Ok(()) }
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
