use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::followed::Followed;
use super::frame::{self, Place};
use super::planner::Planner;
use super::replay::Replay;
use super::{Halt, approval, budget::spent, computing, hosts, leases};
use crate::drivers::Drivers;
use crate::drivers::prompt::Prompt;
use crate::journal::{
    Begun, CallRecord, Event, FireTicket, Journal, NewRun, Offer, Offered, Plan, Redacted, RunRecord, ScriptEnd, Source,
};
use crate::policy::{Policy, Spent};
use crate::primitive::{
    Block, Call, Cancel, CancelReason, Failure, FailureKind, Lease, LeaseRequest, Primitive, RunFacts, target_named,
};
use crate::project::{Environment, Project};
use crate::secrets::{Key, Redactor, Tokens};

/// Script operations a run may use; a script that waits uses none.
const MOST_OPERATIONS: u64 = 500_000_000;

/// Told of every event, on the thread where it happens.
pub type Listener = Box<dyn Fn(&Redacted) + Send + Sync>;

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
    /// What it may do.
    pub policy: Policy,
    /// The run's time limit.
    pub timeout: Option<Duration>,
    /// The lock held for the whole run.
    pub lock: Option<String>,
    /// How long to wait for it, and for the locks of applications.
    pub wait: Duration,
    /// The run this goes on with; none for a new one.
    pub resumes: Option<Resumes>,
    /// Is it only to be planned? Nothing is changed and nothing is written then.
    pub plans: bool,
    /// The plan it follows.
    pub follows: Option<Plan>,
    /// The fire of a schedule it runs for.
    pub fire: Option<FireTicket>,
    /// It is in the run log already: another process began it for this one.
    pub begun: Option<Begun>,
}

impl Start {
    /// Offers this process for a run whose time is yet to come, so that it can be begun together with others.
    ///
    /// None where that cannot be: whether a run may begin that is bound to hours is asked when it does. What keeps it from
    /// beginning is told then, too.
    pub fn offer(&self) -> Option<(Offer, Offered)> {
        if self.policy.has_hours() {
            return None;
        }
        let uid = approval::uid(&self.project, &self.started_by);
        self.journal.offer(&self.new_run(uid, None)).ok().flatten()
    }

    /// What the run log is given of a new run.
    fn new_run(&self, uid: String, plan: Option<Value>) -> NewRun {
        let environment = self.project.environment();
        NewRun {
            runbook: self.sources.first().map(|source| source.path.clone()).unwrap_or_default(),
            title: self.title.clone(),
            environment: environment.name.clone(),
            environment_values: Value::Object(environment.values.clone()),
            parameters: self.parameters.clone(),
            project_root: self.project.root().to_string_lossy().into_owned(),
            revision: self.revision.clone(),
            started_by: self.started_by.clone(),
            sources: self.sources.clone(),
            from_run: self.from_run,
            uid,
            plan,
            narrowing: serde_json::to_value(&self.policy.record().narrowing).unwrap_or_default(),
            policy: Some(Redacted::by(&Redactor::default(), policy_applied(&self.policy, &self.started_by))),
            fire: self.fire.clone(),
        }
    }
}

fn policy_applied(policy: &Policy, by: &str) -> Event {
    let policy = serde_json::to_value(policy.record()).unwrap_or_default();
    Event::PolicyApplied { policy, by: by.to_owned(), at: Timestamp::now() }
}

/// An earlier run to go on with.
pub struct Resumes {
    /// The run.
    pub run: RunRecord,
    /// Go through what was done and stop there; nothing is written and nothing is made.
    pub only_replays: bool,
    /// Its scripts were changed since: from here on it goes on with `sources`.
    pub replaces_script: bool,
    /// Stop it in good order: what was done is undone.
    pub cancels: bool,
}

