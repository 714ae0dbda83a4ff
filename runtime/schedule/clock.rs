use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::journal::ClockReading;

/// What tells the time.
pub trait Clock {
    /// What it shows now.
    fn read(&self) -> ClockReading;

    /// How long until it shows that second; nothing when it shows it, or a later one.
    fn until(&self, second: i64) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn read(&self) -> ClockReading {
        ClockReading {
            wall: Timestamp::now().as_second(),
            // Goes on while the machine sleeps, and is set by nobody.
            up: clock_gettime(UP).tv_sec,
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
        }
    }

    fn until(&self, second: i64) -> Duration {
        let now = Timestamp::now();
        let whole = Duration::from_secs(u64::try_from(second - now.as_second()).unwrap_or(0));
        whole.saturating_sub(Duration::from_nanos(u64::try_from(now.subsec_nanosecond()).unwrap_or(0)))
    }
}

#[cfg(target_os = "linux")]
const UP: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const UP: ClockId = ClockId::Monotonic;
