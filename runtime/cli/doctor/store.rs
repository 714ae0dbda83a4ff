//! The run log: can it be read, is it whole, how large has it become, and which runs wait for somebody?

use super::Ward;
use crate::failure::Failure;
use crate::journal::{Journal, RunFilter, RunRecord, RunState};
use crate::project::{LogRetention, ProjectFile};
use crate::report::Condition;
use crate::units::ByteSize;

/// Chains that are verified: those of the newest runs.
const NEWEST: usize = 100;

/// Runs that are named, the newest ones.
const NAMED: usize = 10;

const NAME: &str = "run log";

pub(super) fn look(ward: &Ward) -> Vec<Condition> {
    if !ward.state.join("journal.sqlite").is_file() {
        return Vec::new();
    }
    examine(ward).unwrap_or_else(|failure| {
        let condition = Condition::missing(NAME, failure.message);
        vec![failure.hints.into_iter().fold(condition, Condition::fix)]
    })
}

fn examine(ward: &Ward) -> Result<Vec<Condition>, Failure> {
    let journal = Journal::open(&ward.state)?;
    let mut all = vec![integrity(&journal)?];
    let retention = ProjectFile::load(&ward.root).map(|file| file.logs).unwrap_or_default();
    all.push(logs(&journal, retention)?);
    journal.settle()?;
    all.extend(standing(&journal)?);
    all.extend(locks(&journal)?);
    Ok(all)
}

fn integrity(journal: &Journal) -> Result<Condition, Failure> {
    let damage = journal.damage()?;
    if let Some(first) = damage.first() {
        return Ok(Condition::missing(NAME, first.clone()).fix("runbook state verify"));
    }
    let newest = journal.runs(&RunFilter { limit: Some(NEWEST), ..RunFilter::default() })?;
    for run in &newest {
        let verdict = journal.verify(run.id)?;
        if let Some(problem) = verdict.problems.first() {
            let found = format!("run {} is not as it was recorded: {problem}", run.id);
            return Ok(Condition::missing(NAME, found).fix(format!("runbook show {} --verify", run.id)));
        }
    }
    let newest = match newest.len() {
        0 => "no runs yet".to_owned(),
        1 => "the newest run is as it was recorded".to_owned(),
        several => format!("the newest {several} runs are as they were recorded"),
    };
    Ok(Condition::ok(NAME, format!("whole, {newest}")))
}

fn logs(journal: &Journal, retention: LogRetention) -> Result<Condition, Failure> {
    let months = journal.log_months()?;
    let total: u64 = months.iter().map(|month| month.bytes).sum();
    let count = if months.len() == 1 { "1 month".to_owned() } else { format!("{} months", months.len()) };
    let found = format!("{} of output in {count}, {} allowed", ByteSize(total), retention.max_size);
    Ok(if total <= retention.max_size.0 {
        Condition::ok("log lines", found)
    } else {
        Condition::warn("log lines", found)
            .fix("runbook state prune")
            .fix("or allow more: [logs] max_size in runbook.toml")
    })
}

/// Runs that neither ended nor go on.
fn standing(journal: &Journal) -> Result<Vec<Condition>, Failure> {
    let states = vec![RunState::Killed, RunState::Waiting, RunState::InDoubt];
    let runs = journal.runs(&RunFilter { states, limit: Some(NAMED), ..RunFilter::default() })?;
    Ok(runs.iter().map(condition).collect())
}

fn condition(run: &RunRecord) -> Condition {
    let RunRecord { id, runbook, environment, .. } = run;
    let what = format!("{runbook} on {environment}");
    let name = format!("run {id}");
    let parked = run.parked.as_ref();
    let question = parked.map(|parked| parked.question.as_str()).unwrap_or_default();
    let call = parked.map(|parked| parked.path.as_str()).unwrap_or_default();
    match run.state {
        RunState::Waiting => Condition::warn(name, format!("{what} waits for an answer to `{question}`"))
            .fix(format!("runbook approve {id}, or runbook reject {id}")),
        RunState::InDoubt => {
            Condition::warn(name, format!("{what} is in doubt about `{question}`: nobody knows whether it happened"))
                .fix(format!("runbook resolve {id} {call} with --done, --retry or --fail"))
        }
        _ => {
            let reason = run.failure.as_ref().map(|failure| failure.message.as_str()).unwrap_or_default();
            Condition::warn(name, format!("{what} was interrupted: {reason}"))
                .fix(format!("runbook resume {id}"))
                .fix(format!("or undo what it did: runbook cancel {id}"))
        }
    }
}

fn locks(journal: &Journal) -> Result<Vec<Condition>, Failure> {
    let leases = journal.leases()?.into_iter();
    Ok(leases
        .map(|lease| {
            let step = if lease.step.is_empty() { String::new() } else { format!(", at `{}`", lease.step) };
            let since = lease.since.strftime("%F %T UTC");
            let found = format!("held by run {} of {} since {since}{step}", lease.run, lease.owner);
            Condition::ok(format!("lock {}", lease.name), found)
        })
        .collect())
}
