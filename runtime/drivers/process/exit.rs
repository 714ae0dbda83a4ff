use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::Tail;
use crate::failure::{Failure, FailureKind};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl End {
    /// What the operating system says about a process that is no more.
    pub fn of(status: ExitStatus) -> Self {
        let by_signal = status.signal().map(Self::Signal);
        status.code().map(Self::Code).or(by_signal).unwrap_or(Self::Code(0))
    }

    /// The exit code; for a signal 128 plus its number, as shells count.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// The name of the signal that ended it.
    pub fn signal(self) -> Option<String> {
        match self {
            Self::Code(_) => None,
            Self::Signal(signal) => Some(signal_name(signal)),
        }
    }
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub struct Exit {
    /// How it ended.
    pub end: End,
    /// The end of its standard output.
    pub stdout: Tail,
    /// The end of its standard error.
    pub stderr: Tail,
    /// Does something it started still hold its output, so that the rest was not read?
    pub held_open: bool,
    /// Was there no room on the disk for a part of its output? Only a kept program stores it there.
    pub incomplete: bool,
}

impl Exit {
    /// Did it end with code 0?
    pub fn is_ok(&self) -> bool {
        self.end == End::Code(0)
    }

    /// The failure of a program that should have ended well; `line` is its command line.
    pub fn failure(&self, line: &str) -> Failure {
        match self.end {
            End::Code(code) => {
                let failure = Failure::new(FailureKind::Exit, format!("`{line}` exited with code {code}"));
                match code {
                    126 => failure.hint("126 usually means a program was found that cannot be executed"),
                    127 => failure.hint("127 usually means a shell could not find a program"),
                    _ => failure,
                }
            }
            End::Signal(signal) => {
                let name = signal_name(signal);
                let failure = Failure::new(FailureKind::Exit, format!("`{line}` was killed by {name}"));
                match signal {
                    9 => failure.hint("the kernel kills like this when memory runs out: look for it in `dmesg`"),
                    _ => failure,
                }
            }
        }
    }
}

/// The name of a signal as `kill -l` prints it; numbers are those of Linux, the same on every architecture it names here.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
