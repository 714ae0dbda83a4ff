//! What happened, kept: runs, calls, logs, releases and locks.

mod event;

pub use event::{CallState, Event, RunState};
