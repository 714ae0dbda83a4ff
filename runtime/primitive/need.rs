use serde_json::Value;

use super::{unknown_of, unknown_text};

/// A kind of thing in the world that a call can need.
///
/// A handful of kinds for all primitives there will be: what is done on another machine needs that machine besides, and
/// what is done with a named service of it (an engine, a repository of backups) says what by a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeedKind {
    /// Another machine, or an engine on one: the name or address by which the script reaches it.
    Host,
    /// What a Docker engine has under this name: an application, or a container, image, network or volume.
    Docker,
    /// A program that is started: as a script names it, without its arguments.
    Command,
    /// An address that is asked over HTTP.
    Http,
    /// A file or folder that is looked into.
    Read,
    /// A file or folder that is made, changed or removed.
    Write,
    /// A secret whose value is put somewhere.
    Secret,
    /// An environment variable of the `runbook` process.
    Env,
}

/// One thing that a call needs to be granted before it may happen.
///
/// What depends on a value that is not known yet is marked as unknown in the text, as everywhere in a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// The kind.
    pub kind: NeedKind,
    /// Its name, address or path, as the script has it.
    pub what: String,
    /// What is done with it, for kinds that tell that apart: the name of the method.
    pub verb: Option<&'static str>,
}

impl Need {
    /// A machine by its name in the inventory, or an engine by its address.
    pub fn host(name: impl Into<String>) -> Self {
        Self::new(NeedKind::Host, name)
    }

    /// Something a Docker engine has, and what is done with it.
    pub fn docker(name: impl Into<String>, verb: &'static str) -> Self {
        Self { verb: Some(verb), ..Self::new(NeedKind::Docker, name) }
    }

    /// A program that is started.
    pub fn command(program: impl Into<String>) -> Self {
        Self::new(NeedKind::Command, program)
    }

    /// An address that is asked.
    pub fn http(url: impl Into<String>) -> Self {
        Self::new(NeedKind::Http, url)
    }

    /// A path that is looked into.
    pub fn read(path: impl Into<String>) -> Self {
        Self::new(NeedKind::Read, path)
    }

    /// A path that is made, changed or removed.
    pub fn write(path: impl Into<String>) -> Self {
        Self::new(NeedKind::Write, path)
    }

    /// A secret.
    pub fn secret(name: impl Into<String>) -> Self {
        Self::new(NeedKind::Secret, name)
    }

    /// An environment variable of the `runbook` process.
    pub fn variable(name: impl Into<String>) -> Self {
        Self::new(NeedKind::Env, name)
    }

    fn new(kind: NeedKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), verb: None }
    }

    /// Reading what a call works by, such as a compose file: inside the project that goes without saying, and this is
    /// `None`.
    pub fn read_outside(path: impl Into<String>) -> Option<Self> {
        let path = path.into();
        let leaves = path.starts_with('/') || path.split('/').any(|part| part == "..");
        leaves.then(|| Self::read(path))
    }
}

impl NeedKind {
    /// The word for it in headers and policies.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Docker => "docker",
            Self::Command => "command",
            Self::Http => "http",
            Self::Read => "read",
            Self::Write => "write",
            Self::Secret => "secret",
            Self::Env => "env",
        }
    }
}

/// A text among the values of a call as a need has it: one that is not known yet is marked.
pub fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => unknown_of(value).map(unknown_text).unwrap_or_default(),
        None => String::new(),
    }
}
