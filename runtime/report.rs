//! What people and programs see of a run. The only place that writes to the terminal, and only from journal events.
//!
//! Data goes to standard output, everything meant for people to standard error. [`Console`] is the view for people: a
//! tree of steps that is redrawn on a terminal, and plain lines in a pipe. [`JsonLines`] is the same events for
//! programs. [`failure`] renders every error of the command line and of runs alike.

mod condition;
mod console;
mod diff;
mod document;
mod failure;
mod findings;
mod json;
mod logs;
mod output;
mod runs;
mod show;
mod snippet;
mod state;
#[allow(dead_code)]
mod style;
mod table;
mod text;
mod units;

pub use condition::{Condition, State, conditions};
pub use console::{Console, Sources};
pub use diff::diff;
pub use document::{document, json_line};
pub use failure::failure;
pub use findings::{findings, findings_json, findings_sarif};
pub use json::JsonLines;
pub use logs::LogLines;
pub use output::{Forgiving, note, stderr, stdout};
pub use runs::runs;
pub use show::{Details, show};
pub use snippet::snippet;
pub use state::outcome;
pub use style::{Style, Verbosity};
pub use units::{bytes, elapsed};

use crate::journal::Event;

/// Somebody who is told what happens in a run. Called from several threads, so it must be quick.
pub trait Sink: Send + Sync {
    /// Takes note of one event.
    fn event(&self, event: &Event);
}
