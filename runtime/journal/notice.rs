//! What is kept of notifications: what is to be told to whom, and whether it was. Times are seconds since 1970.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something to tell somebody.
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// What it is about: the same is told on the same way once.
    pub subject: String,
    /// The way.
    pub channel: String,
    /// The environment it is about; empty when about none.
    pub environment: String,
    /// What, after the redactor.
    pub message: Value,
    /// When it is to be sent.
    pub due: i64,
    /// May it be sent together with others?
    pub bundled: bool,
    /// From when on it is no longer tried.
    pub expires: i64,
}

/// Where a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It is to be sent, or to be tried again.
    Waiting,
    /// Whoever was to get it has taken it.
    Sent,
    /// It could not be sent in time.
    GivenUp,
}

/// A notice as it is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// What it is about.
    pub subject: String,
    /// The way.
    pub channel: String,
    /// The environment it is about; empty when about none.
    pub environment: String,
    /// What.
    pub message: Value,
    /// Since when it is there.
    pub created: i64,
    /// When it is sent, or tried again.
    pub due: i64,
    /// May it be sent together with others?
    pub bundled: bool,
    /// From when on it is no longer tried.
    pub expires: i64,
    /// How often it was tried.
    pub attempt: u32,
    /// Where it is.
    pub state: NoticeState,
    /// Why it could not be sent the last time.
    pub problem: Option<String>,
}

/// What came of trying to send one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// It was taken.
    Sent,
    /// It was not: it is tried again then.
    Again {
        /// When.
        due: i64,
        /// Why it was not, after the redactor.
        problem: String,
    },
    /// It was not, and is not tried again.
    GivenUp {
        /// Why, after the redactor.
        problem: String,
    },
}

/// Something in a run's entries that people may want to be told of.
#[derive(Clone, Debug)]
pub struct RunSign {
    /// The run.
    pub run: i64,
    /// What.
    pub kind: RunSignKind,
    /// When, in microseconds since 1970.
    pub at: i64,
}

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunSignKind {
    /// It began.
    Begun,
    /// It ended.
    Finished,
    /// It waits for a person, or is in doubt.
    Parked,
    /// Its process was found dead.
    Buried,
}
