//! `runbook schedule`.

mod forecast;
mod history;
mod list;
mod next;
mod pause;
mod registry;
mod run;

use clap::Subcommand;

use super::CommandResult;
pub(super) use registry::Registry;

/// Say when runbooks run by themselves, and what became of it.
#[derive(Subcommand)]
pub enum Schedule {
    /// List the schedules of this project, with their next fires
    List(list::List),
    /// Say when the schedules of this project fire, or any cron expression
    Next(next::Next),
    /// Keep a schedule from running
    Pause(pause::Pause),
    /// Let a paused schedule run again
    Resume(pause::Resume),
    /// Run what a schedule runs, now and here
    Run(run::Run),
    /// List the fires that were expected, and what became of each
    History(history::History),
    /// Say what the coming days bring
    Forecast(forecast::Forecast),
}

impl Schedule {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::List(command) => command.run(),
            Self::Next(command) => command.run(),
            Self::Pause(command) => command.run(),
            Self::Resume(command) => command.run(),
            Self::Run(command) => command.run(),
            Self::History(command) => command.run(),
            Self::Forecast(command) => command.run(),
        }
    }
}
