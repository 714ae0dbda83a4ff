//! A run that stands still, and one that goes on.

use super::state::clock;
use super::text::clean;
use crate::journal::{Parked, RunRecord, RunState};

/// The heading of a run that goes on.
pub(super) fn resumed(run: i64, runbook: &str, environment: &str, finished: usize) -> String {
    let calls = if finished == 1 { "call" } else { "calls" };
    format!("run {run} goes on: {runbook} on {environment}, {finished} {calls} done before\n\n")
}

/// What a run that stands still waits for, and the commands that let it go on.
pub(super) fn parked(run: i64, parked: &Parked) -> String {
    let (question, path) = (clean(&parked.question), &parked.path);
    let lines = match parked.state {
        RunState::Waiting => {
            let until = parked.expires.map_or_else(String::new, |expires| format!(" until {}", clock(expires)));
            let digest = &parked.digest;
            vec![
                format!("run {run} waits for an answer{until}: {question}"),
                format!("  yes  runbook approve {run} --digest {digest}"),
                format!("  no   runbook reject {run}"),
            ]
        }
        RunState::InDoubt => vec![
            format!("run {run} is in doubt: nobody can tell whether this happened before its process died"),
            format!("  {path} {question}"),
            "look, and say what became of it".into(),
            format!("  it happened  runbook resolve {run} {path} --done"),
            format!("  it did not   runbook resolve {run} {path} --retry"),
            format!("  it failed    runbook resolve {run} {path} --fail"),
        ],
        _ => vec![format!("run {run} stopped where it was: {question}")],
    };
    format!("\n{}\n", lines.join("\n"))
}

/// What can be done about a run that has not ended and has no process; nothing for the others.
pub(super) fn advice(run: &RunRecord) -> Option<String> {
    match (run.state, &run.parked) {
        (RunState::Waiting | RunState::InDoubt, Some(why)) => Some(parked(run.id, why)),
        (RunState::Killed, why) => {
            let stopped = why.as_ref().map(|why| parked(run.id, why)).unwrap_or_default();
            let id = run.id;
            Some(format!("{stopped}\ngo on with it  runbook resume {id}\nundo it        runbook cancel {id}\n"))
        }
        _ => None,
    }
}
