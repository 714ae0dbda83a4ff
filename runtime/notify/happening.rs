//! What happened that people may want to be told of, read from the run log.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::message::{LastGood, Message};
use crate::drivers::disk;
use crate::failure::Failure;
use crate::journal::{
    CallState, Fire, FireResult, FireState, Journal, RunFilter, RunRecord, RunSign, RunSignKind, RunState,
};
use crate::project::{NotifyEvent, NotifySection};
use crate::units::{ByteSize, Span};

/// Pieces of evidence that are told.
const PIECES: usize = 3;

/// What a runbook calls that drills a restore.
const DRILL: &str = "backup_drilled(";

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// What it is about: the same is told on the same way once.
    pub subject: String,
    /// What is told.
    pub message: Message,
    /// Whose business it is alone: the rule with this number.
    pub rule: Option<usize>,
}

/// Everything that happened since it was last looked at.
pub(super) struct Happened {
    pub(super) happenings: Vec<Happening>,
    /// The entry up to which was looked.
    pub(super) until: i64,
    /// The fires that were looked at.
    pub(super) fires: Vec<i64>,
}

/// Reads what happened since it was last looked at; what is older than `oldest` is no news.
pub(super) fn happened(journal: &Journal, project: &str, oldest: i64) -> Result<Happened, Failure> {
    let (signs, until) = journal.untold_signs()?;
    let mut happenings = Vec::new();
    for sign in signs.iter().filter(|sign| sign.at / 1_000_000 >= oldest) {
        of_run(journal, project, sign, &mut happenings)?;
    }
    let untold = journal.untold_fires()?;
    let fires = untold.iter().map(|fire| fire.id).collect();
    let news: Vec<Fire> = untold.into_iter().filter(|fire| fire.due >= oldest || fire.at >= oldest).collect();
    if !news.is_empty() {
        of_fires(journal, project, &news, &mut happenings)?;
    }
    Ok(Happened { happenings, until, fires })
}

/// What goes on for too long, and what is running short: seen by looking at the moment, not at what was written.
pub(super) fn happens(
    journal: &Journal,
    project: &str,
    section: &NotifySection,
    state_folder: &Path,
) -> Result<Vec<Happening>, Failure> {
    let mut happenings = Vec::new();
    if section.rule.iter().any(|rule| rule.longer_than.is_some()) {
        let running = RunFilter { states: vec![RunState::Running], ..RunFilter::default() };
        for run in journal.runs(&running)? {
            let took = Timestamp::now().duration_since(run.started_at);
            for (number, rule) in section.rule.iter().enumerate() {
                let Some(limit) = rule.longer_than else { continue };
                if took.as_secs() < i64::try_from(limit.0.as_secs()).unwrap_or(i64::MAX) {
                    continue;
                }
                let mut message = about(project, &run, NotifyEvent::TooLong, "takes too long");
                message.why = Some(format!("it has run for longer than {limit}"));
                message.command = format!("runbook logs {} --follow", run.id);
                let subject = format!("too_long run {} {limit}", run.id);
                happenings.push(Happening { subject, message, rule: Some(number) });
            }
        }
    }
    if let Some(least) = section.disk {
        let space = disk::space(state_folder).map_err(|error| Failure::system("measure the free space", &error))?;
        let left = space.free;
        if left < least.0 {
            let summary = format!("little free space: {} are left", ByteSize(left));
            let mut message = Message::new(NotifyEvent::DiskLow, project, summary, "runbook doctor");
            message.why = Some(format!("`{}` is to have {least} at least", state_folder.display()));
            let day = Timestamp::now().strftime("%Y-%m-%d");
            happenings.push(Happening { subject: format!("disk_low {day}"), message, rule: None });
        }
    }
    Ok(happenings)
}

/// When a run that goes on will have taken too long.
pub(super) fn next_too_long(journal: &Journal, section: &NotifySection) -> Result<Option<i64>, Failure> {
    let limits: Vec<Span> = section.rule.iter().filter_map(|rule| rule.longer_than).collect();
    if limits.is_empty() {
        return Ok(None);
    }
    let now = Timestamp::now().as_second();
    let running = journal.runs(&RunFilter { states: vec![RunState::Running], ..RunFilter::default() })?;
    let ends = running.iter().flat_map(|run| {
        let since = run.started_at.as_second();
        limits.iter().map(move |limit| since.saturating_add(i64::try_from(limit.0.as_secs()).unwrap_or(i64::MAX)) + 1)
    });
    Ok(ends.filter(|end| *end > now).min())
}

