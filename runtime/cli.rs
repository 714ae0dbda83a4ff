//! The command line: one file per command. Here: parse, dispatch, print the error if there is one, pick the exit code.

mod audit;
mod backup;
mod cancel;
mod check;
mod compose;
mod conduct;
mod decide;
mod diff;
mod doctor;
mod history;
mod host;
mod init;
mod internal;
mod logs;
mod notify;
mod places;
mod plan;
mod redact;
mod resume;
mod run;
mod runs;
mod schedule;
mod secret;
mod serve;
mod service;
mod show;
mod state;
mod stats;
mod terminal;
mod test;
mod token;
mod top;

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::drivers::{docker, process};
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
    /// Show what a run would change, without changing anything
    Plan(plan::Plan),
    /// Go on with a run that was interrupted, where it was interrupted
    Resume(resume::Resume),
    /// Stop a run in good order and undo what it did
    Cancel(cancel::Cancel),
    /// Say yes to the question a run waits for
    Approve(decide::Approve),
    /// Say no to the question a run waits for
    Reject(decide::Reject),
    /// Say what became of a call that a run is in doubt about
    Resolve(decide::Resolve),
    /// List the runs of this project, newest first
    Runs(runs::Runs),
    /// Say how the newest runs of each runbook went: success rate, median and 95th percentile of their time, last success
    Stats(stats::Stats),
    /// Watch what goes on, what waits, what comes next and what ended
    Top(top::Top),
    /// Show one run: its steps with times, and why it failed
    Show(show::Show),
    /// Print the output of a run, or search that of all runs
    Logs(logs::Logs),
    /// Tell who had which secret put where, who decided what, and who changed what runs do
    Audit(audit::Audit),
    /// Look after repositories of backups, and restore out of them
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Read compose files as a deployment reads them, without an engine
    #[command(subcommand)]
    Compose(compose::Compose),
    /// Copy standard input to standard output with the secrets of an environment masked
    Redact(redact::Redact),
    /// Show what is different between two runs
    Diff(diff::Diff),
    /// Keep secrets in the repository, sealed and signed
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Copy, verify or tidy what this machine remembers: run log and log lines
    #[command(subcommand)]
    State(state::State),
    /// Say when runbooks run by themselves, and what became of it
    #[command(subcommand)]
    Schedule(schedule::Schedule),
    /// Run what is scheduled, when it is due
    Serve(serve::Serve),
    /// Say who may ask the service over HTTP
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Try out how people are told what happens, and see what they were told
    #[command(subcommand)]
    Notify(notify::Notify),
    /// Have systemd run the service
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// Add, trust, reach and list the hosts of the project
    #[command(subcommand)]
    Host(host::Host),
    /// Run test runbooks: every `*_test.rhai`
    Test(test::Test),
    /// What a `runbook` of another machine asks of this one
    #[command(subcommand, hide = true)]
    Internal(internal::Internal),
}

/// Exit codes: 0 ok, 1 the run failed, 2 usage or check errors and nothing ran, 3 waiting for a person, 130 cancelled.
pub fn main() -> ExitCode {
    if let Some(code) = process::keep_watch().or_else(docker::keep_awake) {
        return code;
    }
    std::panic::set_hook(Box::new(report_panic));
    let result = match Cli::parse().command {
        Command::Audit(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Compose(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Init(command) => command.run(),
        Command::Internal(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Redact(command) => command.run(),
        Command::Resume(command) => command.run(),
        Command::Cancel(command) => command.run(),
        Command::Approve(command) => command.run(),
        Command::Reject(command) => command.run(),
        Command::Resolve(command) => command.run(),
        Command::Runs(command) => command.run(),
        Command::Stats(command) => command.run(),
        Command::Top(command) => command.run(),
        Command::Show(command) => command.run(),
        Command::Secret(command) => command.run(),
        Command::State(command) => command.run(),
        Command::Schedule(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Service(command) => command.run(),
        Command::Notify(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Host(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Logs(command) => command.run(),
        Command::Diff(command) => command.run(),
    };
    result.unwrap_or_else(|failure| {
        let _ = report::failure(&mut report::stderr(), &failure, &[], &|_| None, report::Style::detect());
        exit_code(&failure)
    })
}

/// Says where the program failed in a way it never should. What it says of it may hold anything, also secrets: that is not shown.
fn report_panic(panic: &PanicHookInfo<'_>) {
    if crate::drivers::backup::is_made_good(panic.payload()) {
        return;
    }
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    report::note(&format!("error: the runtime failed at {place} in a way it should never fail; please report it"));
}

/// A mistake in what was asked for is 2; trouble while doing it is 1.
fn exit_code(failure: &Failure) -> ExitCode {
    match failure.kind {
        FailureKind::System | FailureKind::Unreachable | FailureKind::Timeout | FailureKind::Check => ExitCode::from(1),
        FailureKind::Cancelled => ExitCode::from(130),
        _ => ExitCode::from(2),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::report_panic;

    const CANARY: &str = "correct-horse-battery-staple";

    /// What a panic says may hold anything: people and logs are shown where it happened, and nothing of what it says.
    #[test]
    fn a_panic_shows_its_place_and_not_what_it_says() {
        let child = ["--exact", "cli::tests::panics_with_a_secret", "--ignored", "--nocapture"];
        let ran = Command::new(std::env::current_exe().unwrap()).args(child).output().unwrap();
        let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(said.contains("the runtime failed at runtime/cli.rs:"), "{said}");
        assert!(!said.contains(&CANARY[..10]) && !said.contains(&CANARY[CANARY.len() - 10..]), "{said}");
    }

    #[test]
    #[ignore = "a child process that the test above starts"]
    fn panics_with_a_secret() {
        std::panic::set_hook(Box::new(report_panic));
        panic!("the password is {CANARY}");
    }
}
