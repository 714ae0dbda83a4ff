use std::path::Path;

use super::{LARGEST, SecretText, Source, without_line_break};
use crate::drivers::{Drivers, process};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// A program that prints one value: `op read op://prod/{name}/password`, `pass show shop/{env}/{name}`.
pub(super) struct Command {
    argv: Vec<String>,
    timeout: Span,
    names: Option<Vec<String>>,
    environment: String,
    template: process::Command,
    drivers: Drivers,
}

impl Command {
    /// A program to start in the project's folder, without a shell.
    pub(super) fn new(
        argv: &[String],
        timeout: Span,
        names: Option<&[String]>,
        environment: &str,
        root: &Path,
    ) -> Self {
        let template =
            process::Command { cwd: Some(root.to_owned()), keep: LARGEST + 2, ..process::Command::default() };
        Self {
            argv: argv.to_vec(),
            timeout,
            names: names.map(<[String]>::to_vec),
            environment: environment.to_owned(),
            template,
            drivers: Drivers::default(),
        }
    }

    fn for_name(&self, name: &str) -> process::Command {
        let filled = |argument: &String| argument.replace("{name}", name).replace("{env}", &self.environment);
        let mut command = self.template.clone();
        command.argv = self.argv.iter().map(filled).collect();
        command
    }
}

impl Source for Command {
    fn label(&self) -> String {
        format!("the command `{}`", process::Command::new(self.argv.clone()).line())
    }

    /// What the program printed is never part of a failure: a value may be among it.
    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        if self.names.as_ref().is_some_and(|names| !names.iter().any(|known| known == name)) {
            return Ok(None);
        }
        let command = self.for_name(name);
        let line = command.line();
        let work = self.drivers.processes().run(&command, |_, _| {});
        let ended = self.drivers.block_on(async { tokio::time::timeout(self.timeout.0, work).await });
        let Ok(exit) = ended else {
            let message = format!("`{line}` has not printed the secret `{name}` within {}", self.timeout);
            return Err(Failure::new(FailureKind::Timeout, message)
                .hint("it gets no input: is it waiting for a password, or to be logged in?"));
        };
        let exit = exit?;
        if !exit.is_ok() {
            return Err(exit
                .failure(&line)
                .hint(format!("run it yourself to see why; what it printed may hold the secret `{name}`")));
        }
        let invalid = |why: &str| Err(Failure::new(FailureKind::Invalid, format!("what `{line}` printed {why}")));
        if exit.held_open {
            return invalid("may be incomplete: something it started still holds its output open");
        }
        if exit.stdout.is_truncated() {
            return invalid(&format!("is larger than {} KiB", LARGEST >> 10));
        }
        match String::from_utf8(exit.stdout.into_bytes()) {
            Ok(text) => Ok(Some(SecretText::new(without_line_break(&text)))),
            Err(_) => invalid("is not text"),
        }
    }

    fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.names.clone().unwrap_or_default())
    }

    fn how_to_set(&self, name: &str) -> String {
        format!("store it where `{}` finds it", self.for_name(name).line())
    }
}