fn of_run(journal: &Journal, project: &str, sign: &RunSign, happenings: &mut Vec<Happening>) -> Result<(), Failure> {
    let run = journal.run(sign.run)?;
    let mut add = |word: &str, message: Message| {
        let subject = format!("{} run {} {}", word, sign.run, sign.at);
        happenings.push(Happening { subject, message, rule: None });
    };
    match (sign.kind, run.state) {
        (RunSignKind::Begun, _) => add("started", about(project, &run, NotifyEvent::Started, "began")),
        (RunSignKind::Finished, RunState::Ok) => {
            add("succeeded", about(project, &run, NotifyEvent::Succeeded, "ended well"));
            if before(journal, &run)?.is_some_and(|state| state != RunState::Ok) {
                let mut message = about(project, &run, NotifyEvent::Recovered, "works again");
                message.last_good = last_good(journal, &run)?;
                add("recovered", message);
            }
        }
        (RunSignKind::Finished, RunState::Failed) => {
            let message = failed(journal, project, &run, "failed")?;
            if is_drill(journal, run.id)? {
                add("drill_failed", Message { event: NotifyEvent::DrillFailed, ..message.clone() });
            }
            add("failed", message);
        }
        (RunSignKind::Finished, RunState::Cancelled) => {
            let mut message = failed(journal, project, &run, "was stopped")?;
            message.event = NotifyEvent::Cancelled;
            add("cancelled", message);
        }
        // Of one that a schedule goes on with, or gives up, its fire tells.
        (RunSignKind::Buried, RunState::Killed) if journal.fire_of(run.id)?.is_none() => {
            add("failed", died(journal, project, &run)?);
        }
        (RunSignKind::Parked, RunState::Waiting) => {
            let mut message = about(project, &run, NotifyEvent::Waiting, "waits for somebody");
            message.why = run.parked.as_ref().map(|parked| parked.question.clone());
            message.command = format!("runbook approve {id}, or runbook reject {id}", id = run.id);
            add("waiting", message);
        }
        (RunSignKind::Parked, RunState::InDoubt) => {
            let mut message = about(project, &run, NotifyEvent::InDoubt, "does not know what became of a call");
            message.why = run.parked.as_ref().map(|parked| parked.question.clone());
            message.place = run.parked.as_ref().map(|parked| format!("call {}", parked.path));
            message.command = format!("runbook show {}", run.id);
            add("in_doubt", message);
        }
        _ => {}
    }
    Ok(())
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

fn died(journal: &Journal, project: &str, run: &RunRecord) -> Result<Message, Failure> {
    let mut message = failed(journal, project, run, "died")?;
    message.command = format!("runbook resume {id}, or runbook cancel {id}", id = run.id);
    Ok(message)
}

/// How the run before it ended.
fn before(journal: &Journal, run: &RunRecord) -> Result<Option<RunState>, Failure> {
    let states = [RunState::Ok, RunState::Failed, RunState::Killed];
    Ok(journal.newest_before(run, &states)?.map(|run| run.state))
}

fn last_good(journal: &Journal, run: &RunRecord) -> Result<Option<LastGood>, Failure> {
    let good = journal.newest_before(run, &[RunState::Ok])?;
    Ok(good.map(|good| LastGood { run: good.id, at: good.finished_at.unwrap_or(good.started_at) }))
}

fn of_fires(journal: &Journal, project: &str, fires: &[Fire], happenings: &mut Vec<Happening>) -> Result<(), Failure> {
    let rows = journal.schedules()?;
    let definitions: BTreeMap<&str, serde_json::Value> =
        rows.iter().map(|row| (row.name.as_str(), serde_json::from_str(&row.definition).unwrap_or_default())).collect();
    let message_about = |fire: &Fire, event: NotifyEvent, did: &str| {
        let says = |key: &str| {
            let value = definitions.get(fire.schedule.as_str()).and_then(|value| value[key].as_str());
            value.unwrap_or_default().to_owned()
        };
        let (runbook, environment) = (says("runbook"), says("env"));
        let place = if environment.is_empty() { String::new() } else { format!(" on {environment}") };
        let command = format!("runbook schedule history {}", fire.schedule);
        let mut message = Message::new(event, project, format!("{runbook} {did}{place}"), command);
        (message.environment, message.runbook) = (environment, runbook);
        message.schedule = Some(fire.schedule.clone());
        message.at = Timestamp::from_second(fire.at).unwrap_or(Timestamp::MIN);
        message
    };
    let mut missed: BTreeMap<&str, Vec<&Fire>> = BTreeMap::new();
    for fire in fires {
        let happening = match (fire.state, fire.result, fire.run) {
            (_, Some(FireResult::Killed), Some(run)) => {
                let mut message = died(journal, project, &journal.run(run)?)?;
                message.schedule = Some(fire.schedule.clone());
                message
            }
            (_, Some(FireResult::Refused | FireResult::Killed), _) => {
                let mut message = message_about(fire, NotifyEvent::Failed, "could not begin");
                message.why.clone_from(&fire.note);
                message
            }
            (FireState::Skipped, ..) => {
                missed.entry(&fire.schedule).or_default().push(fire);
                continue;
            }
            _ if fire.late => message_about(fire, NotifyEvent::Late, "begins late"),
            _ => continue,
        };
        let subject = format!("{} fire {}", happening.event.word(), fire.id);
        happenings.push(Happening { subject, message: happening, rule: None });
    }
    for (schedule, fires) in missed {
        let (Some(first), Some(last)) = (fires.first(), fires.last()) else { continue };
        let did = match fires.len() {
            1 => "was missed".to_owned(),
            times => format!("was missed {times} times"),
        };
        let mut message = message_about(last, NotifyEvent::Missed, &did);
        let at = |fire: &Fire| Timestamp::from_second(fire.at).unwrap_or(Timestamp::MIN);
        message.why = Some(if fires.len() == 1 {
            format!("nobody was there for the run of `{schedule}` at {}", at(first))
        } else {
            format!("nobody was there for the runs of `{schedule}` from {} to {}", at(first), at(last))
        });
        happenings.push(Happening { subject: format!("missed fire {}", last.id), message, rule: None });
    }
    Ok(())
}
