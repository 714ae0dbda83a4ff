use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::{CommandResult, history, notify, places};
use crate::failure::{Failure, FailureKind};
use crate::journal::{CallRecord, Journal, LogLine, LogMonth, LogQuery, RunRecord, RunRules};
use crate::project::{ProjectFile, RunRetention, state_folder};
use crate::report::{self, Style};

/// Copy, verify or tidy what this machine remembers: run log and log lines.
#[derive(Subcommand)]
pub enum State {
    /// Copy the run log and all log lines into a new folder, while runs go on, and verify the copy
    Copy(Copy),
    /// Say whether everything recorded is as it was recorded: exit code 0 or 1
    Verify(Verify),
    /// Write every run with its calls to standard output, one JSON object a line, oldest first
    Export(Export),
    /// Drop what is old: runs and months of log lines, as `[runs]` and `[logs]` in runbook.toml say, and what calls of runs that
    /// nobody went on with left behind; every run does so when it ends
    Prune(Prune),
}

/// Copy the run log and all log lines into a new folder.
#[derive(Args)]
pub struct Copy {
    /// The folder: made, or empty
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
}

/// Say whether everything recorded is as it was recorded.
#[derive(Args)]
pub struct Verify {
    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

/// Write every run with its calls to standard output.
#[derive(Args)]
pub struct Export {
    /// Only runs from this one on
    #[arg(long, value_name = "RUN", default_value_t = 1)]
    from: i64,
    /// With each run's lines of output
    #[arg(long)]
    lines: bool,
}

/// Drop what is old.
#[derive(Args)]
pub struct Prune {}

impl State {
    /// Does what was asked for.
    pub fn run(self) -> CommandResult {
        match self {
            Self::Copy(command) => command.run(),
            Self::Verify(command) => command.run(),
            Self::Export(command) => command.run(),
            Self::Prune(_) => prune(),
        }
    }
}

/// A run with everything that belongs to it.
#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    run: &'a RunRecord,
    calls: Vec<CallRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LogLine>>,
}

impl Export {
    fn run(self) -> CommandResult {
        let journal = open()?;
        let mut next = self.from.max(1);
        let mut stopped = Ok(());
        history::answer(|out| {
            loop {
                // One run at a time: however many there are, it takes no more memory.
                let exported = journal.next_run(next).and_then(|run| {
                    let Some(run) = run else { return Ok(None) };
                    let calls = journal.calls(run.id)?;
                    let query = LogQuery { run: Some(run.id), ..LogQuery::default() };
                    let lines = if self.lines { Some(journal.logs(&query)?) } else { None };
                    Ok(Some((run, calls, lines)))
                });
                match exported {
                    Ok(None) => return Ok(()),
                    Ok(Some((run, calls, lines))) => {
                        next = run.id + 1;
                        report::json_line(out, &Exported { run: &run, calls, lines })?;
                    }
                    Err(failure) => {
                        stopped = Err(failure);
                        return Ok(());
                    }
                }
            }
        })?;
        stopped.map(|()| ExitCode::SUCCESS)
    }
}

impl Copy {
    fn run(self) -> CommandResult {
        let copied = open()?.copy_to(&self.to)?;
        let total: u64 = copied.files.iter().map(|(_, bytes)| bytes).sum();
        history::answer(|out| {
            for (name, bytes) in &copied.files {
                writeln!(out, "{name:24} {:>10}", report::bytes(*bytes))?;
            }
            writeln!(out, "{:24} {:>10}", self.to.display().to_string(), report::bytes(total))?;
            report::state_verdict(out, &copied.verdict, Style::detect_stdout())
        })?;
        Ok(outcome(copied.verdict.is_whole()))
    }
}

impl Verify {
    fn run(self) -> CommandResult {
        let verdict = open()?.verify_all()?;
        history::answer(|out| {
            if self.json {
                report::document(out, &verdict)
            } else {
                report::state_verdict(out, &verdict, Style::detect_stdout())
            }
        })?;
        Ok(outcome(verdict.is_whole()))
    }
}

fn prune() -> CommandResult {
    let file = ProjectFile::load(&places::root_here()?)?;
    let retention = file.logs;
    let journal = open()?;
    let runs = prune_runs(&journal, &file.runs, None)?;
    let pruned = journal.prune_logs(retention.keep.0, retention.max_size.0)?;
    let forgotten = journal.prune_calls()?;
    let left: u64 = journal.log_months()?.iter().map(|month| month.bytes).sum();
    history::answer(|out| {
        if runs > 0 {
            writeln!(out, "dropped {runs} old {}", if runs == 1 { "run" } else { "runs" })?;
        }
        for LogMonth { month, bytes } in &pruned.dropped {
            writeln!(out, "dropped {month}, {}", report::bytes(*bytes))?;
        }
        for (LogMonth { month, bytes }, run) in &pruned.needed {
            writeln!(out, "kept {month}, {}: run {run} has not ended", report::bytes(*bytes))?;
        }
        if forgotten > 0 {
            let runs = if forgotten == 1 { "run" } else { "runs" };
            writeln!(out, "dropped what calls of {forgotten} old {runs} had left behind")?;
        }
        writeln!(out, "{} of log lines left", report::bytes(left))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Behind the end of a run: drops what is old, and notes what is left.
pub(super) fn tidy(journal: &Journal, file: &ProjectFile, run: i64) -> Result<(), Failure> {
    journal.prune_logs(file.logs.keep.0, file.logs.max_size.0)?;
    let run = journal.run(run)?;
    prune_runs(journal, &file.runs, Some((&run.runbook, &run.environment)))?;
    journal.prune_calls()?;
    journal.forget_notices(Timestamp::now().as_second() - notify::REMEMBERED)?;
    journal.note_bytes()
}

/// Drops the runs that `[runs]` lets go of: those of a runbook on an environment, or all.
fn prune_runs(journal: &Journal, retention: &RunRetention, of: Option<(&str, &str)>) -> Result<usize, Failure> {
    let rules = |runbook: &str| {
        let own = retention.of.get(runbook).copied().unwrap_or_default();
        RunRules { keep: own.keep.unwrap_or(retention.keep).0, most: own.most.or(retention.most) }
    };
    journal.prune_runs(of, &rules, retention.max_size.map(|size| size.0))
}

/// The run log as it is: nothing is settled, so that looking changes nothing.
fn open() -> Result<Journal, Failure> {
    let folder = state_folder(&places::root_here()?);
    Journal::open_existing(&folder)?.ok_or_else(|| {
        Failure::new(FailureKind::NotFound, format!("there is no run log in `{}`", folder.display()))
            .hint("`runbook run RUNBOOK` begins one")
            .hint("the run log of a project is found inside its folder, or wherever RUNBOOK_STATE points")
    })
}

fn outcome(is_whole: bool) -> ExitCode {
    if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
