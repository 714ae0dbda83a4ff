//! A command of a host: what is run, as whom, where, and for how long at most.

use std::collections::BTreeMap;
use std::time::Duration;

use super::words::{GO_HOME, one_line, quoted};
use crate::failure::{Failure, FailureKind};

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// A program and its arguments, which no shell reads.
    Program(Vec<String>),
    /// A script for `sh`, which stops at the first command that fails and at variables that are not set.
    Shell(String),
}

/// A command of a host.
#[derive(Clone, Debug)]
pub struct RemoteCommand {
    /// What is run.
    pub work: Work,
    /// Changes to the environment: a value sets the variable, `None` removes it.
    pub env: BTreeMap<String, Option<String>>,
    /// The folder it runs in; the home of whoever runs it when `None`.
    pub cwd: Option<String>,
    /// What it reads; nothing when `None`.
    pub stdin: Option<Vec<u8>>,
    /// Who runs it, through `sudo -n`; whoever logs in when `None`.
    pub user: Option<String>,
    /// How long it may run; the host itself sees to it.
    pub timeout: Duration,
    /// How many bytes of the end of each stream to keep.
    pub keep: usize,
}

impl RemoteCommand {
    /// Refuses what a shell would understand as something else.
    pub fn check(&self) -> Result<(), Failure> {
        let wrong = |what: String| Err(Failure::new(FailureKind::Argument, what));
        let texts: Vec<&String> = match &self.work {
            Work::Program(argv) => argv.iter().collect(),
            Work::Shell(text) => vec![text],
        };
        let values = self.env.values().flatten();
        if texts.into_iter().chain(values).chain(&self.cwd).chain(&self.user).any(|text| text.contains('\0')) {
            return wrong("a word of the command holds a NUL byte".into());
        }
        if let Work::Program(argv) = &self.work
            && argv.first().is_none_or(|name| name.is_empty() || name.starts_with('-'))
        {
            return wrong("the argument list names no program".into());
        }
        for name in self.env.keys() {
            let is_name = name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            if name.is_empty() || !is_name || name.starts_with(|c: char| c.is_ascii_digit()) {
                return wrong(format!("`{}` cannot be the name of an environment variable", name.escape_debug()));
            }
        }
        match &self.user {
            Some(user) if user.is_empty() || user.starts_with('-') => wrong(format!("`{user}` is no user")),
            _ => Ok(()),
        }
    }

    /// The script that becomes the command, in one line; its input follows.
    pub(super) fn line(&self) -> String {
        let mut text = String::new();
        text.push_str(&self.place());
        text.push('\n');
        for (name, value) in &self.env {
            text.push_str(&match value {
                Some(value) => format!("export {name}={}\n", quoted(value)),
                None => format!("unset {name}\n"),
            });
        }
        match &self.work {
            Work::Program(argv) => {
                let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                text.push_str(&format!("exec {}", words.join(" ")));
            }
            Work::Shell(script) => text.push_str(&format!("set -eu\n{script}")),
        }
        one_line(&text)
    }

    /// Where it runs.
    fn place(&self) -> String {
        self.cwd.as_ref().map_or_else(|| GO_HOME.into(), |cwd| format!("cd -- {} || exit", quoted(cwd)))
    }

    /// What starts it where `"$@"` are the words that bound its time, and the script that it reads then, if any: a program is
    /// started without another shell, where that shows no more of it and no variable of it is there too early.
    pub(super) fn launch(&self) -> (String, Option<String>) {
        match &self.work {
            Work::Program(argv)
                if self.env.is_empty() && !argv.iter().chain(&self.cwd).any(|word| word.contains(['\n', '\r'])) =>
            {
                let place = self.place();
                let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                let name = &words[0];
                let missing = format!("command -v {name} >/dev/null || {{ echo {name}: not found >&2; exit 127; }}");
                (format!("{place}; {missing}; exec \"$@\" {}", words.join(" ")), None)
            }
            _ => (r#"exec "$@" /bin/sh -c 'IFS= read -r s && eval "$(printf %b "$s")"'"#.into(), Some(self.line())),
        }
    }

    /// The timeout as the host's `timeout` takes it.
    pub(super) fn seconds(&self) -> u64 {
        self.timeout.as_secs() + u64::from(self.timeout.subsec_nanos() > 0)
    }
}
