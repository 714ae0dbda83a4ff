use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::drivers::Drivers;
use crate::drivers::prompt::Prompt;
use crate::journal::{Event, Journal, NewRun, Source};
use crate::policy::Policy;
use crate::primitive::{Block, Cancel, Failure, FailureKind, Lease, LeaseRequest, RunFacts};
use crate::project::{Environment, Project};
use crate::secrets::Redactor;

/// Script operations a run may use; a script that waits uses none.
const MOST_OPERATIONS: u64 = 500_000_000;

/// Told of every event, on the thread where it happens.
pub type Listener = Box<dyn Fn(&Event) + Send + Sync>;

/// Everything a run begins with.
pub struct Start {
    /// The project with its chosen environment.
    pub project: Project,
    /// The run log.
    pub journal: Arc<Journal>,
    /// Who is told what happens.
    pub listeners: Vec<Listener>,
    /// How questions reach a person.
    pub prompt: Box<dyn Prompt>,
    /// The runbook and its modules, the runbook first.
    pub sources: Vec<Source>,
    /// The runbook's first header line.
    pub title: String,
    /// Parameters with defaults filled in.
    pub parameters: Value,
    /// The git revision of the project, when there is one.
    pub revision: Option<String>,
    /// The run whose version of the script this is, for `--from-run`.
    pub from_run: Option<i64>,
    /// `user@machine`.
    pub started_by: String,
    /// The run's time limit.
    pub timeout: Option<Duration>,
    /// The lock held for the whole run.
    pub lock: Option<String>,
    /// How long to wait for it.
    pub wait: Duration,
}

/// A run while it runs.
pub struct Execution {
    pub(super) facts: RunFacts,
    pub(super) project: Project,
    pub(super) drivers: Drivers,
    pub(super) journal: Arc<Journal>,
    pub(super) policy: Policy,
    pub(super) redactor: Redactor,
    pub(super) cancel: Cancel,
    pub(super) deadline: Option<Instant>,
    pub(super) parameters: Value,
    pub(super) prompt: Box<dyn Prompt>,
    pub(super) title: String,
    pub(super) lock: Option<LeaseRequest>,
    pub(super) undo: Mutex<Vec<(String, Arc<dyn Block>)>>,
    pub(super) always: Mutex<Vec<Arc<dyn Block>>>,
    pub(super) leases: Mutex<Vec<Lease>>,
    pub(super) ended: AtomicBool,
    listeners: Vec<Listener>,
    broken: OnceLock<Failure>,
    operations: AtomicU64,
}

impl Execution {
    /// Writes the run into the journal and prepares everything it needs. Nothing has run yet.
    pub fn begin(start: Start) -> Result<Arc<Self>, Failure> {
        let environment = start.project.environment();
        let runbook = start.sources.first().map(|source| source.path.clone()).unwrap_or_default();
        let id = start.journal.begin(&NewRun {
            runbook: runbook.clone(),
            title: start.title.clone(),
            environment: environment.name.clone(),
            environment_values: Value::Object(environment.values.clone()),
            parameters: start.parameters.clone(),
            project_root: start.project.root().to_string_lossy().into_owned(),
            revision: start.revision,
            started_by: start.started_by.clone(),
            sources: start.sources,
            from_run: start.from_run,
        })?;
        let facts = RunFacts {
            id,
            environment: environment.name.clone(),
            runbook,
            started_by: start.started_by,
            started_at: Timestamp::now(),
        };
        Ok(Arc::new(Self {
            facts,
            project: start.project,
            drivers: Drivers::default(),
            journal: start.journal,
            policy: Policy::default(),
            redactor: Redactor::default(),
            cancel: Cancel::new(),
            deadline: start.timeout.map(|timeout| Instant::now() + timeout),
            parameters: start.parameters,
            prompt: start.prompt,
            title: start.title,
            lock: start.lock.map(|name| LeaseRequest { name, wait: start.wait }),
            undo: Mutex::default(),
            always: Mutex::default(),
            leases: Mutex::default(),
            ended: AtomicBool::new(false),
            listeners: start.listeners,
            broken: OnceLock::new(),
            operations: AtomicU64::new(0),
        }))
    }

    /// The run's number.
    pub fn id(&self) -> i64 {
        self.facts.id
    }

    /// The environment the run is on.
    pub fn environment(&self) -> &Environment {
        self.project.environment()
    }

    /// Redacts, stores and shows an event: the one way anything about a run gets out.
    ///
    /// A journal that cannot be written breaks the run: no further call begins, so nothing happens unrecorded.
    pub(super) fn emit(&self, mut event: Event) -> Result<(), Failure> {
        if !self.redactor.is_idle() {
            event.each_text(&mut |text| self.redactor.redact(text));
        }
        let stored = self.journal.record(self.facts.id, &event);
        for listener in &self.listeners {
            listener(&event);
        }
        stored.inspect_err(|failure| {
            let _ = self.broken.set(failure.clone());
        })
    }

    /// Fails once the journal could not be written.
    pub(super) fn still_sound(&self) -> Result<(), Failure> {
        self.broken.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Counts one operation of the script; a script that uses too many is stopped.
    pub(super) fn count_operation(&self) -> Option<Failure> {
        let used = self.operations.fetch_add(1, Ordering::Relaxed);
        (used > MOST_OPERATIONS).then(|| {
            let message = "the script computed too long without waiting for anything: is there an endless loop?";
            Failure::new(FailureKind::Invalid, message)
        })
    }
}
