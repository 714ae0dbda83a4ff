//! The loop.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agenda::Agenda;
use super::ahead::{Ahead, LEAD};
use super::notify::Notifier;
use super::owner::Owner;
use super::signals::{Asked, Signals};
use super::wait::{Waking, until_given_up};
use super::worker::{Start, Worker};
use crate::failure::Failure;
use crate::journal::{ClockReading, Fire, FireChange, FireState, Journal, RunState};
use crate::project::ServiceLimits;
use crate::schedule::ledger::{self, Action, Standing, World};
use crate::schedule::{Clock, Definition, SystemClock};

/// No more often than this it is looked whether the project's files are others.
const COMPARE: Duration = Duration::from_secs(1);

/// How long it is waited after a step that could not be made.
const TROUBLE: Duration = Duration::from_secs(5);

/// Of so many new schedules it is said when each fires.
const INTRODUCED: usize = 20;

/// What the service needs of the project, read anew whenever the project changes.
pub struct Project {
    /// The schedules, by name.
    pub definitions: Arc<BTreeMap<String, Definition>>,
    /// What a worker is told that runs a schedule's runbook: all but the fire it does it for.
    pub words: Words,
    /// How much may run at once.
    pub limits: ServiceLimits,
    /// What all this was read from: when one of these files changes, it is read anew.
    pub files: Arc<[PathBuf]>,
}

/// Says it of a schedule.
pub type Words = Box<dyn Fn(&Definition) -> Vec<String>>;

/// Masks in a text about that environment what is not to be shown.
pub type Redact = Box<dyn Fn(Option<&str>, &mut String)>;

/// How the service is put together.
pub struct Service {
    /// It is the only one of its state folder.
    pub owner: Owner,
    /// The run log.
    pub journal: Journal,
    /// This program.
    pub program: PathBuf,
    /// The project's folder.
    pub root: PathBuf,
    /// Reads the project.
    pub load: Box<dyn Fn() -> Result<Project, Failure>>,
    /// Somebody who is told what happens, a line at a time.
    pub say: Box<dyn Fn(&str)>,
    /// Masks in words of a run on this environment what is not to be shown.
    pub redact: Redact,
    /// Told after each step: something may have happened that others are to be told of.
    pub stepped: Box<dyn Fn()>,
    /// How long runs may go on after the service was told to stop.
    pub drain: Duration,
}

/// A service at work.
pub(super) struct Running {
    pub(super) service: Service,
    pub(super) project: Project,
    /// How its files looked when it was read, and when that was last compared.
    version: u64,
    compared: Instant,
    clock: SystemClock,
    agenda: Agenda,
    pub(super) workers: HashMap<i64, Worker>,
    /// How many were started.
    started: Cell<u64>,
    pub(super) ahead: Ahead,
    /// Runs that were told to stop: a second time would end them at once.
    stopped: HashSet<i64>,
    is_draining: bool,
    /// Are further fires still expected?
    goes_on: bool,
    /// Why the last step could not be made.
    trouble: String,
}

impl Service {
    /// Serves until a signal says to stop; with `once`, until nothing is left to do at the moment.
    pub fn run(self, once: bool) -> Result<(), Failure> {
        let project = (self.load)()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::system("start the service", &error))?;
        let mut running = Running {
            service: self,
            version: version_of(&project.files),
            compared: Instant::now(),
            project,
            clock: SystemClock,
            agenda: Agenda::default(),
            workers: HashMap::new(),
            started: Cell::new(0),
            ahead: Ahead::default(),
            stopped: HashSet::new(),
            is_draining: false,
            goes_on: true,
            trouble: String::new(),
        };
        runtime.block_on(running.serve(once))
    }
}

