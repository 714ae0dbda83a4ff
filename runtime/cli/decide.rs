//! `runbook approve`, `reject` and `resolve`: what a person decides on a run that waits for it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::conduct::View;
use super::resume::{Again, How, refuse_another_world, standing};
use super::{CommandResult, places};
use crate::failure::{Failure, FailureKind};
use crate::journal::{Decision, Journal, RunRecord, RunState};
use crate::report;

/// Say yes to the question a run waits for, and let it go on.
///
/// The yes counts for exactly this script, these parameters and this environment, and only until the question expires.
#[derive(Args)]
pub struct Approve {
    /// The run's number; the newest run that waits when left out
    #[arg(value_name = "RUN")]
    run: Option<i64>,
    /// What was seen when it was approved, as `runbook show` prints it: refused when the run waits for something else
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// Only write the yes down: `runbook resume` goes on later
    #[arg(long)]
    only_note: bool,
    #[command(flatten)]
    view: View,
}

/// Say no to the question a run waits for: the run fails there and is undone.
#[derive(Args)]
pub struct Reject {
    /// The run's number; the newest run that waits when left out
    #[arg(value_name = "RUN")]
    run: Option<i64>,
    /// Why, for the run log
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    view: View,
}

/// Say what became of a call that a run is in doubt about, and let it go on.
#[derive(Args)]
#[allow(clippy::option_option)] // the form in which clap tells an option alone from one that is not given
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Resolve {
    /// The run's number
    #[arg(value_name = "RUN")]
    run: i64,
    /// The call's path, as in 3.1.2
    #[arg(value_name = "CALL")]
    call: String,
    /// It happened, and returned this; without JSON, what such a call returns that ends well, as far as that is known
    #[arg(long, value_name = "JSON", group = "what", num_args = 0..=1)]
    done: Option<Option<String>>,
    /// It did not happen: make it again
    #[arg(long, group = "what")]
    retry: bool,
    /// It failed
    #[arg(long, group = "what")]
    fail: bool,
    /// Only write it down: `runbook resume` goes on later
    #[arg(long)]
    only_note: bool,
    #[command(flatten)]
    view: View,
}

impl Approve {
    /// Writes the yes down and goes on.
    pub fn run(self) -> CommandResult {
        let (journal, run) = standing(self.run)?;
        let (path, digest) = question(&run)?;
        if self.digest.as_ref().is_some_and(|seen| *seen != digest) {
            let message = format!("run {} waits with digest {digest}, not with the one given", run.id);
            return Err(
                Failure::new(FailureKind::Refused, message).hint(format!("look again: `runbook show {}`", run.id))
            );
        }
        go_on(journal, &run, &path, &Decision::Approve { digest }, self.view, self.only_note)
    }
}

impl Reject {
    /// Writes the no down and goes on, which undoes the run.
    pub fn run(self) -> CommandResult {
        let (journal, run) = standing(self.run)?;
        let (path, _) = question(&run)?;
        go_on(journal, &run, &path, &Decision::Reject { reason: self.reason }, self.view, false)
    }
}

impl Resolve {
    /// Writes the decision down and goes on.
    pub fn run(self) -> CommandResult {
        let decision = match &self.done {
            Some(Some(text)) => Decision::Done { value: json(text)? },
            Some(None) => Decision::Happened,
            None if self.retry => Decision::Retry,
            None => Decision::Fail,
        };
        let (journal, run) = standing(Some(self.run))?;
        if run.state != RunState::InDoubt {
            return Err(Failure::new(FailureKind::Refused, format!("run {} is not in doubt", run.id))
                .hint(format!("`runbook show {}` says where it stands", run.id)));
        }
        go_on(journal, &run, &self.call, &decision, self.view, self.only_note)
    }
}

fn json(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new(FailureKind::Argument, format!("`--done` is not JSON: {error}"))
            .hint("write null, a number, \"text in quotes\" or an object; in a shell put single quotes around it")
    })
}

/// The question a run waits for: its call and what is approved.
fn question(run: &RunRecord) -> Result<(String, String), Failure> {
    let parked = run.parked.as_ref().filter(|_| run.state == RunState::Waiting);
    parked.map(|parked| (parked.path.clone(), parked.digest.clone())).ok_or_else(|| {
        Failure::new(FailureKind::Refused, format!("run {} does not wait for an answer", run.id))
            .hint(format!("`runbook show {}` says where it stands", run.id))
    })
}

fn go_on(
    journal: Journal,
    run: &RunRecord,
    path: &str,
    decision: &Decision,
    view: View,
    only_note: bool,
) -> CommandResult {
    refuse_another_world(&journal, run)?;
    journal.decide(run.id, path, decision, &places::person())?;
    if only_note {
        report::note(&format!("noted; `runbook resume {}` goes on\n", run.id));
        return Ok(ExitCode::SUCCESS);
    }
    let run = journal.run(run.id)?;
    let again = Again::of(&journal, run)?;
    drop(journal);
    again.conduct(view, Duration::ZERO, How::default())
}
