//! Why something failed, for a person: shared by everything below the contract, so it knows nothing itself.

mod finding;
mod near;
mod written;

use std::any::Any;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use finding::{Finding, Findings, Fix, Rule, Severity};
pub use near::nearest;
pub use written::{in_plain_words, position, unknown_name};

/// What kind of thing went wrong; a script reads it as `error.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A positional argument has the wrong type or value.
    Argument,
    /// An option is unknown or has the wrong type or value.
    Option,
    /// Something named does not exist: a file, an image, a container, a service.
    NotFound,
    /// Something is in the way: a port or name already taken, a lock held by somebody else.
    Conflict,
    /// A deadline passed.
    Timeout,
    /// A credential was refused or lacking.
    Unauthorized,
    /// A command or container ended with a code other than 0.
    Exit,
    /// A check answered, and the answer is not what was expected.
    Check,
    /// A file, environment file, compose file or template is not valid.
    Invalid,
    /// The other side cannot be reached.
    Unreachable,
    /// A person or the policy said no.
    Refused,
    /// A secret stands where none may, is lacking, or only a piece of it is left.
    Secret,
    /// The run was told to stop.
    Cancelled,
    /// Raised by the script itself with `throw`.
    Thrown,
    /// The run stops here, as it is, to be gone on with later: it waits for a person, its journal cannot be written, the
    /// script is no longer what the journal says. Never handled, and nothing is undone.
    Halted,
    /// Not an error: `return`, `break` or `exit` on its way out of a block. Never handled, always passed on.
    Control,
    /// Anything else the operating system or an engine reported.
    System,
}

/// A piece of what was seen when a call failed: the last lines of a log, an HTTP answer, a container's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is: `last lines of api`, `health log`, `answer`.
    pub title: String,
    /// The text, already cut to a readable length.
    pub text: String,
}

/// Why a call failed, for a person: what failed and where, what was seen, what to do next.
#[derive(Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The kind, on which scripts and exit codes decide.
    pub kind: FailureKind,
    /// Lower case, no final period, literals in backticks.
    pub message: String,
    /// What to do next, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Is it certain that the call had not begun, so that it changed nothing?
    #[serde(skip)]
    pub nothing_begun: bool,
    /// The script engine's own error when this failure came out of a block; only `script/` looks inside.
    #[serde(skip)]
    pub carried: Option<Arc<dyn Any + Send + Sync>>,
}

impl Failure {
    /// A failure with nothing but a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
            evidence: Vec::new(),
            nothing_begun: false,
            carried: None,
        }
    }

    /// A failure of the operating system; `what` completes the sentence "cannot …".
    pub fn system(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => FailureKind::NotFound,
            std::io::ErrorKind::TimedOut => FailureKind::Timeout,
            _ => FailureKind::System,
        };
        Self::new(kind, format!("cannot {what}: {}", Self::reason(error)))
    }

    /// What the operating system says, without its number.
    pub fn reason(error: &std::io::Error) -> String {
        match error.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            std::io::ErrorKind::StorageFull => "no space left on device".to_owned(),
            std::io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
            std::io::ErrorKind::AddrInUse => "something else listens there".to_owned(),
            _ => {
                let text = error.to_string();
                text.rsplit_once(" (os error ").map_or(text.clone(), |(words, _)| words.to_owned())
            }
        }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what was seen.
    #[must_use]
    pub fn evidence(mut self, title: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence { title: title.into(), text: text.into() });
        self
    }

    /// Hands every text of the failure to `change`: the redactor.
    pub fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        change(&mut self.message);
        self.hints.iter_mut().for_each(&mut *change);
        for item in &mut self.evidence {
            change(&mut item.title);
            change(&mut item.text);
        }
    }

    /// Must this travel on untouched (a `return` or `break`, a cancellation, the run standing still)?
    pub fn is_passing_through(&self) -> bool {
        matches!(self.kind, FailureKind::Control | FailureKind::Cancelled | FailureKind::Halted)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))?;
        self.evidence.iter().try_for_each(|item| write!(f, "\n  {}: {}", item.title, item.text))
    }
}

impl std::error::Error for Failure {}
