//! `runbook notify`.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{CommandResult, history, places};
use crate::failure::{Failure, FailureKind};
use crate::notify::{Ending, Sender};
use crate::project::ProjectFile;
use crate::report;

/// How long the end of a command waits for what is to be sent.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// How long it is remembered who was told what, in seconds.
pub(super) const REMEMBERED: i64 = 90 * 24 * 60 * 60;

/// Try out how people are told what happens, and see what they were told.
#[derive(Subcommand)]
pub enum Notify {
    /// Send a trial on each channel of the project, or on one: exit code 1 when one of them does not work
    Test(Test),
    /// List what people were told, and what could not be sent, newest first
    List(List),
}

/// Send a trial.
#[derive(Args)]
pub struct Test {
    /// Only on this channel
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
    /// The environment whose secrets are used where the channel names none
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

/// List what people were told.
#[derive(Args)]
pub struct List {
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Write a JSON array with everything known of each
    #[arg(long)]
    json: bool,
}

impl Notify {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Test(command) => command.run(),
            Self::List(command) => command.run(),
        }
    }
}

impl Test {
    fn run(self) -> CommandResult {
        let root = places::root_here()?;
        let file = ProjectFile::load(&root)?;
        if file.notify.channel.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, "the project has no [notify.channel.NAME]")
                .hint("docs/reference/notify.md says how people are told what happens"));
        }
        let environment = match &self.env {
            Some(name) => file.environment(Some(name))?.name,
            None => file.environment(None).map(|environment| environment.name).unwrap_or_default(),
        };
        let trials = Sender::new(&root, file).try_out(self.channel.as_deref(), &environment)?;
        let works = trials.iter().all(|trial| trial.problem.is_none());
        history::answer(|out| {
            for trial in &trials {
                let outcome = trial.problem.as_deref().unwrap_or("sent");
                writeln!(out, "{} ({}): {outcome}", trial.channel, trial.kind)?;
            }
            Ok(())
        })?;
        Ok(if works { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl List {
    fn run(self) -> CommandResult {
        let notices = match history::open()? {
            Some(journal) => journal.notices(self.limit)?,
            None => Vec::new(),
        };
        if self.json {
            history::answer(|out| report::document(out, &notices))?;
        } else if notices.is_empty() {
            report::note("nobody was told anything yet");
        } else {
            history::answer(|out| report::notices(out, &notices, report::Style::detect_stdout()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says what could not be sent: it is no reason to fail.
pub(super) fn warn(ending: &Ending) {
    for (channel, problem) in &ending.unsent {
        report::note(&format!(
            "warning: nobody could be told on `{channel}` yet: {problem}\nwhat is left is tried again by `runbook serve` or the next run; `runbook notify list` shows it\n"
        ));
    }
}
