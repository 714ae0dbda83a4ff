//! What a project file, or the header of a runbook, says about when something runs by itself.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::DstPolicy;
use crate::units::Span;

/// `[schedule.NAME]` of a project file, or what follows `@schedule NAME` in a header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduleEntry {
    /// The runbook, relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// The environment it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
    /// Its parameters.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// When: a cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// When: every so often.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exactly")]
    pub every: Option<Span>,
    /// When: at these times, once each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<String>,
    /// The time zone of everything above and below; that of the machine when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What is done about times that a change of the clocks skips or repeats.
    pub dst: DstPolicy,
    /// The first day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The last day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Days to leave out: `2026-12-25`, or `12-25` for that day of every year.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Begin up to so much later, always by the same amount for the same schedule.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exactly")]
    pub jitter: Option<Span>,
    /// What happens when the run before still goes on.
    pub overlap: Overlap,
    /// What happens with fires that nobody was there for.
    pub missed: Missed,
    /// How many missed fires `missed = "all"` makes up for at most.
    pub missed_limit: usize,
    /// How long after its time a fire may still begin.
    #[serde(serialize_with = "exact")]
    pub deadline: Span,
    /// How long a run may take.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exactly")]
    pub timeout: Option<Span>,
    /// How often a run that failed is begun again.
    pub retries: u32,
    /// How long to wait before the first of these; twice as long before each later one.
    #[serde(serialize_with = "exact")]
    pub backoff: Span,
    /// Names of which only one run at a time holds each, whatever its schedule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mutexes: Vec<String>,
    /// What happens with a run whose process died.
    pub on_crash: OnCrash,
}

impl ScheduleEntry {
    /// As the ledger keeps it: the same for all that say the same.
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Is a fire begun again when its try with this number, from 1, fails?
    pub fn tries_again_after(&self, attempt: u32) -> bool {
        attempt <= self.retries
    }
}

impl Default for ScheduleEntry {
    /// What holds where nothing is said.
    fn default() -> Self {
        Self {
            runbook: None,
            env: None,
            parameters: Map::new(),
            cron: None,
            every: None,
            at: Vec::new(),
            zone: None,
            dst: DstPolicy::default(),
            from: None,
            until: None,
            except: Vec::new(),
            jitter: None,
            overlap: Overlap::default(),
            missed: Missed::default(),
            missed_limit: 10,
            deadline: Span::seconds(24 * 60 * 60),
            timeout: None,
            retries: 0,
            backoff: Span::seconds(60),
            mutexes: Vec::new(),
            on_crash: OnCrash::default(),
        }
    }
}

/// What happens when the run before still goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// The new fire is left out.
    #[default]
    Skip,
    /// It waits, until its deadline.
    Queue,
    /// Both run.
    Allow,
    /// The run before is stopped in good order, then it begins.
    Replace,
}

/// What happens with fires that nobody was there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missed {
    /// The latest is made up for.
    #[default]
    Latest,
    /// All are, the newest `missed_limit` of them, one after the other.
    All,
    /// None is.
    Skip,
}

/// What happens with a run whose process died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCrash {
    /// It goes on where it was.
    #[default]
    Resume,
    /// It counts as failed.
    Fail,
    /// It stands still until somebody decides.
    Ask,
}

/// Nothing is lost: people's form of a duration leaves the seconds of an hour away.
fn exact<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}ms", span.0.as_millis()))
}

#[allow(clippy::ref_option, reason = "serde asks for this form")]
fn exactly<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    exact(&span.unwrap_or_default(), serializer)
}
