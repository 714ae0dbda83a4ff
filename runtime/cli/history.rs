//! What the commands that look back share: the run log of the project here, and a run of it by number or `last`.

use std::io::{BufWriter, Write};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::places;
use crate::failure::{Failure, FailureKind};
use crate::journal::{Journal, RunFilter, RunRecord};
use crate::project::state_folder;
use crate::report;
use crate::units::Span;

/// A run as people name it: its number, or `last`.
#[derive(Clone, Copy, Debug)]
pub(super) enum RunName {
    Last,
    Number(i64),
}

impl FromStr for RunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Self::Last),
            number => number.parse().map(Self::Number).map_err(|_| "write a run's number, or `last`".into()),
        }
    }
}

/// The run log of the project here, with every run whose process is gone settled; `None` before the first run.
///
/// A full disk or a missing permission keeps nobody from looking.
pub(super) fn open() -> Result<Option<Journal>, Failure> {
    let Some(journal) = existing()? else { return Ok(None) };
    if let Err(failure) = journal.settle() {
        report::note(&format!("warning: runs whose process is gone are still shown as running: {failure}\n"));
    }
    Ok(Some(journal))
}

/// The same for whoever goes on with a run, and has to write.
pub(super) fn open_to_go_on() -> Result<Option<Journal>, Failure> {
    let Some(journal) = existing()? else { return Ok(None) };
    journal.settle()?;
    Ok(Some(journal))
}

fn existing() -> Result<Option<Journal>, Failure> {
    Journal::open_existing(&state_folder(&places::root_here()?))
}

/// The run log and the run of that name in it.
pub(super) fn open_run(name: RunName) -> Result<(Journal, RunRecord), Failure> {
    let journal = open()?.ok_or_else(|| no_runs(name))?;
    let run = find(&journal, name)?;
    Ok((journal, run))
}

/// The run of that name.
pub(super) fn find(journal: &Journal, name: RunName) -> Result<RunRecord, Failure> {
    match name {
        RunName::Number(number) => journal.run(number),
        RunName::Last => {
            let newest = journal.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?;
            newest.into_iter().next().ok_or_else(|| no_runs(name))
        }
    }
}

fn no_runs(name: RunName) -> Failure {
    let message = match name {
        RunName::Last => "there are no runs yet".to_owned(),
        RunName::Number(number) => format!("there is no run {number}: there are no runs yet"),
    };
    Failure::new(FailureKind::NotFound, message)
        .hint("`runbook run RUNBOOK` begins one")
        .hint("the runs of a project are listed inside its folder, or wherever RUNBOOK_STATE points")
}

/// Writes the answer of a command to standard output, through a buffer.
pub(super) fn answer(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(report::stdout());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::system("write to standard output", &error))
}

/// A moment in the past (`2d`, `90m`), a local day or time, or a time with its offset.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(Span(ago)) = Span::parse(text) {
        return Timestamp::now().checked_sub(ago).map_err(|_| format!("`{text}` is too long ago"));
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<DateTime>().ok().and_then(|local| local.to_zoned(TimeZone::system()).ok());
    local.map(|zoned| zoned.timestamp()).ok_or_else(|| "write `2d`, `2026-11-01` or `2026-11-01T14:30`".into())
}
