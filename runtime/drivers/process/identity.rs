use std::fmt;
use std::time::{Duration, SystemTime};

/// A process that no later one with the same number can be taken for, on the boot of the machine that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks after boot.
    pub started: u64,
}

impl Identity {
    /// That of a process that is there, be it as a zombie.
    pub fn of(pid: i32) -> Option<Self> {
        look(pid).map(|(_, started)| Self { pid, started })
    }

    /// Two numbers with a space between them, as [`Display`](fmt::Display) writes them.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// Does this very process still run?
    pub fn is_alive(self) -> bool {
        look(self.pid).is_some_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
}

/// Since when the machine has been up, as a name that no other boot of any machine has; `None` where the system does not
/// tell.
pub fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// When the machine was started, by its clock of now.
pub fn booted_at() -> Option<SystemTime> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_whitespace().next()?.parse().ok()?;
    SystemTime::now().checked_sub(Duration::try_from_secs_f64(seconds).ok()?)
}

/// Fields 3 and 22 of `/proc/PID/stat`, see `proc_pid_stat(5)`: state and start time. The name in parentheses may itself
/// hold spaces and parentheses.
fn look(pid: i32) -> Option<(char, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}
