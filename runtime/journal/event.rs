use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Source;
use crate::failure::Failure;
use crate::primitive::{Change, Effect, LogStream, Progress, Site};

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

impl RunState {
    /// Is it over for good?
    pub fn is_end(self) -> bool {
        matches!(self, Self::Ok | Self::Failed | Self::Cancelled)
    }
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

/// What a person says about a call that the run cannot go on without.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The call in doubt happened; this is what it returned.
    Done {
        /// The result.
        value: Value,
    },
    /// The call in doubt happened, and nobody says what it returned.
    Happened,
    /// The call in doubt did not happen: make it.
    Retry,
    /// The call in doubt failed.
    Fail,
    /// Yes to a `confirm`.
    Approve {
        /// What was seen when it was approved: of script, parameters, environment and plan.
        digest: String,
    },
    /// No to a `confirm`.
    Reject {
        /// Why, in the person's words; may be empty.
        reason: String,
    },
}

/// How the script itself ended, before undo and always blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScriptEnd {
    /// Why it failed; none when it ended well.
    pub failure: Option<Failure>,
    /// Where in the script it failed, innermost place first.
    pub trace: Vec<Site>,
    /// Was it told to stop by a person?
    pub cancelled: bool,
    /// What it returned.
    pub result: Value,
}

/// Why a run stands still with no process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parked {
    /// `waiting` or `in_doubt`.
    pub state: RunState,
    /// The call that a person has to decide on.
    pub path: String,
    /// The question, or the call in one line.
    pub question: String,
    /// Of script, parameters, environment and plan, for the approval.
    pub digest: String,
    /// From when on nobody can say yes any more.
    pub expires: Option<Timestamp>,
    /// Since when.
    pub at: Timestamp,
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
    /// The run goes on in another process, after the first one died or the run was parked.
    RunResumed {
        /// Its number.
        run: i64,
        /// The runbook's path, relative to the project.
        runbook: String,
        /// The environment's name.
        environment: String,
        /// `user@machine`.
        by: String,
        /// How many calls had ended before.
        finished: usize,
        /// When.
        at: Timestamp,
    },
    /// The run goes on with another text of its scripts from here on.
    ScriptReplaced {
        /// The texts, the runbook's own first.
        sources: Vec<Source>,
        /// `user@machine`.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// What counted for the run from here on: what it may do, by its header, `policy.toml` and the command line.
    PolicyApplied {
        /// In the words of the three, with the hash of `policy.toml`.
        policy: Value,
        /// `user@machine` of whoever started or resumed the run.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// The run stands still until a person decides.
    RunParked {
        /// Its number.
        run: i64,
        /// Why, and for whom.
        #[serde(flatten)]
        parked: Parked,
    },
    /// A person decided on a call.
    Decided {
        /// The call.
        path: String,
        /// What.
        #[serde(flatten)]
        decision: Decision,
        /// `user@machine`.
        by: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody asked the run to stop.
    CancelRequested {
        /// `user@machine`.
        by: String,
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
    /// A call is about to put a secret somewhere that its recorded arguments do not show.
    SecretUsed {
        /// The call's path; that of the call it is asked for, where it is a look of a probe.
        path: String,
        /// The secret's name; of one that was made out of another, how.
        secret: String,
        /// Where: `env.PGPASSWORD`, `the repository's password`.
        sink: String,
        /// When.
        at: Timestamp,
    },
    /// A call that goes on left something for its probe.
    CallMarked {
        /// The call's path.
        path: String,
        /// What, redacted.
        marker: Value,
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
        /// What it changed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        /// Why it failed.
        failure: Option<Failure>,
        /// Does the recorded result lack something that was masked? Then it cannot stand in for the real one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        masked: bool,
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
    /// The script itself ended; undo and always blocks follow.
    ScriptEnded {
        /// How.
        #[serde(flatten)]
        end: ScriptEnd,
        /// When.
        at: Timestamp,
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
            Self::CallFinished { result, note, changes, failure, .. } => {
                each_string(result, change);
                for made in changes {
                    change(&mut made.what);
                    made.detail.iter_mut().for_each(&mut *change);
                }
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
            Self::CallMarked { marker, .. } => each_string(marker, change),
            Self::RunParked { parked, .. } => change(&mut parked.question),
            Self::ScriptEnded { end, .. } => {
                each_string(&mut end.result, change);
                if let Some(failure) = &mut end.failure {
                    failure.each_text(change);
                }
            }
            Self::RunResumed { .. }
            | Self::ScriptReplaced { .. }
            | Self::Decided { .. }
            | Self::PolicyApplied { .. }
            | Self::SecretUsed { .. }
            | Self::CancelRequested { .. }
            | Self::UndoStarted { .. } => {}
            Self::RunFinished { result, failure, .. } => {
                each_string(result, change);
                if let Some(failure) = failure {
                    failure.each_text(change);
                }
            }
        }
    }
}

/// Hands every text of a value, at any depth, to `change`: strings, the names in maps, and numbers, which become a string when
/// they are changed.
pub fn each_string(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Number(number) => {
            let number = number.to_string();
            let mut text = number.clone();
            change(&mut text);
            if text != number {
                *value = Value::String(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_string(item, change)),
        Value::Object(map) => {
            for (mut name, mut item) in std::mem::take(map) {
                change(&mut name);
                each_string(&mut item, change);
                map.insert(name, item);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
