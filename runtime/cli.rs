//! The command line: one file per command. Here: parse, dispatch, print the error if there is one, pick the exit code.

mod check;
mod diff;
mod doctor;
mod history;
mod init;
mod logs;
mod places;
mod run;
mod runs;
mod show;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::{Failure, FailureKind};
use crate::report;

/// What every command returns: its exit code, or why nothing was done.
type CommandResult = Result<ExitCode, Failure>;

/// Deploy, roll back, back up and migrate small fleets of Docker hosts with versioned, journaled runbooks.
#[derive(Parser)]
#[command(name = "runbook", version, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find mistakes in runbooks without running them
    Check(check::Check),
    /// Say what is missing on this machine, and how to get it
    Doctor(doctor::Doctor),
    /// Write a project around an existing compose file
    Init(init::Init),
    /// Run a runbook: checked before it starts, journaled while it runs, undone when it fails
    Run(run::Run),
    /// List the runs of this project, newest first
    Runs(runs::Runs),
    /// Show one run: its steps with times, and why it failed
    Show(show::Show),
    /// Print the output of a run, or search that of all runs
    Logs(logs::Logs),
    /// Show what is different between two runs
    Diff(diff::Diff),
    /// Run test runbooks: every `*_test.rhai`
    Test(test::Test),
}

/// Exit codes: 0 ok, 1 the run failed, 2 usage or check errors and nothing ran, 3 waiting for a person, 130 cancelled.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Check(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Runs(command) => command.run(),
        Command::Show(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Logs(command) => command.run(),
        Command::Diff(command) => command.run(),
    };
    result.unwrap_or_else(|failure| {
        let _ = report::failure(&mut report::stderr(), &failure, &[], &|_| None, report::Style::detect());
        exit_code(&failure)
    })
}

/// A mistake in what was asked for is 2; trouble while doing it is 1.
fn exit_code(failure: &Failure) -> ExitCode {
    match failure.kind {
        FailureKind::System | FailureKind::Unreachable | FailureKind::Timeout | FailureKind::Check => ExitCode::from(1),
        FailureKind::Cancelled => ExitCode::from(130),
        _ => ExitCode::from(2),
    }
}
