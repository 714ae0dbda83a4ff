use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who holds a lock, since when, and where they are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// The lock's name, as in `deploy/prod`.
    pub name: String,
    /// The run that holds it.
    pub run: i64,
    /// `user@machine`.
    pub owner: String,
    /// The step the holder was in when it last said so.
    pub step: String,
    /// Since when.
    pub since: Timestamp,
    /// Grows by one with every new holder; a later holder's is always larger.
    pub fence: i64,
}

/// A wish to hold a lock.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// The lock's name.
    pub name: String,
    /// How long to wait for the present holder before giving up; zero refuses at once.
    pub wait: Duration,
}
