//! What became of fires of schedules.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::message::{LastGood, Message};
use super::Happening;
use super::run::{add_failed, died};
use super::tries::tries;
use crate::failure::Failure;
use crate::journal::{Fire, FireResult, FireState, Journal, RunFilter, RunState};
use crate::project::NotifyEvent;

/// What somebody may want to be told of these fires: those that nobody was there for, once for all times of a schedule.
pub(super) fn of_fires(
    journal: &Journal,
    project: &str,
    fires: &[Fire],
    happenings: &mut Vec<Happening>,
) -> Result<(), Failure> {
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
        message.at = moment(fire.at);
        message
    };
    let mut missed: BTreeMap<&str, Vec<&Fire>> = BTreeMap::new();
    for fire in fires {
        let mut add = |message: Message| {
            let subject = format!("{} fire {}", message.event.word(), fire.id);
            happenings.push(Happening { subject, message, rule: None });
        };
        if fire.late && fire.state != FireState::Skipped && fire.result != Some(FireResult::Refused) {
            let mut message = message_about(fire, NotifyEvent::Late, "begins late");
            message.why = Some(format!("nobody was there at its time: it was due at {}", moment(fire.at)));
            message.last_good = last_good(journal, &message)?;
            add(message);
        }
        match (fire.state, fire.result, fire.run) {
            (_, Some(FireResult::Killed), Some(run)) => {
                let mut message = died(journal, project, &journal.run(run)?)?;
                (message.schedule, message.tries) = (Some(fire.schedule.clone()), Some(tries(fire)));
                add(message);
            }
            (_, Some(FireResult::Refused | FireResult::Killed), _) => {
                let mut message = message_about(fire, NotifyEvent::Failed, "could not begin");
                message.why.clone_from(&fire.note);
                message.tries = Some(tries(fire));
                message.last_good = last_good(journal, &message)?;
                add(message);
            }
            // Also of one whose next try is left out.
            (_, Some(FireResult::Failed), Some(run)) | (FireState::Skipped, _, Some(run)) => {
                add_failed(journal, project, &journal.run(run)?, Some(fire), happenings)?;
            }
            (FireState::Skipped, ..) => missed.entry(&fire.schedule).or_default().push(fire),
            _ => {}
        }
    }
    for (schedule, fires) in missed {
        let (Some(first), Some(last)) = (fires.first(), fires.last()) else { continue };
        let did = match fires.len() {
            1 => "was missed".to_owned(),
            times => format!("was missed {times} times"),
        };
        let mut message = message_about(last, NotifyEvent::Missed, &did);
        message.why = Some(if fires.len() == 1 {
            format!("nobody was there for the run of `{schedule}` at {}", moment(first.at))
        } else {
            format!("nobody was there for the runs of `{schedule}` from {} to {}", moment(first.at), moment(last.at))
        });
        message.last_good = last_good(journal, &message)?;
        happenings.push(Happening { subject: format!("missed fire {}", last.id), message, rule: None });
    }
    Ok(())
}

/// The newest run that ended well of what a message is about.
fn last_good(journal: &Journal, message: &Message) -> Result<Option<LastGood>, Failure> {
    let filter = RunFilter {
        runbook: Some(message.runbook.clone()),
        environment: Some(message.environment.clone()).filter(|name| !name.is_empty()),
        states: vec![RunState::Ok],
        limit: Some(1),
        ..RunFilter::default()
    };
    Ok(journal.runs(&filter)?.pop().map(LastGood::from))
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
}
