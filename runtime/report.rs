//! What people and programs see of a run. The only place that writes to the terminal, and only from journal events.
//!
//! Data goes to standard output, everything meant for people to standard error. [`Console`] is the view for people: a
//! tree of steps that is redrawn on a terminal, and plain lines in a pipe. [`JsonLines`] is the same events for
//! programs. [`failure`] renders every error of the command line and of runs alike.

mod console;
mod failure;
mod findings;
mod json;
mod output;
mod snippet;
mod style;
mod text;
mod units;

pub use console::{Console, Sources};
pub use failure::failure;
pub use findings::{findings, findings_json, findings_sarif};
pub use json::JsonLines;
pub use output::{Forgiving, stderr, stdout};
pub use snippet::snippet;
pub use style::{Style, Verbosity};
pub use units::{bytes, elapsed};

use crate::journal::Event;

/// Somebody who is told what happens in a run. Called from several threads, so it must be quick.
pub trait Sink: Send + Sync {
    /// Takes note of one event.
    fn event(&self, event: &Event);
}
