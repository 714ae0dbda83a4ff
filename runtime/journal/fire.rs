//! What is kept of schedules: what was expected of them, and what became of each fire. Times are seconds since 1970.

use serde::{Deserialize, Serialize};

use super::RunState;

/// A schedule as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleRow {
    /// Its name.
    pub name: String,
    /// What it says, as JSON.
    pub definition: String,
    /// Every fire up to here has its row.
    pub accounted: i64,
    /// Who paused it, and when.
    pub paused: Option<Pause>,
}

/// A schedule does not run for the time being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// `user@machine`.
    pub by: String,
    /// Since when.
    pub at: i64,
}

/// Where a fire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FireState {
    /// It is to run, and waits for its time, its turn or another try.
    Due,
    /// Its worker has been told to begin, and has not begun.
    Starting,
    /// Its run has begun.
    Running,
    /// It ran; whatever came of it.
    Ran,
    /// It did not run.
    Skipped,
}

/// Why a fire did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Nobody was there at its time.
    Missed,
    /// The run before still went on.
    Overlap,
    /// The schedule was paused.
    Paused,
    /// Its time had been over for too long when it could have begun.
    Deadline,
    /// The clock was set past its time.
    Clock,
}

/// How a fire that ran ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FireResult {
    /// As it should.
    Ok,
    /// With a failure.
    Failed,
    /// It was stopped.
    Cancelled,
    /// Its process died.
    Killed,
    /// It never began: the runbook or its parameters were refused.
    Refused,
}

/// One expected fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fire {
    /// Its number.
    pub id: i64,
    /// The schedule.
    pub schedule: String,
    /// The time the schedule says.
    pub at: i64,
    /// Did a person ask for it, besides what was expected?
    pub manual: bool,
    /// When it is to begin: later than `at` by the jitter, or by the wait before another try.
    pub due: i64,
    /// Was nobody there at its time?
    pub late: bool,
    /// Where it is.
    pub state: FireState,
    /// Why it did not run.
    pub reason: Option<SkipReason>,
    /// How it ended.
    pub result: Option<FireResult>,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// How often its run was gone on with after a crash.
    pub resumes: u32,
    /// What the worker that may begin this try shows.
    #[serde(skip)]
    pub ticket: String,
    /// Its newest run.
    pub run: Option<i64>,
    /// The state of that run.
    pub run_state: Option<RunState>,
    /// When that run began.
    pub run_since: Option<i64>,
    /// What there is to say: why it never began.
    pub note: Option<String>,
}

/// What the worker of a fire shows, so that of all that were ever started for it one begins its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FireTicket {
    /// The fire's number.
    pub fire: i64,
    /// Its ticket of now.
    pub ticket: String,
}

impl std::str::FromStr for FireTicket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':').and_then(|(fire, ticket)| Some((fire.parse().ok()?, ticket)));
        let (fire, ticket) = parts.ok_or("write a fire's number, a colon and its ticket")?;
        Ok(Self { fire, ticket: ticket.to_owned() })
    }
}

impl std::fmt::Display for FireTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.fire, self.ticket)
    }
}

/// Which clock showed what when the ledger was last looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// Seconds since 1970.
    pub wall: i64,
    /// Seconds since the machine was started, time asleep included.
    pub up: i64,
    /// Which start that was.
    pub boot: String,
}

/// One thing to change in the ledger. All changes of a step are one transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum FireChange {
    /// A schedule is new, or says something else from now on.
    Register {
        /// Its name.
        name: String,
        /// What it says.
        definition: String,
        /// Fires after this are expected.
        accounted: i64,
    },
    /// A schedule is no longer there.
    Remove {
        /// Its name.
        name: String,
    },
    /// The clock was set back to there: fires after it that were left out are expected again.
    Rewind {
        /// The time.
        to: i64,
    },
    /// A fire was expected. It gets its row unless it has one.
    Expect {
        /// The schedule.
        schedule: String,
        /// The time the schedule says.
        at: i64,
        /// When it is to begin.
        due: i64,
        /// Was nobody there at its time?
        late: bool,
        /// Why it is left out, if it is.
        skip: Option<SkipReason>,
    },
    /// A fire that waited is left out.
    Skip {
        /// Its number.
        fire: i64,
        /// Why.
        reason: SkipReason,
    },
    /// Its worker is told to begin.
    Start {
        /// Its number.
        fire: i64,
        /// What the worker has to show.
        ticket: String,
    },
    /// Nobody knows whether its worker lives: it waits again, and that worker may no longer begin.
    Return {
        /// Its number.
        fire: i64,
    },
    /// It is tried once more.
    Retry {
        /// Its number.
        fire: i64,
        /// When.
        due: i64,
    },
    /// Its run is gone on with.
    Resume {
        /// Its number.
        fire: i64,
    },
    /// It ran.
    Close {
        /// Its number.
        fire: i64,
        /// How that ended.
        result: FireResult,
        /// What there is to say.
        note: Option<String>,
    },
    /// What the clocks show.
    Seen(ClockReading),
}