impl Running {
    async fn serve(&mut self, once: bool) -> Result<(), Failure> {
        let systemd = Notifier::from_environment();
        let mut signals = Signals::listen()?;
        self.register()?;
        self.service.journal.forget_offers();
        systemd.tell("READY=1");
        let mut give_up = None;
        loop {
            // Those that wait have read them.
            if self.compared.elapsed() >= COMPARE || self.ahead.is_waited() {
                self.compared = Instant::now();
                if version_of(&self.project.files) != self.version {
                    self.reload();
                }
            }
            let wait = match self.step() {
                Ok(waking) => {
                    self.trouble.clear();
                    waking.wait(&self.clock)
                }
                Err(failure) if once => return Err(failure),
                Err(failure) => self.wait_out(&failure),
            };
            (self.service.stepped)();
            self.goes_on = !once;
            systemd.tell("WATCHDOG=1");
            if self.workers.is_empty() && (self.is_draining || once) {
                return Ok(());
            }
            if give_up.is_some_and(|give_up| tokio::time::Instant::now() >= give_up) {
                self.workers.values_mut().for_each(Worker::stop);
            }
            match tokio::time::timeout(until_given_up(wait, give_up), signals.next()).await {
                Ok(Asked::Stop) if self.is_draining => give_up = Some(tokio::time::Instant::now()),
                Ok(Asked::Stop) => {
                    systemd.tell("STOPPING=1");
                    self.is_draining = true;
                    self.ahead.forget();
                    give_up = Some(tokio::time::Instant::now() + self.service.drain);
                    (self.service.say)(&match self.workers.len() {
                        0 => "stopping".to_owned(),
                        1 => "stopping: 1 run still goes on; a second signal stops it too".to_owned(),
                        left => format!("stopping: {left} runs still go on; a second signal stops them too"),
                    });
                }
                Ok(Asked::Reload) => self.reload(),
                Ok(Asked::Look) | Err(_) => {}
            }
        }
    }

    /// A disk that is full, or a run log that somebody else keeps: it is said once, and tried again. Whatever of a step was done is
    /// in the run log, and the next one goes on from there.
    fn wait_out(&mut self, failure: &Failure) -> Duration {
        if self.trouble != failure.message {
            self.trouble.clone_from(&failure.message);
            (self.service.say)(&format!("nothing can be begun at the moment, and it is tried again: {failure}"));
        }
        TROUBLE
    }

    /// Reads the project anew. One that cannot be read leaves everything as it was.
    fn reload(&mut self) {
        // Looked at before: a change while it is read is seen the next time.
        self.version = version_of(&self.project.files);
        match (self.service.load)() {
            Ok(project) => {
                self.version = version_of(&project.files);
                self.project = project;
                if let Err(failure) = self.register() {
                    // Nothing of it is written: it is read once more.
                    self.version = 0;
                    self.wait_out(&failure);
                }
            }
            Err(failure) => {
                (self.service.say)(&format!("the project cannot be read, what it said before holds: {failure}"));
            }
        }
    }

    fn register(&mut self) -> Result<(), Failure> {
        self.agenda.forget();
        self.ahead.forget();
        let journal = &self.service.journal;
        let standing = Standing { schedules: journal.schedules()?, open: Vec::new(), seen: journal.clock_seen()? };
        let (now, working) = (self.clock.read(), self.working());
        let changes = ledger::register(&standing, &self.world(&now, &working));
        journal.change_fires(&changes)?;
        self.report_new(&changes, now.wall);
        Ok(())
    }

    /// Says when what is new, or says something else now, fires next; of more than a few only how many they are.
    fn report_new(&self, changes: &[FireChange], now: i64) {
        let new: Vec<&Definition> = changes
            .iter()
            .filter_map(|change| match change {
                FireChange::Register { name, .. } => self.project.definitions.get(name),
                _ => None,
            })
            .collect();
        if new.len() > INTRODUCED {
            (self.service.say)(&format!(
                "{} schedules are new or changed; `runbook schedule list` lists them",
                new.len()
            ));
            return;
        }
        for definition in new {
            let coming = definition.coming(now, 3);
            (self.service.say)(&format!("schedule `{}` fires {coming}", definition.name()));
        }
    }

