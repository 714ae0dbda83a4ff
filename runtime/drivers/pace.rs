//! How much may travel in a second: what a line is shared with is not to notice that something large goes over it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How many requests may be on their way at a time, each of which gets its share alone.
const LINES: u64 = 16;
/// How long nobody is told that a turn is waited for.
const SIGN: Duration = Duration::from_secs(1);

/// How many bytes may travel in a second; nothing where nobody says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// From here.
    pub upload: Option<u64>,
    /// To here.
    pub download: Option<u64>,
}

/// The pace of everything that goes over one way, in either direction.
#[derive(Debug, Default)]
pub struct Paces {
    /// From here.
    pub up: Pace,
    /// To here.
    pub down: Pace,
}

/// Lets so many bytes pass in a second, whoever they belong to.
#[derive(Debug, Default)]
pub struct Pace {
    rate: Option<u64>,
    /// From when on the next ones may pass.
    free: Mutex<Option<Instant>>,
}

impl Paces {
    /// Nothing has passed yet.
    pub fn new(limits: Limits) -> Self {
        Self { up: Pace::new(limits.upload), down: Pace::new(limits.download) }
    }

    /// By how much longer it may take until so many bytes went either way.
    pub fn patience(&self, bytes: u64) -> Duration {
        self.up.patience(bytes).max(self.down.patience(bytes))
    }
}

impl Pace {
    fn new(rate: Option<u64>) -> Self {
        Self { rate, free: Mutex::default() }
    }

    /// Waits until these bytes may pass; `waiting` is told each second that it is waited for nothing but that.
    pub async fn pass(&self, bytes: usize, mut waiting: impl FnMut()) {
        let Some(turn) = self.turn(bytes, Instant::now()) else { return };
        loop {
            let left = turn.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting();
            sleep(left.min(SIGN)).await;
        }
    }

    /// When their turn is: those behind them wait for as long as they take.
    fn turn(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = free.map_or(now, |free| free.max(now));
        *free = Some(turn + taking(bytes as u64, rate));
        Some(turn)
    }

    fn patience(&self, bytes: u64) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| taking(bytes.saturating_mul(LINES), rate))
    }
}

fn taking(bytes: u64, rate: u64) -> Duration {
    Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_share_what_passes_in_a_second_and_nothing_is_saved_up() {
        let pace = Pace::new(Some(1000));
        let start = Instant::now();
        let after = |bytes: usize, now: u64| {
            pace.turn(bytes, start + Duration::from_millis(now)).unwrap().duration_since(start).as_millis()
        };
        assert_eq!([after(500, 0), after(500, 0), after(4000, 100)], [0, 500, 1000]);
        assert_eq!([after(1000, 60_000), after(1, 60_000)], [60_000, 61_000]);
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_says_so_and_nobody_else_waits() {
        let pace = Pace::new(Some(100_000));
        let (start, mut signs) = (Instant::now(), 0);
        pace.pass(150_000, || panic!("the first one waits for nobody")).await;
        pace.pass(1, || signs += 1).await;
        assert!(start.elapsed() >= Duration::from_millis(1500) && signs == 2, "{signs} in {:?}", start.elapsed());
        Paces::default().up.pass(usize::MAX, || panic!("there is no limit")).await;
        assert_eq!(Paces::default().patience(u64::MAX), Duration::ZERO);
    }
}
