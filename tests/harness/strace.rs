//! A program under `strace`: which system calls it makes, and a blow at one of them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What happens at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The process that makes it is killed, and the call does not happen.
    Kill,
    /// It fails with this error, once.
    Error(&'static str),
    /// It fails with this error from then on, as long as the program runs.
    Errors(&'static str),
}

/// A blow at the `when`-th call that one thread makes of a kind: the first thread that comes so far is hit.
#[derive(Clone, Debug)]
pub struct Injection {
    pub blow: Blow,
    pub syscall: String,
    pub when: usize,
    /// Only calls on this very file count.
    pub on: Option<PathBuf>,
}

impl Injection {
    /// The arguments of `strace`.
    pub fn arguments(&self) -> Vec<String> {
        let Self { blow, syscall, when, on } = self;
        let what = match blow {
            Blow::Kill => format!("signal=KILL:when={when}"),
            Blow::Error(error) => format!("error={error}:when={when}"),
            Blow::Errors(error) => format!("error={error}:when={when}+"),
        };
        let mut arguments = vec![format!("--trace={syscall}"), format!("--inject={syscall}:{what}")];
        arguments.extend(on.iter().map(|path| format!("--trace-path={}", path.display())));
        arguments
    }

    /// The command with the blow, and with three minutes to end in.
    pub fn around(&self, command: &Command) -> Command {
        strace(command, &["--output=/dev/null"], &self.arguments())
    }
}

/// One system call of a trace, in the order in which they began.
#[derive(Clone, Debug)]
pub struct Called {
    pub thread: u32,
    pub syscall: String,
    /// Its arguments, with the paths behind file descriptors.
    pub arguments: String,
}

/// The command with a record of these system calls in `output`.
pub fn recorded(command: &Command, output: &Path, syscalls: &[&str]) -> Command {
    let output = format!("--output={}", output.display());
    strace(command, &[&output, "--decode-fds=path", "--string-limit=200"], &[format!("--trace={}", syscalls.join(","))])
}

/// Reads such a record.
pub fn read(output: &Path) -> Vec<Called> {
    let text = String::from_utf8_lossy(&std::fs::read(output).unwrap()).into_owned();
    let call = |line: &str| {
        let (thread, rest) = line.split_once(' ')?;
        let (syscall, arguments) = rest.trim_start().split_once('(')?;
        let is_name = !syscall.is_empty() && syscall.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then(|| Called {
            thread: thread.parse().unwrap(),
            syscall: syscall.into(),
            arguments: arguments.into(),
        })
    };
    text.lines().filter_map(call).collect()
}

fn strace(command: &Command, options: &[&str], more: &[String]) -> Command {
    let mut traced = Command::new("timeout");
    traced.args(["--kill-after=5", "180", "strace", "--follow-forks", "--quiet=all", "--signal=none"]);
    traced.args(options).args(more).arg(command.get_program()).args(command.get_args());
    traced.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    traced.stdin(std::process::Stdio::null());
    traced
}
