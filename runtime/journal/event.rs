use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::Failure;
use crate::primitive::{Effect, LogStream, Progress, Site};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A live process executes it.
    Running,
    /// It waits for a person.
    Waiting,
    /// A call was started and nobody knows whether it happened.
    InDoubt,
    /// Ended well.
    Ok,
    /// A call failed and nothing caught it.
    Failed,
    /// A person or its time limit stopped it.
    Cancelled,
    /// Its process died without saying how it ended.
    Killed,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// Begun, not ended.
    Started,
    /// Ended well.
    Done,
    /// Failed.
    Failed,
    /// Told to stop.
    Cancelled,
}

/// One thing that happened in a run. The journal stores it, the console and `--json` show it: all from the same record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Its number.
        run: i64,
        /// The runbook's path, relative to the project.
        runbook: String,
        /// The runbook's first header line, empty when it has none.
        title: String,
        /// The environment's name.
        environment: String,
        /// Parameters with defaults filled in.
        parameters: Value,
        /// When.
        at: Timestamp,
    },
    /// A call is about to take effect.
    CallStarted {
        /// The call's path, as in `3.1.2`.
        path: String,
        /// The primitive's qualified name: `step`, `compose.up`.
        name: String,
        /// One line for people; a step's own name.
        title: String,
        /// What it does to the world.
        effect: Effect,
        /// Arguments and options, redacted.
        arguments: Value,
        /// Where the script makes it.
        site: Site,
        /// When.
        at: Timestamp,
    },
    /// A call ended.
    CallFinished {
        /// The call's path.
        path: String,
        /// How.
        state: CallState,
        /// What it returned, redacted; null when it failed.
        result: Value,
        /// Whether it changed anything; null for reads.
        changed: Option<bool>,
        /// A few words: `3 recreated, 1 unchanged`.
        note: Option<String>,
        /// Why it failed.
        failure: Option<Failure>,
        /// How long it took, in milliseconds.
        milliseconds: u64,
        /// When.
        at: Timestamp,
    },
    /// A line of output.
    Log {
        /// The call it belongs to; empty for the run itself.
        path: String,
        /// Where it comes from.
        stream: LogStream,
        /// The line, redacted, without its line end.
        line: String,
        /// When.
        at: Timestamp,
    },
    /// How far a call is. Shown, not stored.
    Progress {
        /// The call.
        path: String,
        /// How far.
        #[serde(flatten)]
        progress: Progress,
    },
    /// The undo blocks begin to run.
    UndoStarted {
        /// How many there are.
        blocks: usize,
        /// When.
        at: Timestamp,
    },
    /// The run ended.
    RunFinished {
        /// Its number.
        run: i64,
        /// How.
        state: RunState,
        /// Why it failed.
        failure: Option<Failure>,
        /// Where in the script it failed, innermost place first.
        trace: Vec<Site>,
        /// What the script returned.
        result: Value,
        /// How long it took, in milliseconds.
        milliseconds: u64,
        /// When.
        at: Timestamp,
    },
}

impl Event {
    /// Hands every text of the event that may hold what a call saw or was given to `change`: the redactor.
    pub fn each_text(&mut self, change: &mut dyn FnMut(&mut String)) {
        match self {
            Self::RunStarted { parameters, .. } => each_string(parameters, change),
            Self::CallStarted { title, arguments, .. } => {
                change(title);
                each_string(arguments, change);
            }
            Self::CallFinished { result, note, failure, .. } => {
                each_string(result, change);
                if let Some(note) = note {
                    change(note);
                }
                if let Some(failure) = failure {
                    failure.each_text(change);
                }
            }
            Self::Log { line, .. } => change(line),
            Self::Progress { progress, .. } => {
                change(&mut progress.item);
                change(&mut progress.doing);
            }
            Self::UndoStarted { .. } => {}
            Self::RunFinished { result, failure, .. } => {
                each_string(result, change);
                if let Some(failure) = failure {
                    failure.each_text(change);
                }
            }
        }
    }
}

fn each_string(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_string(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| each_string(item, change)),
        _ => {}
    }
}
