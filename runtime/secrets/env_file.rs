//! Environment files (`.env`) in the dialects of those who read them, who agree on little more than `NAME=value`.
//!
//! There is one reader per dialect, made from the rules of the real one, and one writer for all: it takes the first form of
//! a value that every reader asked for reads back as exactly that value. Where there is none, the variable is refused, and
//! the text that comes out has been read back as a whole. No value is ever part of a message.

mod compose;
mod docker;
mod dotenv;
mod forms;
mod systemd;
mod write;

use std::fmt;
use std::ops::Range;

pub use write::Contents;

/// Whose rules a file follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Docker Compose v2: its `.env`, `--env-file` and `env_file:`.
    Compose,
    /// `docker run --env-file`.
    Docker,
    /// `EnvironmentFile=` of a systemd unit.
    Systemd,
    /// A POSIX shell that sources the file, and most libraries named after it.
    Dotenv,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Compose, Self::Docker, Self::Systemd, Self::Dotenv];

    /// The name in scripts: `compose`, `docker`, `systemd`, `dotenv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::Docker => "docker",
            Self::Systemd => "systemd",
            Self::Dotenv => "dotenv",
        }
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// What the program that reads this dialect makes of a file; a name may come twice, and then the last one counts.
    ///
    /// A file whose values depend on more than itself, or that the program would refuse or read in part, is a fault.
    pub fn read(self, text: &str) -> Result<Vec<Assignment>, Fault> {
        self.rules().read(text)
    }

    /// The value as it stands after `NAME=`, so that the reader reads back this value; `None` where there is no such form.
    pub fn quoted(self, value: &str) -> Option<String> {
        forms::form_for(&[self], "V", value)
    }

    fn rules(self) -> &'static dyn Rules {
        match self {
            Self::Compose => &compose::Compose,
            Self::Docker => &docker::Docker,
            Self::Systemd => &systemd::Systemd,
            Self::Dotenv => &dotenv::Dotenv,
        }
    }
}

/// One variable of a file, as its reader sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// The lines it stands on, counted from 0.
    pub lines: Range<usize>,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment").field("name", &self.name).field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// Why a file is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there, without any value.
    pub message: String,
}

/// How one program reads environment files.
trait Rules: Sync {
    /// The program, as in "`docker run --env-file` reads one line per variable".
    fn program(&self) -> &'static str;

    /// What it makes of a file.
    fn read(&self, text: &str) -> Result<Vec<Assignment>, Fault>;

    /// Why a variable cannot have this name.
    fn refuses_name(&self, name: &str) -> Option<String>;

    /// Why no line of a file can give the variable this value, where that has a reason of its own.
    fn refuses_value(&self, name: &str, value: &str) -> Option<String>;
}

/// A letter or `_`, and then letters, digits, `_` and what else is in `more`.
fn is_name(name: &str, more: &[char]) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || more.contains(&c))
}
