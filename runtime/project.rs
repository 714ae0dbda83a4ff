//! The project file, its environments, and where things are.

mod api;
mod backup;
mod doubt;
mod drilling;
mod dst;
mod environment;
mod file;
mod freshness;
mod host;
mod keep;
mod notify;
mod registry;
mod revision;
mod schedule;
mod secrets;
mod without_schedules;

use std::path::{Path, PathBuf};

pub use api::{ApiSection, WebhookEntry};
pub use backup::{BEFORE_RESTORE, BackupJob, BackupRepository, BucketStyle, RepositoryPlace};
pub use doubt::{Signs, doubt};
pub use drilling::{Drilled, drill_findings};
pub use dst::DstPolicy;
pub use environment::Environment;
pub use file::{LogRetention, PROJECT_FILE, ProjectFile, RegistryLogin, RunRetention, ServiceLimits, find};
pub use freshness::{Made, Stale, StaleKind, freshness};
pub use host::Host;
pub use keep::{Candidate, Keep, Reach, Verdict};
pub use notify::{Channel, MailTls, NotifyEvent, NotifyRule, NotifySection, Quiet, SecretName, Setting};
pub use registry::RegistryCredential;
pub use revision::revision;
pub use schedule::{Missed, OnCrash, Overlap, ScheduleEntry};
pub use secrets::{EnvironmentSecrets, SecretSource, SecretsSection};

/// A project with one environment chosen.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    file: ProjectFile,
    environment: Environment,
}

impl Project {
    /// Puts a loaded project file and an environment of it together.
    pub fn new(root: PathBuf, file: ProjectFile, environment: Environment) -> Self {
        Self { root, file, environment }
    }

    /// The folder of the project file (or of the runbook, where there is none): relative paths start here.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The project file.
    pub fn file(&self) -> &ProjectFile {
        &self.file
    }

    /// The chosen environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Where this project keeps its run log: `$RUNBOOK_STATE`, else `.runbook` beside the project file.
    pub fn state_folder(&self) -> PathBuf {
        state_folder(&self.root)
    }
}

/// The state folder of the project at `root`.
pub fn state_folder(root: &Path) -> PathBuf {
    std::env::var_os("RUNBOOK_STATE").map_or_else(|| root.join(".runbook"), PathBuf::from)
}