    /// One step: everything that can be decided now is. Says when to look again.
    fn step(&mut self) -> Result<Waking, Failure> {
        self.service.journal.settle()?;
        let now = self.clock.read();
        self.look_at_workers(&now)?;
        self.ahead.look(now.wall);
        let working = self.working();

        // What is due from now on is the next service's business: it may be made up for, or not.
        if self.goes_on && !self.is_draining {
            let world = World { definitions: &self.project.definitions, now: &now, working: &working };
            let changes = self.agenda.account(&self.service.journal, &world)?;
            self.service.journal.change_fires(&changes)?;
            self.report_missed(&changes);
        }

        let mut standing = self.standing()?;
        let (changes, actions) = ledger::settle(&standing, &self.world(&now, &working));
        self.carry_out(&mut standing, &changes, actions)?;

        let is_due = |fire: &Fire| fire.state == FireState::Due && fire.due <= now.wall;
        if !self.is_draining && standing.open.iter().any(is_due) {
            let working = self.working();
            standing.schedules = self.service.journal.paused_schedules()?;
            let world = self.world(&now, &working);
            let (changes, actions) = ledger::dispatch(&standing, &world, &self.project.limits, &mut ticket);
            self.carry_out(&mut standing, &changes, actions)?;
        }
        let mut waking = self.waking(&now, &standing.open);
        if let Some(next) = waking.next(now.wall).filter(|_| !self.is_draining) {
            self.prepare(&mut standing, &now, next, &mut waking)?;
        }
        Ok(waking)
    }

    /// Shortly before something is due, starts the workers for it.
    fn prepare(
        &mut self,
        standing: &mut Standing,
        now: &ClockReading,
        next: i64,
        waking: &mut Waking,
    ) -> Result<(), Failure> {
        if self.ahead.is_ready_for(next) {
            return Ok(());
        }
        if self.clock.until(next) > LEAD {
            waking.before(next);
            return Ok(());
        }
        standing.schedules = self.service.journal.schedules_named(&self.agenda.due(next))?;
        let (then, working) = (ClockReading { wall: next, ..now.clone() }, self.working());
        let names = ledger::foresee(standing, &self.world(&then, &working), &self.project.limits);
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.prepare(next, names, |name| {
            self.project.definitions.get(name).and_then(|definition| self.fresh(definition).ok())
        });
        self.ahead = ahead;
        Ok(())
    }

    /// Writes it down, and then does it.
    fn carry_out(
        &mut self,
        standing: &mut Standing,
        changes: &[FireChange],
        actions: Vec<Action>,
    ) -> Result<(), Failure> {
        self.service.journal.change_fires(changes)?;
        self.act(standing, actions)?;
        if !changes.is_empty() {
            standing.open = self.service.journal.open_fires()?;
        }
        Ok(())
    }

    /// Says at once what nobody was there for; each has its row besides.
    fn report_missed(&self, changes: &[FireChange]) {
        let late = |change: &&FireChange| matches!(change, FireChange::Expect { late: true, .. });
        let left_out = |change: &&FireChange| matches!(change, FireChange::Expect { late: true, skip: Some(_), .. });
        let (late, left_out) = (changes.iter().filter(late).count(), changes.iter().filter(left_out).count());
        if late > 0 {
            let made_up_for = late - left_out;
            (self.service.say)(&format!(
                "{late} fires were missed: {made_up_for} are made up for, {left_out} are left out; `runbook schedule history` lists them"
            ));
        }
    }

    /// Which workers have ended; one that never began its run says why.
    fn look_at_workers(&mut self, now: &ClockReading) -> Result<(), Failure> {
        let ended: Vec<i64> =
            self.workers.iter_mut().filter_map(|(fire, worker)| worker.has_ended().then_some(*fire)).collect();
        for id in ended {
            let Some(worker) = self.workers.remove(&id) else { continue };
            let Some(fire) = self.service.journal.fire(id)?.filter(|fire| fire.state == FireState::Starting) else {
                continue;
            };
            let entry = self.project.definitions.get(&fire.schedule).map(|definition| definition.entry().clone());
            let entry = entry.unwrap_or_default();
            let words = worker.bury(|text| (self.service.redact)(entry.env.as_deref(), text));
            (self.service.say)(&format!("`{}` did not begin: {words}", fire.schedule));
            let change = ledger::never_began(&fire, &entry, now.wall, &words);
            self.service.journal.change_fires(&[change])?;
        }
        Ok(())
    }

