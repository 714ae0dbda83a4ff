//! How far something is that takes long, for whoever wants to look.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::tally::{Count, Rights};

/// Over how long it is measured how fast something goes.
const WINDOW: Duration = Duration::from_secs(30);
/// How often whoever watches is told.
const EVERY: Duration = Duration::from_millis(500);
/// How long something has to have gone on before anybody says how long it still takes.
const SETTLED: Duration = Duration::from_secs(2);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// What is saved or restored, before it is packed or after it was unpacked.
    Content,
    /// What is read of the repository's own files.
    Read,
    /// What is written of them.
    Written,
}

/// Counts bytes, of one flow at a time. Whoever looks sees how far it is, and about how long it still takes.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Option<Stage>>);

#[derive(Debug)]
struct Stage {
    doing: &'static str,
    flow: Flow,
    done: u64,
    total: Option<u64>,
    began: Instant,
    /// How much was done when somebody looked, the oldest first.
    seen: VecDeque<(Instant, u64)>,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// What goes on.
    pub doing: &'static str,
    /// Bytes so far.
    pub done: u64,
    /// Out of so many, where that is known.
    pub total: Option<u64>,
    /// How many seconds it takes from now, as fast as it went in the last half minute.
    pub left: Option<u64>,
}

impl Meter {
    /// From now on, this is done, to so much of that.
    pub fn begin(&self, doing: &'static str, flow: Flow, total: Option<u64>) {
        let began = Instant::now();
        let total = total.filter(|total| *total > 0);
        let stage = Stage { doing, flow, done: 0, total, began, seen: VecDeque::from([(began, 0)]) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
    }

    /// It is known now how much there is.
    pub(super) fn expect(&self, total: u64) {
        if let Some(stage) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            stage.total = Some(total);
        }
    }

    /// So much more was done.
    pub(super) fn count(&self, flow: Flow, bytes: usize) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = stage.as_mut().filter(|stage| stage.flow == flow) {
            stage.done += bytes as u64;
        }
    }

    /// How far it is now; nothing while nothing takes long.
    pub fn look(&self) -> Option<Reach> {
        self.look_at(Instant::now())
    }

    /// Does some work, and tells while it goes on how far it is.
    pub fn watch<T>(&self, tell: &(dyn Fn(Reach) + Sync), work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let (over, is_over) = channel::<()>();
            scope.spawn(move || {
                let mut last = None;
                while is_over.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    let reach = self.look();
                    if reach != last {
                        reach.clone().into_iter().for_each(tell);
                    }
                    last = reach;
                }
            });
            let done = work();
            drop(over);
            done
        })
    }

    fn look_at(&self, now: Instant) -> Option<Reach> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage { doing, done, total, began, seen, .. } = stage.as_mut()?;
        // What was expected to be all was not.
        let total = total.filter(|total| *total >= *done);
        while seen.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            seen.pop_front();
        }
        let (since, before) = seen.front().copied().unwrap_or((*began, 0));
        let (passed, moved) = (now.duration_since(since), done.saturating_sub(before));
        seen.push_back((now, *done));
        let is_settled = now.duration_since(*began) >= SETTLED && moved > 0;
        let left = total.filter(|_| is_settled).map(|total| {
            let micros = u128::from(total - *done) * passed.as_micros() / u128::from(moved);
            u64::try_from(micros / 1_000_000).unwrap_or(u64::MAX)
        });
        Some(Reach { doing, done: *done, total, left })
    }
}

/// Counts, and lets a meter know.
pub struct Metered<'a, C>(pub C, pub &'a Meter);

impl<C: Count> Count for Metered<'_, C> {
    fn file(&mut self, path: &Path, rights: Rights, bytes: u64, hash: &[u8]) {
        self.1.count(Flow::Content, usize::try_from(bytes).unwrap_or(usize::MAX));
        self.0.file(path, rights, bytes, hash);
    }

    fn folder(&mut self, path: &Path, rights: Rights) {
        self.0.folder(path, rights);
    }

    fn link(&mut self, path: &Path, target: &Path, rights: Rights) {
        self.0.link(path, target, rights);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_the_last_half_minute() {
        let meter = Meter::default();
        assert_eq!(meter.look(), None);
        meter.begin("saving", Flow::Content, Some(1000));
        let start = Instant::now();
        let at = |seconds: u64| {
            let reach = meter.look_at(start + Duration::from_secs(seconds)).unwrap();
            (reach.done, reach.total, reach.left)
        };
        meter.count(Flow::Written, 500);
        meter.count(Flow::Content, 100);
        assert_eq!(at(1), (100, Some(1000), None));
        assert_eq!(at(10), (100, Some(1000), Some(90)));
        // Slow at first: what counts is how it went lately.
        for second in 41..=60 {
            meter.count(Flow::Content, 20);
            at(second);
        }
        // 380 in 30 seconds, and 500 to go.
        assert_eq!(at(71), (500, Some(1000), Some(39)));
        meter.count(Flow::Content, 600);
        assert_eq!(at(72), (1100, None, None));
        meter.begin("comparing", Flow::Content, None);
        assert_eq!(meter.look().unwrap(), Reach { doing: "comparing", done: 0, total: None, left: None });
    }
}
