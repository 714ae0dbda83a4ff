use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What became of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// Deployed by a run that has not ended yet.
    Pending,
    /// Its run ended well.
    Good,
    /// Its run failed.
    Failed,
}

/// What ran for a compose project at one moment: images by digest, and every container's configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Release {
    /// Counts up from 1 within a project and environment.
    pub number: i64,
    /// The compose project.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// The run that recorded it.
    pub run: i64,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    pub state: ReleaseState,
    /// The `release` handle as `app.release()` returns it: services, digests, configuration.
    pub content: Value,
}