/// A run while it runs.
pub struct Execution {
    pub(super) facts: RunFacts,
    pub(super) project: Project,
    pub(super) drivers: Drivers,
    pub(super) journal: Arc<Journal>,
    pub(super) policy: Policy,
    /// What the beginning of a new run says of it.
    noted: Option<Redacted>,
    pub(super) redactor: Arc<Redactor>,
    /// The key of the state folder; none before something is to be hashed or sealed with it.
    pub(super) key: OnceLock<Key>,
    /// What stands for secrets in the script; none before it first asks for one.
    pub(super) tokens: OnceLock<Tokens>,
    pub(super) cancel: Cancel,
    pub(super) deadline: Option<Instant>,
    pub(super) parameters: Value,
    pub(super) prompt: Box<dyn Prompt>,
    pub(super) title: String,
    pub(super) lock: Option<LeaseRequest>,
    pub(super) undo: Mutex<Vec<Undo>>,
    pub(super) always: Mutex<Vec<(Place, Arc<dyn Block>)>>,
    pub(super) leases: Mutex<Vec<Lease>>,
    /// How long to wait for a lock.
    pub(super) wait: Duration,
    /// Applications that are locked on their engines.
    pub(super) guarded: leases::Guarded,
    pub(super) ended: AtomicBool,
    /// The machines that calls are at work on.
    pub(super) at_work: hosts::AtWork,
    /// How much of its budget it has used.
    pub(super) spent: Mutex<Spent>,
    /// What an earlier process did of this run.
    pub(super) replay: Replay,
    /// What a plan has found out; none when it is no plan.
    pub(super) planner: Option<Planner>,
    /// The plan that this run follows.
    pub(super) follows: Option<Followed>,
    /// Is this nothing but a way through what was done before?
    pub(super) only_replays: bool,
    /// Of what a person approves: scripts, parameters, environment and plan.
    pub(super) digest: String,
    /// How the script itself had ended before this process took the run up.
    pub(super) script_end: Option<ScriptEnd>,
    /// Why the run stands still.
    pub(super) halted: OnceLock<Halt>,
    /// Calls that left something behind for their probe, and may still have it there.
    pub(super) left_behind: Mutex<Vec<LeftBehind>>,
    /// Which secrets which calls were recorded to have put where.
    pub(super) used: Mutex<HashSet<(String, String, String)>>,
    pub(super) resumed: bool,
    listeners: Vec<Listener>,
    operations: AtomicU64,
}

/// An undo block: where it was registered, its name, and what it does.
pub(super) type Undo = (Place, String, Arc<dyn Block>);

/// A call whose marker is removed at the run's end.
pub(super) struct LeftBehind {
    pub(super) primitive: &'static dyn Primitive,
    pub(super) call: Call,
    pub(super) path: String,
}

impl Execution {
    /// Writes the run into the journal, or takes it up there, and prepares everything it needs. Nothing has run yet.
    pub fn begin(mut start: Start) -> Result<Arc<Self>, Failure> {
        let environment = start.project.environment();
        let runbook = start.sources.first().map(|source| source.path.clone()).unwrap_or_default();
        let (resumes, follows) = (start.resumes.take(), start.follows.take());
        let plan = follows.as_ref().and_then(|plan| serde_json::to_value(plan).ok());
        let digest = approval::digest(&start.sources, &start.parameters, environment, plan.as_ref());
        let facts = |id, uid, started_at| RunFacts {
            id,
            uid,
            environment: environment.name.clone(),
            runbook: runbook.clone(),
            started_by: start.started_by.clone(),
            started_at,
        };
        let mut noted = None;
        let (facts, replay, script_end) = match &resumes {
            Some(resumes) => {
                let run = &resumes.run;
                if !resumes.only_replays {
                    start.journal.take_up(run.id, &start.started_by)?;
                }
                let replay = Replay::load(&start.journal, run.id)?;
                (facts(run.id, run.uid.clone(), run.started_at), replay, run.script_end.clone())
            }
            None if start.plans => (facts(0, "plan".into(), Timestamp::now()), Replay::default(), None),
            None if let Some(begun) = start.begun.take() => {
                noted = begun.policy;
                (facts(begun.run, begun.uid, begun.at), Replay::default(), None)
            }
            None => {
                let uid = approval::uid(&start.project, &start.started_by);
                let new = start.new_run(uid.clone(), plan);
                let id = start.journal.begin(&new)?;
                noted = new.policy;
                (facts(id, uid, Timestamp::now()), Replay::default(), None)
            }
        };
        let execution = Arc::new(Self {
            facts,
            drivers: drivers_of(&start.project),
            project: start.project,
            journal: start.journal,
            at_work: hosts::AtWork::default(),
            spent: Mutex::new(spent(&replay)),
            policy: start.policy,
            noted,
            redactor: Arc::default(),
            key: OnceLock::new(),
            tokens: OnceLock::new(),
            cancel: Cancel::new(),
            deadline: start.timeout.map(|timeout| Instant::now() + timeout),
            parameters: start.parameters,
            prompt: start.prompt,
            title: start.title,
            lock: start.lock.map(|name| LeaseRequest { name, wait: start.wait }),
            undo: Mutex::default(),
            always: Mutex::default(),
            leases: Mutex::default(),
            wait: start.wait,
            guarded: leases::Guarded::default(),
            ended: AtomicBool::new(false),
            replay,
            planner: start.plans.then(Planner::default),
            follows: follows.map(Followed::new),
            only_replays: resumes.as_ref().is_some_and(|resumes| resumes.only_replays),
            digest,
            script_end,
            halted: OnceLock::new(),
            left_behind: Mutex::default(),
            used: Mutex::default(),
            resumed: resumes.is_some(),
            listeners: start.listeners,
            operations: AtomicU64::new(0),
        });
        if let Some(resumes) = resumes {
            execution.announce(&resumes, start.sources)?;
        }
        Ok(execution)
    }

