//! What happened to a run.

use std::time::Duration;

use super::super::message::{LastGood, Message};
use super::Happening;
use super::tries::{is_tried_again, times, tries};
use crate::failure::Failure;
use crate::journal::{CallRecord, CallState, Fire, Journal, RunRecord, RunSign, RunSignKind, RunState, around};
use crate::project::NotifyEvent;
use crate::units::Span;

/// Pieces of evidence that are told.
const PIECES: usize = 3;

/// What a runbook calls that drills a restore.
const DRILL: &str = "backup_drilled(";

/// What somebody may want to be told of this sign.
pub(super) fn of_run(
    journal: &Journal,
    project: &str,
    sign: &RunSign,
    happenings: &mut Vec<Happening>,
) -> Result<(), Failure> {
    let run = journal.run(sign.run)?;
    let mut add = |word: &str, message: Message| {
        let subject = format!("{} run {} {}", word, sign.run, sign.at);
        happenings.push(Happening { subject, message, rule: None });
    };
    match (sign.kind, run.state) {
        (RunSignKind::Begun, _) => add("started", about(project, &run, NotifyEvent::Started, "began")),
        (RunSignKind::Finished, RunState::Ok) => {
            add("succeeded", about(project, &run, NotifyEvent::Succeeded, "ended well"));
            if before(journal, run.clone())?.is_some_and(|state| state != RunState::Ok) {
                let mut message = about(project, &run, NotifyEvent::Recovered, "works again");
                message.last_good = last_good(journal, &run)?;
                add("recovered", message);
            }
        }
        (RunSignKind::Finished, RunState::Failed) => {
            let fire = journal.fire_of(run.id)?;
            if !fire.as_ref().map_or(Ok(false), |fire| is_tried_again(journal, run.id, fire))? {
                add_failed(journal, project, &run, fire.as_ref(), happenings)?;
            }
        }
        (RunSignKind::Finished, RunState::Cancelled) => {
            let mut message = failed(journal, project, &run, "was stopped")?;
            message.event = NotifyEvent::Cancelled;
            add("cancelled", message);
        }
        // Of one that a schedule goes on with, or gives up, its fire tells.
        (RunSignKind::Buried, RunState::Killed) if journal.fire_of(run.id)?.is_none() => {
            add_failure(journal, &run, died(journal, project, &run)?, happenings)?;
        }
        (RunSignKind::Parked, RunState::Waiting) => {
            let mut message = parked(journal, project, &run, NotifyEvent::Waiting, "waits for somebody")?;
            message.command = format!("runbook approve {id}, or runbook reject {id}", id = run.id);
            add("waiting", message);
        }
        (RunSignKind::Parked, RunState::InDoubt) => {
            let did = "does not know what became of a call";
            add("in_doubt", parked(journal, project, &run, NotifyEvent::InDoubt, did)?);
        }
        _ => {}
    }
    Ok(())
}

/// That a run failed which is not tried again, after how many tries when its fire had several.
pub(super) fn add_failed(
    journal: &Journal,
    project: &str,
    run: &RunRecord,
    fire: Option<&Fire>,
    happenings: &mut Vec<Happening>,
) -> Result<(), Failure> {
    let tries = fire.map(tries);
    let mut message = failed(journal, project, run, &times("failed", tries.unwrap_or(1)))?;
    message.schedule = fire.map(|fire| fire.schedule.clone());
    message.tries = tries;
    add_failure(journal, run, message, happenings)
}

/// That a run failed, and that a drill did when it was one.
fn add_failure(
    journal: &Journal,
    run: &RunRecord,
    message: Message,
    happenings: &mut Vec<Happening>,
) -> Result<(), Failure> {
    let ended = run.finished_at.unwrap_or(run.started_at).as_microsecond();
    let mut add = |word: &str, message: Message| {
        // Whoever sees it first tells it: the end of the run, or that of its fire.
        happenings.push(Happening { subject: format!("{word} run {} {ended}", run.id), message, rule: None });
    };
    if is_drill(journal, run.id)? {
        add("drill_failed", Message { event: NotifyEvent::DrillFailed, ..message.clone() });
    }
    add("failed", message);
    Ok(())
}

/// That a run stands still until somebody decides: on what, and where that is.
fn parked(
    journal: &Journal,
    project: &str,
    run: &RunRecord,
    event: NotifyEvent,
    did: &str,
) -> Result<Message, Failure> {
    let mut message = about(project, run, event, did);
    if let Some(parked) = &run.parked {
        message.why = Some(parked.question.clone());
        message.place = place(&journal.calls(run.id)?, &parked.path);
        message.at = parked.at;
    }
    message.last_good = last_good(journal, run)?;
    Ok(message)
}

