//! What happened that people may want to be told of, read from the run log.

mod fire;
mod run;
mod tries;

use std::path::Path;

use jiff::Timestamp;

use super::message::Message;
use super::rules;
use crate::drivers::disk;
use crate::failure::Failure;
use crate::journal::{Fire, Journal, RunFilter, RunState};
use crate::project::{NotifyEvent, NotifySection};
use crate::units::{ByteSize, Span};
use fire::of_fires;
use run::{of_run, too_long};

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
                if took.as_secs() < i64::try_from(limit.0.as_secs()).unwrap_or(i64::MAX)
                    || !rules::is_about(rule, &run.environment, &run.runbook)
                {
                    continue;
                }
                let subject = format!("too_long run {} {limit}", run.id);
                // It is looked at again and again, and told once.
                if journal.is_noticed(&subject)? {
                    continue;
                }
                let message = too_long(journal, project, &run, limit)?;
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
            message.place = Some(state_folder.display().to_string());
            message.why = Some(format!("{least} are to be free there at least, and it has {}", ByteSize(space.total)));
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
