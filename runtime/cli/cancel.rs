//! `runbook cancel`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;

use super::conduct::View;
use super::resume::{Again, How, refuse_another_world};
use super::{CommandResult, history, places};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Event, Journal, Redacted, RunFilter, RunRecord, RunState};
use crate::report;
use crate::secrets::Redactor;
use crate::units::Span;

/// Stop a run in good order: the current call ends, what was done is undone.
///
/// A run that goes on in another process is told to stop. One that was interrupted or waits is taken up to be undone.
#[derive(Args)]
pub struct Cancel {
    /// The run's number; the one that is running when left out and there is only one
    #[arg(value_name = "RUN")]
    run: Option<i64>,
    /// Undo an interrupted run although the same runbook has changed something on this environment since, or in another
    /// project's folder
    #[arg(long)]
    anyway: bool,
    /// How long to wait until a running run has ended, as in 30s
    #[arg(long, value_name = "DURATION", value_parser = Span::parse, default_value = "10m")]
    wait: Span,
    #[command(flatten)]
    view: View,
}

impl Cancel {
    /// Stops the run.
    pub fn run(self) -> CommandResult {
        let journal = history::open()?.ok_or_else(|| Failure::new(FailureKind::NotFound, "there are no runs yet"))?;
        let run = match self.run {
            Some(run) => journal.run(run)?,
            None => only_running(&journal)?,
        };
        let run = match run.state {
            RunState::Running => {
                let run = stop(&journal, &run, self.wait.0)?;
                if run.state.is_end() {
                    let word = serde_json::to_value(run.state).unwrap_or_default();
                    report::note(&format!("run {} ended: {}\n", run.id, word.as_str().unwrap_or_default()));
                    return Ok(ExitCode::SUCCESS);
                }
                report::note(&format!("run {} came to a stand before it was undone: it is undone here\n", run.id));
                run
            }
            _ => run,
        };
        match run.state {
            RunState::Killed | RunState::Waiting | RunState::InDoubt => {
                if !self.anyway {
                    refuse_another_world(&journal, &run)?;
                }
                let again = Again::of(&journal, run)?;
                drop(journal);
                let ended = again.conduct(self.view, Duration::ZERO, How { cancels: true, ..How::default() })?;
                // That the run ends as cancelled is what was asked for.
                Ok(if ended == ExitCode::from(130) { ExitCode::SUCCESS } else { ended })
            }
            _ => Err(Failure::new(FailureKind::Refused, format!("run {} has ended: there is nothing to stop", run.id))),
        }
    }
}

fn only_running(journal: &Journal) -> Result<RunRecord, Failure> {
    let running = journal.runs(&RunFilter { states: vec![RunState::Running], ..RunFilter::default() })?;
    let mut running = running.into_iter();
    match (running.next(), running.next()) {
        (Some(run), None) => Ok(run),
        (None, _) => Err(Failure::new(FailureKind::NotFound, "no run is going on")
            .hint("`runbook cancel RUN` also undoes a run that was interrupted: `runbook runs` lists them")),
        (Some(_), Some(_)) => Err(Failure::new(FailureKind::Argument, "several runs are going on: which one?")
            .hint("`runbook runs --state running` lists them")),
    }
}

/// Tells the run's process to stop, and waits until it has: ended, or come to a stand for another reason.
fn stop(journal: &Journal, run: &RunRecord, wait: Duration) -> Result<RunRecord, Failure> {
    let asked = Event::CancelRequested { by: places::person(), at: Timestamp::now() };
    journal.record(run.id, &Redacted::by(&Redactor::default(), asked))?;
    journal.tell_to_stop(run.id)?;
    report::note(&format!("run {} was told to stop\n", run.id));
    let began = Instant::now();
    while began.elapsed() < wait {
        journal.settle()?;
        let now = journal.run(run.id)?;
        if now.state != RunState::Running {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(Failure::new(FailureKind::Timeout, format!("run {} still goes on after {}", run.id, Span(wait)))
        .hint(format!("`runbook logs {} --follow` shows what it does", run.id)))
}
