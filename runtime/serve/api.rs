//! Asking the service over HTTP: one table of routes ([`ROUTES`]), each with what it takes to be let through.
//!
//! It has a thread and a connection to the run log of its own: however long an answer takes, no fire waits for it. Whoever may not
//! do something learns nothing else than that there is no such thing.

mod answer;
mod backups;
mod entry;
mod follow;
mod guard;
mod handlers;
mod metrics;
mod openapi;
mod query;
mod routes;
mod server;
mod start;
mod token;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::journal::Journal;
use crate::project::{ApiSection, BackupRepository, WebhookEntry};
use crate::units::ByteSize;

pub use routes::{Field, Permission, ROUTES, Route, SCOPES};
pub use token::{Token, mint};

/// What is known of the project, asked anew each time.
pub trait Surroundings: Send + Sync {
    /// What `runbook` is told to run a runbook of the project.
    fn words(
        &self,
        runbook: &str,
        environment: Option<&str>,
        parameters: &Map<String, Value>,
    ) -> Result<Vec<String>, Failure>;
    /// The schedules as they are listed.
    fn schedules(&self) -> Result<Value, Failure>;
    /// How many schedules have a fire between what is accounted for, as is said here, and that second.
    fn gaps(&self, accounted: &[(String, i64)], until: i64) -> Result<usize, Failure>;
    /// The repositories of backups.
    fn backups(&self) -> Result<BTreeMap<String, BackupRepository>, Failure>;
    /// A webhook.
    fn webhook(&self, name: &str) -> Result<Option<WebhookEntry>, Failure>;
    /// What its sender signs with. That may have to be asked of a program.
    fn webhook_key(&self, webhook: &WebhookEntry) -> Result<String, Failure>;
    /// Masks in words of a run on this environment what is not to be shown.
    fn redact(&self, environment: Option<&str>, text: &mut String);
}

/// How it is put together.
pub struct Api {
    /// The run log.
    pub journal: Journal,
    /// `[api]`.
    pub section: ApiSection,
    /// This program.
    pub program: PathBuf,
    /// The project's folder.
    pub root: PathBuf,
    /// Memory that a run may ask the system for.
    pub memory: Option<ByteSize>,
    /// Runs that may go on at once for those who ask.
    pub runs: usize,
    /// The project.
    pub surroundings: Arc<dyn Surroundings>,
}

impl Api {
    /// Answers from now on, until the process ends; says where.
    pub fn start(self) -> Result<String, Failure> {
        server::start(self)
    }
}
