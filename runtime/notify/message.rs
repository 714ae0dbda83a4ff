use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::failure::Evidence;
use crate::journal::RunRecord;
use crate::project::NotifyEvent;

/// How many bytes of a piece of evidence are told.
const SHOWN: usize = 1_500;

/// What somebody is told: it explains itself to a person who sees nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// What kind of thing happened.
    pub event: NotifyEvent,
    /// In one line: `deploy.rhai failed on prod`.
    pub summary: String,
    /// The project.
    pub project: String,
    /// The environment; empty when it is about none.
    pub environment: String,
    /// The runbook; empty when it is about none.
    pub runbook: String,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<i64>,
    /// The schedule.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub schedule: Option<String>,
    /// How often it was tried, of what a schedule tries.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tries: Option<u32>,
    /// The machine.
    pub machine: String,
    /// Who or what started it; empty when nothing was.
    pub started_by: String,
    /// When it happened.
    pub at: Timestamp,
    /// Where: the step, and the line of the script.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// What was seen.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub evidence: Vec<Evidence>,
    /// The last run that ended well before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_good: Option<LastGood>,
    /// What to type.
    pub command: String,
}

/// A run that ended well.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastGood {
    /// Its number.
    pub run: i64,
    /// When it ended.
    pub at: Timestamp,
}

impl From<RunRecord> for LastGood {
    fn from(run: RunRecord) -> Self {
        Self { run: run.id, at: run.finished_at.unwrap_or(run.started_at) }
    }
}

impl Message {
    /// One of which only this is known.
    pub fn new(event: NotifyEvent, project: &str, summary: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            event,
            summary: summary.into(),
            project: project.to_owned(),
            environment: String::new(),
            runbook: String::new(),
            run: None,
            schedule: None,
            tries: None,
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            started_by: String::new(),
            at: Timestamp::now(),
            place: None,
            why: None,
            evidence: Vec::new(),
            last_good: None,
            command: command.into(),
        }
    }

    /// Hands every text that may hold what a run saw or was given to `change`: the redactor.
    pub fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        change(&mut self.summary);
        self.place.iter_mut().chain(&mut self.why).for_each(&mut *change);
        for piece in &mut self.evidence {
            change(&mut piece.title);
            change(&mut piece.text);
        }
    }

    /// All but the summary, for people, a line for each thing.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let run = self.run.map(|run| format!("run {run}"));
        let of = self.schedule.as_ref().map(|schedule| format!("schedule {schedule}"));
        let tried = self.tries.filter(|tries| *tries > 1).map(|tries| format!("try {tries}"));
        let rest = [format!("project {}", self.project), self.machine.clone()];
        let what: Vec<String> = run.into_iter().chain(tried).chain(of).chain(rest).collect();
        lines.push(("what", what.join(", ")));
        lines.extend(self.place.clone().map(|place| ("where", place)));
        lines.extend(self.why.clone().map(|why| ("why", why)));
        lines.push(("when", clock(self.at)));
        if !self.started_by.is_empty() {
            lines.push(("by", self.started_by.clone()));
        }
        let last_good = self.last_good.as_ref();
        lines.extend(last_good.map(|good| ("last good", format!("run {}, {}", good.run, clock(good.at)))));
        lines
    }

    /// The whole of it as plain text.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.summary);
        for (name, value) in self.details() {
            text.push_str(&format!("{name:<10} {}\n", value.replace('\n', "\n           ")));
        }
        for piece in &self.evidence {
            text.push_str(&format!("\n{}:\n", piece.title));
            for line in shown(&piece.text).lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text.push_str(&format!("\nnext: {}\n", self.command));
        text
    }
}

/// The end of a text: what went wrong is said last.
pub(super) fn shown(text: &str) -> String {
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    let from = text.char_indices().map(|(place, _)| place).find(|place| text.len() - place <= SHOWN).unwrap_or(0);
    format!("…{}", &text[from..])
}

fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}
