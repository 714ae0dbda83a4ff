//! What people and programs see of a run. The only place that writes to the terminal, and only from journal events.
//!
//! Data goes to standard output, everything meant for people to standard error. [`Console`] is the view for people: a
//! tree of steps that is redrawn on a terminal, and plain lines in a pipe. [`JsonLines`] is the same events for
//! programs. [`failure`] renders every error of the command line and of runs alike.

mod audit;
mod condition;
mod console;
mod diff;
mod document;
mod explanation;
mod failure;
mod findings;
mod json;
mod listing;
mod logs;
mod notices;
mod output;
mod plan;
mod runs;
mod schedules;
mod show;
mod snippet;
mod standing;
mod state;
mod statistics;
#[allow(dead_code)]
mod style;
mod table;
mod text;
mod top;
mod units;
mod verdict;

pub use audit::audit;
pub use condition::{Condition, State, conditions};
pub use console::{Console, Sources};
pub use diff::diff;
pub use document::{document, json_line};
pub use explanation::explanation;
pub use failure::failure;
pub use findings::{findings, findings_json, findings_sarif};
pub use json::JsonLines;
pub use listing::listing;
pub use logs::LogLines;
pub use notices::notices;
pub use output::{Forgiving, note, stderr, stdout};
pub use plan::plan;
pub use runs::runs;
pub use schedules::{ScheduleLine, fire_word, fires, schedules};
pub use show::{Details, show};
pub use snippet::snippet;
pub use state::outcome;
pub use statistics::statistics;
pub use style::{Style, Verbosity};
pub use top::{Overview, top};
pub use units::{bytes, elapsed};
pub use verdict::{state_verdict, verdict};

use crate::journal::Redacted;

/// Somebody who is told what happens in a run. Called from several threads, so it must be quick.
pub trait Sink: Send + Sync {
    /// Takes note of one event.
    fn event(&self, event: &Redacted);
}
