//! The last sign of life of a run that is silent: its lock file is touched each second.
//!
//! Nothing is decided by it, it only tells afterwards how long a run went on whose process was killed.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

const EACH: Duration = Duration::from_secs(1);

/// Touches a file until dropped.
#[derive(Debug)]
pub(super) struct Pulse {
    _stop: Option<Sender<()>>,
}

impl Pulse {
    /// Begins. Without a thread for it the run goes on all the same.
    pub(super) fn of(file: &Arc<File>) -> Self {
        let (stop, stopped) = mpsc::channel::<()>();
        // Not a second owner of the file: closing it is what lets go of its lock.
        let file = Arc::downgrade(file);
        let beat = move || {
            while stopped.recv_timeout(EACH) == Err(RecvTimeoutError::Timeout) {
                touch(&file);
            }
        };
        let thread = std::thread::Builder::new().name("sign of life".into()).spawn(beat);
        Self { _stop: thread.ok().map(|_| stop) }
    }
}

fn touch(file: &Weak<File>) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    if let Some(file) = file.upgrade() {
        let _ = futimens(&*file, &Timestamps { last_access: now, last_modification: now });
    }
}

/// When the file at `path` was touched last; none when it is not there, or when that is still to come.
pub(super) fn last(path: &Path) -> Option<Timestamp> {
    let at = path.metadata().ok()?.modified().ok().filter(|at| *at <= SystemTime::now())?;
    Timestamp::try_from(at).ok()
}
