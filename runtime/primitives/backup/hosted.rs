//! Folders and SQLite databases of hosts that are reached over SSH: read and written as archives by the tools that every host has, so that
//! nothing of ours needs to be there.

mod database;
mod folder;
mod placing;
mod reading;

use std::sync::Arc;

use serde_json::Value;

use crate::drivers::process::Stream;
use crate::drivers::ssh::{Hosts, Script, Target};
use crate::primitive::{Context, Failure, FailureKind, Need, kind_of, target_named, text_of};

pub use placing::{Placing, There};

/// How much of what a host complains about is kept. Of more than that, not everything could be told to be harmless.
const MOST_COMPLAINTS: usize = 64 << 10;

/// A path of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    host: String,
    /// Who works there, through `sudo -n`; whoever logs in when `None`.
    user: Option<String>,
    /// Absolute, or relative to the home of whoever works there.
    pub path: String,
}

impl Hosted {
    /// A path of a host that is given as an `ssh` handle or by its name.
    pub fn new(host: &Value, path: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Err(Failure::new(FailureKind::Argument, what.to_owned()));
        let (host, user) = match (kind_of(host), host) {
            (Some("ssh"), handle) => {
                (text_of(handle.get("name")), handle.get("user").and_then(Value::as_str).map(str::to_owned))
            }
            (None, Value::String(name)) => (name.clone(), None),
            _ => return wrong("`host` must be an ssh handle or the name of a host"),
        };
        let path = if path == "/" { path } else { path.trim_end_matches('/') };
        if path.is_empty() || path.contains(['\0', '\n']) {
            return wrong("the path on the host must be one line that names something");
        }
        Ok(Self { host, user, path: path.to_owned() })
    }

    /// What reaching it needs, as it is written.
    pub fn need(host: &Value) -> Need {
        Need::host(if kind_of(host) == Some("ssh") { text_of(host.get("name")) } else { text_of(Some(host)) })
    }

    /// In words.
    pub fn shown(&self) -> String {
        format!("{}:{}", self.host, self.path)
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where a path lies below this one.
    pub fn below(&self, host: &str, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&self.path).filter(|_| host == self.host)?;
        let rest = if self.path == "/" { Some(rest) } else { rest.strip_prefix('/') };
        rest.map(|rest| rest.trim_matches('/').to_owned()).filter(|rest| !rest.is_empty())
    }

    /// Another path of the same host.
    fn at(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }

    /// The way there.
    fn way(&self, context: &Context<'_>) -> Result<Way, Failure> {
        let target = target_named(context.project.file(), &self.host)?;
        Ok(Way { hosts: context.drivers.shared_ssh(), target, user: self.user.clone() })
    }
}

/// How something is run on a host.
#[derive(Clone)]
struct Way {
    hosts: Arc<Hosts>,
    target: Target,
    user: Option<String>,
}

/// What a script said at its end.
struct Spoken {
    /// Its last words.
    words: String,
    /// What it complained about.
    complaints: String,
}

impl Way {
    fn script(&self, text: &str) -> Script {
        Script::new(format!("cd 2>/dev/null\nexport LC_ALL=C\n{text}")).run_by(self.user.as_deref())
    }

    /// Runs a script that reads `input`, and hands on what it prints. The words `failed WHY` and `absent PATH` are failures.
    async fn run(
        &self,
        text: &str,
        input: Vec<u8>,
        on_bytes: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Spoken, Failure> {
        let mut complaints = Vec::new();
        let script = self.script(text).reading(input);
        let mut on_output = |stream, bytes: &[u8]| match stream {
            Stream::Stdout => on_bytes(bytes),
            Stream::Stderr => {
                let room = MOST_COMPLAINTS.saturating_sub(complaints.len());
                complaints.extend_from_slice(&bytes[..room.min(bytes.len())]);
            }
        };
        let words = self.hosts.script(&self.target, &script, &mut on_output).await?.words;
        let complaints = String::from_utf8_lossy(&complaints).trim().to_owned();
        match words.split_once(' ').unwrap_or((&words, "")) {
            ("failed", why) if complaints.is_empty() => Err(self.failure(why)),
            ("failed", _) => Err(self.failure(&complaints)),
            ("absent", path) => {
                let message = format!("there is no `{path}` on `{}`", self.target.name);
                Err(Failure::new(FailureKind::NotFound, message))
            }
            _ => Ok(Spoken { words, complaints }),
        }
    }

    /// Runs a script of which only the few bytes matter that it prints.
    async fn ask(&self, text: &str) -> Result<String, Failure> {
        let mut said = Vec::new();
        self.run(text, Vec::new(), &mut |bytes| said.extend_from_slice(bytes)).await?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }

    fn failure(&self, why: &str) -> Failure {
        Failure::new(FailureKind::System, format!("`{}`: {why}", self.target.name))
    }
}

#[cfg(test)]
mod tests {
    use super::Hosted;

    #[test]
    fn what_lies_below_is_told_by_whole_names() {
        let folder = |path: &str| Hosted::new(&"web".into(), path).unwrap();
        assert_eq!(folder("/srv/").below("web", "/srv/backups/"), Some("backups".into()));
        assert_eq!(folder("/").below("web", "/srv"), Some("srv".into()));
        assert_eq!(folder("/srv").below("db", "/srv/backups"), None);
        assert_eq!(folder("/srv").below("web", "/srv-2/backups"), None);
        assert_eq!(folder("/srv").below("web", "/srv"), None);
        assert!(Hosted::new(&"web".into(), "").is_err() && Hosted::new(&1.into(), "/srv").is_err());
    }
}