    /// A worker that waits for a fire of that schedule.
    pub(super) fn fresh(&self, definition: &Definition) -> Result<Worker, Failure> {
        let words = (self.project.words)(definition).into_iter().chain(["--fire=-".to_owned()]);
        self.start(words.map(OsString::from).collect(), true)
    }

    pub(super) fn start(&self, arguments: Vec<OsString>, listens: bool) -> Result<Worker, Failure> {
        let number = self.started.get();
        self.started.set(number + 1);
        Worker::start(Start {
            program: &self.service.program,
            root: &self.service.root,
            output: self.outputs().join(format!("worker-{number}.txt")),
            arguments,
            memory: self.project.limits.memory,
            user: None,
            listens,
        })
    }

    /// Tells a run to stop: its worker when that is a child, else whoever has it.
    pub(super) fn stop(&mut self, run: i64) {
        if let Some(worker) = self.workers.values_mut().find(|worker| worker.run == Some(run)) {
            worker.stop();
        } else if self.stopped.insert(run) {
            // One that has ended meanwhile needs no telling.
            let _ = self.service.journal.tell_to_stop(run);
        }
    }

    /// When there is something to do again.
    fn waking(&mut self, now: &ClockReading, open: &[Fire]) -> Waking {
        let mut waking = Waking::default();
        if self.goes_on
            && !self.is_draining
            && let Some(next) = self.agenda.earliest(now.wall)
        {
            waking.at(next);
        }
        for fire in open {
            self.wake_for(fire, now, &mut waking);
        }
        waking
    }

    fn wake_for(&mut self, fire: &Fire, now: &ClockReading, waking: &mut Waking) {
        if let Some(worker) = self.workers.get_mut(&fire.id) {
            worker.run = fire.run;
        } else if fire.run_state == Some(RunState::Running) {
            waking.when_adopted_ends();
        }
        if fire.state == FireState::Due && fire.due > now.wall {
            waking.at(fire.due);
        }
        let timeout = self.project.definitions.get(&fire.schedule).and_then(|definition| definition.entry().timeout);
        if let (Some(timeout), Some(since)) = (timeout, fire.run_since) {
            let end = since.saturating_add(i64::try_from(timeout.0.as_secs()).unwrap_or(i64::MAX));
            if end > now.wall {
                waking.at(end);
            }
        }
    }

    /// Where workers print until they are gone.
    fn outputs(&self) -> PathBuf {
        self.service.journal.state_folder().join("runs")
    }

    /// What is open, and of schedules those rows of it that the project says nothing of.
    fn standing(&self) -> Result<Standing, Failure> {
        let journal = &self.service.journal;
        let open = journal.open_fires()?;
        let mut names: Vec<String> = open.iter().map(|fire| fire.schedule.clone()).collect();
        names.retain(|name| !self.project.definitions.contains_key(name));
        names.dedup();
        Ok(Standing { schedules: journal.schedules_named(&names)?, open, seen: None })
    }

    fn working(&self) -> HashSet<i64> {
        self.workers.keys().copied().collect()
    }

    fn world<'a>(&'a self, now: &'a ClockReading, working: &'a HashSet<i64>) -> World<'a> {
        World { definitions: &self.project.definitions, now, working }
    }
}

/// Something that nobody can guess.
fn ticket() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim().to_owned()
}

/// A number that changes whenever one of these files does.
pub fn version_of(files: &[PathBuf]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    use std::os::unix::fs::MetadataExt;
    let mut hasher = DefaultHasher::new();
    for file in files {
        let seen = std::fs::metadata(file).ok().map(|data| (data.mtime(), data.mtime_nsec(), data.ino(), data.size()));
        seen.hash(&mut hasher);
    }
    hasher.finish()
}
