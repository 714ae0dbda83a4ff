use std::io::{Result, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Style;
use super::style::Paint;
use super::table::{Cell, Column, table};
use super::text::clean;
use crate::journal::{Fire, FireResult, FireState, SkipReason};

/// A schedule, as it is listed.
pub struct ScheduleLine {
    /// Its name.
    pub name: String,
    /// When it fires, in words.
    pub when: String,
    /// In which time zone.
    pub zone: String,
    /// The next fire.
    pub next: Option<Timestamp>,
    /// What runs.
    pub runbook: String,
    /// On which environment.
    pub environment: String,
    /// Who paused it.
    pub paused: Option<String>,
    /// What became of its newest fire.
    pub last: Option<&'static str>,
}

const SCHEDULES: [Column; 7] = [
    Column::text("SCHEDULE"),
    Column::text("WHEN"),
    Column::cuttable("ZONE", 6),
    Column::text("NEXT"),
    Column::cuttable("RUNBOOK", 12),
    Column::cuttable("ENV", 4),
    Column::text("LAST"),
];

/// Lists schedules, one line each, with their next fires in their own zones.
pub fn schedules(out: &mut dyn Write, lines: &[ScheduleLine], style: Style) -> Result<()> {
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            let zone = TimeZone::get(&line.zone).unwrap_or(TimeZone::UTC);
            let next = match (&line.paused, line.next) {
                (Some(by), _) => format!("paused by {by}"),
                (None, Some(next)) => next.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z").to_string(),
                (None, None) => "never again".to_owned(),
            };
            let texts = [
                clean(&line.name),
                line.when.clone(),
                line.zone.clone(),
                next,
                clean(&line.runbook),
                clean(&line.environment),
                line.last.unwrap_or("-").to_owned(),
            ];
            texts.into_iter().map(|text| (text, None)).collect()
        })
        .collect();
    table(out, &SCHEDULES, &rows, style)
}

const FIRES: [Column; 5] = [
    Column::text("EXPECTED"),
    Column::text("SCHEDULE"),
    Column::text("WHAT"),
    Column::number("RUN"),
    Column::cuttable("NOTE", 8),
];

/// Lists fires, one line each.
pub fn fires(out: &mut dyn Write, fires: &[Fire], style: Style) -> Result<()> {
    let rows: Vec<Vec<Cell>> = fires
        .iter()
        .map(|fire| {
            let at = Timestamp::from_second(fire.at).unwrap_or(Timestamp::MIN);
            let at = at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
            let (word, paint) = (fire_word(fire), fire_paint(fire));
            let run = fire.run.map_or_else(String::new, |run| run.to_string());
            let mut notes = Vec::new();
            if fire.manual {
                notes.push("asked for".to_owned());
            }
            if fire.attempt > 1 {
                notes.push(format!("try {}", fire.attempt));
            }
            if fire.resumes > 0 {
                notes.push(if fire.resumes == 1 {
                    "gone on with once".to_owned()
                } else {
                    format!("gone on with {} times", fire.resumes)
                });
            }
            notes.extend(fire.note.as_ref().and_then(|note| note.lines().next()).map(clean));
            vec![
                (at, None),
                (clean(&fire.schedule), None),
                (word.to_owned(), paint),
                (run, None),
                (notes.join(", "), None),
            ]
        })
        .collect();
    table(out, &FIRES, &rows, style)
}

/// What became of a fire, in a word or two.
pub fn fire_word(fire: &Fire) -> &'static str {
    match (fire.state, fire.reason, fire.result) {
        (FireState::Due, ..) => "due",
        (FireState::Starting, ..) => "starting",
        (FireState::Running, ..) => "running",
        (FireState::Skipped, Some(SkipReason::Overlap), _) => "skipped: overlap",
        (FireState::Skipped, Some(SkipReason::Paused), _) => "skipped: paused",
        (FireState::Skipped, Some(SkipReason::Deadline), _) => "skipped: deadline",
        (FireState::Skipped, Some(SkipReason::Clock), _) => "skipped: clock",
        (FireState::Skipped, ..) => "skipped: missed",
        (FireState::Ran, _, Some(FireResult::Failed)) => "failed",
        (FireState::Ran, _, Some(FireResult::Cancelled)) => "cancelled",
        (FireState::Ran, _, Some(FireResult::Killed)) => "killed",
        (FireState::Ran, _, Some(FireResult::Refused)) => "refused",
        (FireState::Ran, ..) => "ok",
    }
}

fn fire_paint(fire: &Fire) -> Option<Paint> {
    match (fire.state, fire.result) {
        (FireState::Ran, Some(FireResult::Ok)) => Some(Paint::Good),
        (FireState::Ran, _) => Some(Paint::Bad),
        (FireState::Skipped, _) => Some(Paint::Faint),
        _ => None,
    }
}
