use std::process::{Command, ExitCode};

use clap::Args;

use super::super::CommandResult;
use super::registry::here;
use crate::failure::Failure;
use crate::journal::{FireChange, FireResult, FireState, FireTicket};
use crate::schedule::{Clock, SystemClock};

/// Run what a schedule runs, now and here: with its environment and parameters, and a row of its own in its history.
#[derive(Args)]
pub struct Run {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    name: String,
}

impl Run {
    /// Runs it in the foreground.
    pub fn run(self) -> CommandResult {
        let (root, registry, journal) = here()?;
        let definition = registry.named(&self.name)?;
        registry.register(&journal)?;
        let ticket = format!("{}-{}", std::process::id(), jiff::Timestamp::now().as_nanosecond());
        let fire = journal.add_fire(&self.name, SystemClock.read().wall, &ticket)?;
        let ticket = FireTicket { fire, ticket };
        let words = registry.words(definition).into_iter().chain([format!("--fire={ticket}")]);
        let program = std::env::current_exe().map_err(|error| Failure::system("find this program", &error))?;
        let status = Command::new(program)
            .args(words)
            .current_dir(root)
            .status()
            .map_err(|error| Failure::system("start the run", &error))?;
        // A run that began is settled by its own end; what never began has its row all the same.
        if journal.fire(fire)?.is_some_and(|fire| fire.state == FireState::Starting) {
            let note = Some("the runbook or its parameters were refused".to_owned());
            journal.change_fires(&[FireChange::Close { fire, result: FireResult::Refused, note }])?;
        }
        registry.settle(&journal)?;
        Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
    }
}
