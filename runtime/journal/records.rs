//! What the journal is given and what it gives back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallState, Decision, FireTicket, Parked, Redacted, RunState, ScriptEnd};
use crate::failure::Failure;
use crate::primitive::{Change, Effect, Site};

/// The text of a script or module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Relative to the project; `std/deploy` for the embedded library.
    pub path: String,
    /// The text, byte for byte.
    pub text: String,
}

/// A run about to begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewRun {
    /// The runbook's path, relative to the project.
    pub runbook: String,
    /// The runbook's first header line, empty when it has none.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// The environment's values, without secrets.
    pub environment_values: Value,
    /// Parameters with defaults filled in.
    pub parameters: Value,
    /// The project's folder, absolute.
    pub project_root: String,
    /// The git revision of the project, where there is one.
    pub revision: Option<String>,
    /// `user@machine`.
    pub started_by: String,
    /// The runbook's text first, then every module it may load.
    #[serde(skip)]
    pub sources: Vec<Source>,
    /// The run whose version this one repeats.
    pub from_run: Option<i64>,
    /// The run's name in the world: 16 hexadecimal digits that no other run of any machine has.
    pub uid: String,
    /// What the run was planned to do, when it follows a plan.
    pub plan: Option<Value>,
    /// What the command line took away from it; it stays away when the run is resumed.
    #[serde(default)]
    pub narrowing: Value,
    /// What it may do ([`PolicyApplied`](super::Event::PolicyApplied)): recorded with its beginning, for which others may wait.
    #[serde(skip)]
    pub policy: Option<Redacted>,
    /// The fire of a schedule that it runs for: the two are tied in one transaction.
    #[serde(skip)]
    pub fire: Option<FireTicket>,
}

/// A run as the journal keeps it.
#[derive(Clone, Debug, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub id: i64,
    /// Its name in the world: 16 hexadecimal digits.
    pub uid: String,
    /// The runbook's path, relative to the project.
    pub runbook: String,
    /// The runbook's first header line, empty when it has none.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// The environment's values at that time.
    pub environment_values: Value,
    /// Parameters with defaults filled in.
    pub parameters: Value,
    /// The project's folder.
    pub project_root: String,
    /// The git revision of the project, where there was one.
    pub revision: Option<String>,
    /// `user@machine`.
    pub started_by: String,
    /// The run whose version this one repeated.
    pub from_run: Option<i64>,
    /// Where it stands.
    pub state: RunState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; for a killed run, its last sign of life.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in milliseconds, since it began or was gone on with; none while it runs.
    pub milliseconds: Option<u64>,
    /// Since when the process named here has it, or had it: since it began or was gone on with.
    pub owned_since: Timestamp,
    /// How many undo blocks ran or were to run; none when nothing was undone.
    pub undo_blocks: Option<usize>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Where in the script it failed, innermost place first.
    pub trace: Vec<Site>,
    /// What the script returned.
    pub result: Value,
    /// What it was planned to do, when it followed a plan.
    pub plan: Option<Value>,
    /// Why it stands still, while it does.
    pub parked: Option<Parked>,
    /// How the script itself ended, once it has.
    pub script_end: Option<ScriptEnd>,
    /// The machine it ran on.
    pub machine: String,
    /// Its process.
    pub pid: i64,
}

/// A call as the journal keeps it.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// Its path, as in `3.1.2`.
    pub path: String,
    /// The primitive's qualified name: `step`, `compose.up`.
    pub name: String,
    /// One line for people; a step's own name.
    pub title: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Arguments and options, redacted.
    pub arguments: Value,
    /// Where the script makes it.
    pub site: Site,
    /// Where it stands; `started` in a run that has ended means that nobody knows whether it happened.
    pub state: CallState,
    /// What it returned, redacted.
    pub result: Value,
    /// Whether it changed anything; none for reads.
    pub changed: Option<bool>,
    /// A few words: `3 recreated, 1 unchanged`.
    pub note: Option<String>,
    /// What it changed.
    pub changes: Vec<Change>,
    /// Does the result lack something that was masked?
    pub masked: bool,
    /// What it left for its probe.
    pub marker: Option<Value>,
    /// What a person decided on it, and who.
    pub decision: Option<(Decision, String)>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub milliseconds: Option<u64>,
}

impl CallRecord {
    /// Is it something people named: a `step`, or a block that the run calls at its end (`undo`, `always`)?
    pub fn is_step(&self) -> bool {
        self.name == "step" || self.is_closing_block()
    }

    /// Is it an undo or always block as the run calls it, rather than its registration by the script?
    fn is_closing_block(&self) -> bool {
        ["undo", "always"].contains(&self.name.as_str())
            && self.path.split_once('.').is_some_and(|(first, _)| first == self.name)
    }
}

/// Which runs to list. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// The runbook's path, or its name with or without folder and `.rhai`.
    pub runbook: Option<String>,
    /// The environment's name.
    pub environment: Option<String>,
    /// One of these states; empty for any.
    pub states: Vec<RunState>,
    /// Begun at or after this.
    pub since: Option<Timestamp>,
    /// Begun before this.
    pub until: Option<Timestamp>,
    /// At most so many, the newest; `None` for all.
    pub limit: Option<usize>,
}

/// A call's path and those of the calls around it, innermost first: `3.1.2`, `3.1`, `3`.
///
/// Not every one of them is a call: `3.1` may be the first branch of the `parallel` at `3`.
pub fn around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(outer, _)| outer))
}