    /// Says what counts from here on: of a new run it is in the journal already.
    pub(super) fn note_policy(&self) -> Result<(), Failure> {
        if let Some(noted) = &self.noted {
            self.listeners.iter().for_each(|listener| listener(noted));
            return Ok(());
        }
        self.emit(policy_applied(&self.policy, &self.facts.started_by))
    }

    /// Says in the journal who goes on with the run, with which scripts, and to what end.
    fn announce(&self, resumes: &Resumes, sources: Vec<Source>) -> Result<(), Failure> {
        let (by, at) = (self.facts.started_by.clone(), Timestamp::now());
        if resumes.replaces_script {
            self.emit(Event::ScriptReplaced { sources, by: by.clone(), at })?;
        }
        if resumes.cancels {
            self.emit(Event::CancelRequested { by, at })?;
            self.cancel.cancel(CancelReason::Person);
        }
        Ok(())
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
    /// A journal that cannot be written brings the run to a stand: no further call begins, so nothing happens unrecorded.
    pub(super) fn emit(&self, event: Event) -> Result<(), Failure> {
        if self.only_replays || self.planner.is_some() {
            return Ok(());
        }
        let event = self.fit(event);
        let stored = self.journal.record(self.facts.id, &event);
        // An end that could not be written down has not come.
        if stored.is_ok() || !matches!(*event, Event::RunFinished { .. }) {
            for listener in &self.listeners {
                listener(&event);
            }
        }
        stored.map_err(|failure| {
            let hint = format!("once that is put right, `runbook resume {}` goes on with the run", self.facts.id);
            self.stand(failure.hint(hint))
        })
    }

    /// The event as it may leave the process.
    pub(super) fn fit(&self, mut event: Event) -> Redacted {
        event.each_text(&mut |text| self.name_secrets_in(text));
        Redacted::by(&self.redactor, event)
    }

    /// Shows people where a resumed run is, without recording it a second time.
    pub(super) fn show(&self, record: &CallRecord) {
        let event = Event::CallStarted {
            path: record.path.clone(),
            name: record.name.clone(),
            title: record.title.clone(),
            effect: record.effect,
            arguments: record.arguments.clone(),
            site: record.site.clone(),
            at: Timestamp::now(),
        };
        if !self.only_replays {
            // Secrets have their names in what was recorded.
            let event = Redacted::by(&self.redactor, event);
            self.listeners.iter().for_each(|listener| listener(&event));
        }
    }

    /// A value without what nobody may be shown.
    pub(super) fn redacted(&self, mut value: Value) -> Value {
        crate::journal::each_string(&mut value, &mut |text| self.show_in(text));
        value
    }

    /// The script had ended before this process took the run up: what it did not reach then, it does not reach now.
    pub(super) fn ended_before(&self) -> Option<Failure> {
        let in_block = frame::current().is_some_and(|here| here.path.starts_with(|c: char| c.is_alphabetic()));
        let end = self.script_end.as_ref().filter(|_| !in_block)?;
        let mut failure =
            end.failure.clone().unwrap_or_else(|| Failure::new(FailureKind::Cancelled, "the script had ended here"));
        failure.kind = FailureKind::Cancelled;
        Some(failure)
    }

    /// Removes what that call left behind for its probe when the run ends: finding it takes a look at the world.
    pub(super) fn clean_up_later(&self, primitive: &'static dyn Primitive, call: Call, record: &CallRecord) {
        if let Ok(mut left_behind) = self.left_behind.lock() {
            left_behind.push(LeftBehind { primitive, call, path: record.path.clone() });
        }
    }

    /// Counts one operation of the script; a script that uses too many, or too much time or memory for them, is stopped.
    pub(super) fn count_operation(&self) -> Option<Failure> {
        let used = self.operations.fetch_add(1, Ordering::Relaxed);
        let is_endless = if used > MOST_OPERATIONS { Some(computing::TOO_LONG) } else { computing::is_endless() };
        is_endless.map(|message| Failure::new(FailureKind::Invalid, message))
    }
}

/// Drivers that find the hosts of the project by name.
fn drivers_of(project: &Project) -> Drivers {
    let (drivers, file) = (Drivers::default(), project.file().clone());
    drivers.find_hosts_with(Box::new(move |name| target_named(&file, name)));
    drivers
}
