use std::process::ExitCode;

use clap::Args;

use super::super::{CommandResult, places};
use super::registry::here;
use crate::failure::{Failure, FailureKind};
use crate::journal::Pause as Paused;
use crate::report;
use crate::schedule::{Clock, SystemClock};

/// Keep a schedule from running: its fires are left out, with that reason, until it is resumed.
#[derive(Args)]
pub struct Pause {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    name: String,
}

/// Let a paused schedule run again: from its next fire on.
#[derive(Args)]
pub struct Resume {
    /// The schedule
    #[arg(value_name = "SCHEDULE")]
    name: String,
}

impl Pause {
    /// Pauses it.
    pub fn run(self) -> CommandResult {
        let paused = Paused { by: places::person(), at: SystemClock.read().wall };
        set(&self.name, Some(&paused))?;
        report::note(&format!("`{}` is paused; `runbook schedule resume {}` lets it run again", self.name, self.name));
        Ok(ExitCode::SUCCESS)
    }
}

impl Resume {
    /// Lets it run again.
    pub fn run(self) -> CommandResult {
        set(&self.name, None)?;
        report::note(&format!("`{}` runs again from its next fire on", self.name));
        Ok(ExitCode::SUCCESS)
    }
}

/// Before and after, every fire until now is accounted for: what is paused from now on was not before.
fn set(name: &str, pause: Option<&Paused>) -> Result<(), Failure> {
    let (_, registry, journal) = here()?;
    registry.named(name)?;
    registry.account(&journal)?;
    if journal.pause(name, pause)? {
        return Ok(());
    }
    Err(Failure::new(FailureKind::NotFound, format!("the run log knows no schedule `{name}`")))
}