/// That a run goes on for longer than it should: where it is, and how long the last good one took.
pub(super) fn too_long(journal: &Journal, project: &str, run: &RunRecord, limit: Span) -> Result<Message, Failure> {
    let mut message = about(project, run, NotifyEvent::TooLong, "takes too long");
    let calls = journal.calls(run.id)?;
    let innermost = calls.iter().rev().find(|call| call.state == CallState::Started);
    message.place = innermost.and_then(|call| place(&calls, &call.path));
    let last_good = journal.newest_before(run, &[RunState::Ok])?;
    let before = last_good.as_ref().and_then(|good| good.milliseconds).map(|took| {
        let took = Span(Duration::from_millis(took));
        format!("; the last good one took {took}")
    });
    message.why = Some(format!("it has run for longer than {limit}{}", before.unwrap_or_default()));
    message.last_good = last_good.map(LastGood::from);
    message.command = format!("runbook logs {} --follow", run.id);
    Ok(message)
}

/// Where a call is: the innermost step around it, and the line of the script.
fn place(calls: &[CallRecord], path: &str) -> Option<String> {
    let at = |path: &str| calls.iter().find(|call| call.path == path);
    let call = at(path)?;
    let step = around(path).filter_map(at).find(|call| call.is_step());
    Some(step.map_or_else(|| call.site.to_string(), |step| format!("step `{}`, {}", step.title, call.site)))
}

/// A message about a run: `deploy.rhai failed on prod`.
fn about(project: &str, run: &RunRecord, event: NotifyEvent, did: &str) -> Message {
    let mut message = Message::new(
        event,
        project,
        format!("{} {did} on {}", run.runbook, run.environment),
        format!("runbook show {}", run.id),
    );
    message.environment.clone_from(&run.environment);
    message.runbook.clone_from(&run.runbook);
    message.run = Some(run.id);
    message.machine.clone_from(&run.machine);
    message.started_by.clone_from(&run.started_by);
    message.at = run.finished_at.unwrap_or(run.started_at);
    message
}

fn failed(journal: &Journal, project: &str, run: &RunRecord, did: &str) -> Result<Message, Failure> {
    let mut message = about(project, run, NotifyEvent::Failed, did);
    let calls = journal.calls(run.id)?;
    let step = calls.iter().rev().find(|call| call.is_step() && call.state == CallState::Failed);
    let step = step.map(|call| format!("step `{}`", call.title));
    let site = run.trace.first().map(ToString::to_string);
    let place: Vec<String> = step.into_iter().chain(site).collect();
    message.place = (!place.is_empty()).then(|| place.join(", "));
    if let Some(failure) = &run.failure {
        message.why = Some(failure.message.clone());
        message.evidence = failure.evidence.iter().take(PIECES).cloned().collect();
    }
    message.last_good = last_good(journal, run)?;
    Ok(message)
}

/// Does its runbook try out what it restores?
fn is_drill(journal: &Journal, run: i64) -> Result<bool, Failure> {
    Ok(journal.sources(run)?.iter().any(|source| source.text.contains(DRILL)))
}

pub(super) fn died(journal: &Journal, project: &str, run: &RunRecord) -> Result<Message, Failure> {
    let mut message = failed(journal, project, run, "died")?;
    message.command = format!("runbook resume {id}, or runbook cancel {id}", id = run.id);
    Ok(message)
}

/// How the run before it ended, tries that were not the last aside.
fn before(journal: &Journal, mut run: RunRecord) -> Result<Option<RunState>, Failure> {
    let states = [RunState::Ok, RunState::Failed, RunState::Killed];
    while let Some(earlier) = journal.newest_before(&run, &states)? {
        let fire = if earlier.state == RunState::Ok { None } else { journal.fire_of(earlier.id)? };
        if !fire.map_or(Ok(false), |fire| is_tried_again(journal, earlier.id, &fire))? {
            return Ok(Some(earlier.state));
        }
        run = earlier;
    }
    Ok(None)
}

fn last_good(journal: &Journal, run: &RunRecord) -> Result<Option<LastGood>, Failure> {
    Ok(journal.newest_before(run, &[RunState::Ok])?.map(LastGood::from))
}
