//! The process that holds a lock: how it is told apart from every other, and whether it still lives.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// A process, recognisable from every machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HolderProcess {
    /// The machine's name.
    pub machine: String,
    /// `/etc/machine-id`, where it can be read.
    pub machine_id: Option<String>,
    /// The kernel's name for the time since it booted.
    pub boot_id: Option<String>,
    /// The name space its number is of: containers count their processes for themselves.
    pub pid_namespace: Option<String>,
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks after boot: numbers are used again, numbers with a start are not.
    pub started: Option<i64>,
}

/// What can be said about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It exists, running or stopped.
    Exists,
    /// It is gone, and will do nothing any more.
    Gone,
    /// Of this machine as far as its id tells, but not of the present boot.
    OfAnotherBoot,
    /// It cannot be seen from here.
    Unknown,
}

impl HolderProcess {
    /// This process.
    pub fn current() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
        Self {
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            machine_id: read("/etc/machine-id").filter(|id| !id.is_empty()),
            boot_id: read("/proc/sys/kernel/random/boot_id"),
            pid_namespace: namespace.map(|path| path.to_string_lossy().into_owned()),
            pid: rustix::process::getpid().as_raw_nonzero().get(),
            started: Stat::of("self").map(|stat| stat.started),
        }
    }

    /// Does this process live, seen from the process `me`?
    pub(super) fn life(&self, me: &Self) -> Life {
        if self.machine_id != me.machine_id || self.boot_id.is_none() {
            return Life::Unknown;
        }
        if self.boot_id != me.boot_id {
            return if self.machine_id.is_some() { Life::OfAnotherBoot } else { Life::Unknown };
        }
        if self.pid_namespace.is_none() || self.pid_namespace != me.pid_namespace {
            return Life::Unknown;
        }
        self.life_here()
    }

    /// Asks the kernel first: `/proc` may hide the processes of others, the answer to a signal does not.
    fn life_here(&self) -> Life {
        let Some(pid) = Pid::from_raw(self.pid) else { return Life::Unknown };
        if test_kill_process(pid) == Err(Errno::SRCH) {
            return Life::Gone;
        }
        match (Stat::of(&self.pid.to_string()), self.started) {
            (Some(stat), Some(started)) if stat.started != started || stat.is_over => Life::Gone,
            (Some(_), Some(_)) => Life::Exists,
            _ => Life::Unknown,
        }
    }
}

/// Part of `/proc/PID/stat`, see `proc_pid_stat(5)`.
struct Stat {
    /// Field 22, ticks after boot.
    started: i64,
    /// Its last thread has ended, and only its parent has not asked yet how.
    is_over: bool,
}

impl Stat {
    fn of(process: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name in parentheses may itself hold spaces and parentheses.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let (state, threads, started) = (*fields.first()?, *fields.get(17)?, fields.get(19)?);
        let is_over = matches!(state, "Z" | "X") && matches!(threads, "0" | "1");
        Some(Self { started: started.parse().ok()?, is_over })
    }
}

/// Seconds since this machine booted, times of suspension included.
pub(super) fn uptime() -> u64 {
    u64::try_from(rustix::system::sysinfo().uptime).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_only_where_its_number_means_something() {
        let me = HolderProcess::current();
        assert_eq!(me.life(&me), Life::Exists);
        let reused = HolderProcess { started: me.started.map(|ticks| ticks - 1), ..me.clone() };
        assert_eq!(reused.life(&me), Life::Gone);
        let gone = HolderProcess { pid: i32::MAX, ..me.clone() };
        assert_eq!(gone.life(&me), Life::Gone);
        let in_a_container = HolderProcess { pid_namespace: Some("pid:[1]".into()), ..gone.clone() };
        assert_eq!(in_a_container.life(&me), Life::Unknown);
        let before = HolderProcess { boot_id: Some("earlier".into()), ..me.clone() };
        let with_id = |process: &HolderProcess| HolderProcess { machine_id: Some("m".into()), ..process.clone() };
        assert_eq!(with_id(&before).life(&with_id(&me)), Life::OfAnotherBoot);
        assert_eq!(HolderProcess { boot_id: None, ..gone.clone() }.life(&me), Life::Unknown);
        assert_eq!(HolderProcess { machine_id: Some("elsewhere".into()), ..gone }.life(&me), Life::Unknown);
    }

    #[test]
    fn a_zombie_is_gone_and_one_whose_other_threads_go_on_is_not() {
        let stat = |state: &str, threads: u32| {
            let line = format!("7 (a) b) {state} 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0");
            Stat::parse(&line).map(|stat| (stat.started, stat.is_over))
        };
        assert_eq!(stat("S", 1), Some((4711, false)));
        assert_eq!(stat("T", 4), Some((4711, false)));
        assert_eq!(stat("Z", 0), Some((4711, true)));
        assert_eq!(stat("Z", 1), Some((4711, true)));
        assert_eq!(stat("Z", 3), Some((4711, false)));
    }
}
