//! Calls one primitive without a script, through the same argument check as the door.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use runbook::drivers::Drivers;
use runbook::journal::Journal;
use runbook::primitive::{
    Block, Call, Cancel, Catalogue, Change, Context, Effect, Failure, FailureKind, Lease, LeaseRequest, LogStream,
    MakeSecret, Need, NeedKind, Outcome, Prediction, Primitive, Probe, Progress, Reached, Recovery, Release, RunFacts,
    Services, Site, target_named,
};
use runbook::project::{Environment, Project, ProjectFile};
use serde_json::{Value, json};

/// What is done at the end of a test that went well.
pub type AtEnd = Box<dyn FnOnce(&Direct) + Send>;

/// A project folder of its own, and what a call said while it ran.
pub struct Direct {
    folder: tempfile::TempDir,
    drivers: Drivers,
    uid: String,
    services: Recorder,
    calls: AtomicUsize,
    at_end: Mutex<Option<AtEnd>>,
    /// Cancels the calls made through this.
    pub cancel: Cancel,
}

#[derive(Default)]
struct Recorder {
    lines: Mutex<Vec<(LogStream, String)>>,
    releases: Mutex<Vec<Release>>,
    marker: Mutex<Option<Value>>,
    dies: AtomicBool,
    progress: Mutex<Vec<Progress>>,
    planned: Mutex<Vec<Change>>,
    journal: OnceLock<Journal>,
}

#[allow(dead_code)]
impl Direct {
    /// An empty project.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Containers and images carry the call's name in the world: another test's must not be taken for this one's.
        let uid = format!("{:x}-{}", std::process::id(), folder.path().file_name().unwrap().display());
        let drivers = Drivers::kept_by(env!("CARGO_BIN_EXE_runbook"));
        let (services, calls, cancel) = (Recorder::default(), AtomicUsize::new(0), Cancel::new());
        Self { folder, drivers, uid, services, calls, at_end: Mutex::new(None), cancel }
    }

    /// Has something done at the end of a test that went well; nothing any more with `None`.
    pub fn at_end(&self, work: Option<AtEnd>) {
        *self.at_end.lock().unwrap() = work;
    }

    /// The project's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// The log lines so far, as `stdout: …`.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.services.lines.lock().unwrap();
        lines.iter().map(|(stream, line)| format!("{}: {line}", json!(stream).as_str().unwrap())).collect()
    }

    /// A run log, for what calls keep in it of backups.
    pub fn journal(&self) -> &Journal {
        self.services.journal.get_or_init(|| Journal::open(&self.path().join(".runbook")).unwrap())
    }

    /// What the calls said about how far they were, in words.
    pub fn progress(&self) -> Vec<String> {
        self.services.progress.lock().unwrap().iter().map(|progress| progress.doing.clone()).collect()
    }

    /// All of what they said.
    pub fn reached(&self) -> Vec<Progress> {
        self.services.progress.lock().unwrap().clone()
    }

    /// The name in the world of the call that was made last.
    pub fn key(&self) -> String {
        format!("{}/{}", self.uid, self.path_of_call())
    }

    /// Calls, and dies right before the effect: what was announced is known, what was prepared may be left.
    pub fn dies_before_its_effect(&self, method: &str, receiver: Value, args: Value, options: Value) {
        self.services.dies.store(true, Ordering::Relaxed);
        let failure = self.method(method, receiver, args, options).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Halted, "{failure}");
        self.services.dies.store(false, Ordering::Relaxed);
    }

    /// The same, where there may be no effect: then it went well.
    pub fn dies(&self, method: &str, receiver: Value, args: Value, options: Value) {
        self.services.dies.store(true, Ordering::Relaxed);
        if let Err(failure) = self.method(method, receiver, args, options) {
            assert_eq!(failure.kind, FailureKind::Halted, "{failure}");
        }
        self.services.dies.store(false, Ordering::Relaxed);
    }

    /// A new call: what an earlier one announced is not its own.
    pub fn anew(&self) -> &Self {
        self.calls.fetch_add(1, Ordering::Relaxed);
        *self.services.marker.lock().unwrap() = None;
        self
    }

    /// Hands a call and its context to a question about it.
    pub fn look(&self, primitive: &dyn Primitive, args: Value, options: Value, ask: impl FnOnce(&Context<'_>, &Call)) {
        let asked = |context: &Context<'_>, call: &Call| {
            ask(context, call);
            Ok(())
        };
        self.with(primitive, Value::Null, args, options, asked).unwrap();
    }

    /// The same for a method.
    pub fn look_on(
        &self,
        primitive: &dyn Primitive,
        receiver: Value,
        args: Value,
        ask: impl FnOnce(&Context<'_>, &Call),
    ) {
        let asked = |context: &Context<'_>, call: &Call| {
            ask(context, call);
            Ok(())
        };
        self.with(primitive, receiver, args, Value::Null, asked).unwrap();
    }

    /// What a method would change and return, found out by looking only.
    pub fn predict(&self, method: &str, receiver: Value, args: Value, options: Value) -> Result<Prediction, Failure> {
        let primitive = super::primitive(method);
        self.with(primitive, receiver, args, options, |context, call| primitive.predict(context, call))
    }

    /// Counts changes as planned by earlier calls; none forgets them.
    pub fn plan(&self, changes: &[Change]) {
        let mut planned = self.services.planned.lock().unwrap();
        if changes.is_empty() { planned.clear() } else { planned.extend_from_slice(changes) }
    }

    /// What is found out about the call that was made last, by a process that takes the run up.
    pub fn recover(&self, name: &str, receiver: Value, args: Value, options: Value) -> Result<Probe, Failure> {
        let primitive = super::primitive(name);
        self.with(primitive, receiver, args, options, |context, call| match primitive.recovery(call) {
            Recovery::Pure | Recovery::Idempotent => Ok(Probe::NotDone),
            Recovery::Probe => primitive.probe(context, call),
            Recovery::Ask => Ok(Probe::Unknown),
        })
    }

    /// Goes on with the call that was made last as the door does: asks what happened, makes it again where it did not,
    /// and cleans up. Doubt is a failure of kind `halted`.
    pub fn resume(&self, name: &str, receiver: Value, args: Value, options: Value) -> Result<Outcome, Failure> {
        let result = match self.recover(name, receiver.clone(), args.clone(), options.clone())? {
            Probe::Done(outcome) => Ok(outcome),
            Probe::Failed(failure) => Err(failure),
            Probe::Unknown => return Err(Failure::new(FailureKind::Halted, "in doubt")),
            Probe::NotDone => self.again(name, receiver.clone(), args.clone(), options.clone()),
        };
        self.clean_up(name, receiver, args, options);
        result
    }

    /// Removes what the call that was made last left for its probe, as the door does once its end is recorded.
    pub fn clean_up(&self, name: &str, receiver: Value, args: Value, options: Value) {
        let primitive = super::primitive(name);
        // A call that its arguments do not fit leaves nothing.
        let _ = self.with(primitive, receiver, args, options, |context, call| {
            if primitive.leaves_marker(call) {
                primitive.clean_up(context, call);
            }
            Ok(())
        });
    }

    /// Puts something in the place of what the last call noted.
    pub fn set_marker(&self, marker: Value) {
        *self.services.marker.lock().unwrap() = Some(marker);
    }

    /// What the last call noted about itself.
    pub fn marker(&self) -> Option<Value> {
        self.services.marker.lock().unwrap().clone()
    }

    fn path_of_call(&self) -> String {
        self.calls.load(Ordering::Relaxed).max(1).to_string()
    }

    /// Calls a method of a handle, both by name: `file.write`.
    pub fn method(&self, name: &str, receiver: Value, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.call_on(super::primitive(name), receiver, args, options)
    }

    /// Calls a function.
    pub fn call(&self, primitive: &dyn Primitive, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.call_on(primitive, Value::Null, args, options)
    }

    /// Calls a method of a handle.
    pub fn call_on(
        &self,
        primitive: &dyn Primitive,
        receiver: Value,
        args: Value,
        options: Value,
    ) -> Result<Outcome, Failure> {
        // What only computes a value is no event, and has no place.
        if primitive.spec().effect != Effect::Pure {
            self.anew();
        }
        self.with(primitive, receiver, args, options, |context, call| primitive.call(context, call))
    }

    /// Makes a call again that was made before and died: it sees what it announced then.
    pub fn again(&self, method: &str, receiver: Value, args: Value, options: Value) -> Result<Outcome, Failure> {
        let primitive = super::primitive(method);
        self.with(primitive, receiver, args, options, |context, call| primitive.call(context, call))
    }

    /// Asks whether a call that was started and never finished has happened.
    pub fn probe(&self, primitive: &dyn Primitive, receiver: Value, args: Value) -> Result<Probe, Failure> {
        self.probe_with(primitive, receiver, args, Value::Null)
    }

    /// The same for a call with options.
    pub fn probe_with(
        &self,
        primitive: &dyn Primitive,
        receiver: Value,
        args: Value,
        options: Value,
    ) -> Result<Probe, Failure> {
        self.with(primitive, receiver, args, options, |context, call| primitive.probe(context, call))
    }

    fn with<T>(
        &self,
        primitive: &dyn Primitive,
        receiver: Value,
        args: Value,
        options: Value,
        work: impl FnOnce(&Context<'_>, &Call) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let spec = primitive.spec();
        let mut args: Vec<Value> = args.as_array().cloned().unwrap();
        args.resize(spec.args.len(), Value::Null);
        for (arg, value) in spec.args.iter().zip(&args) {
            if !(arg.optional && value.is_null()) {
                arg.ty
                    .check(value)
                    .map_err(|why| Failure::new(FailureKind::Argument, format!("argument `{}` {why}", arg.name)))?;
            }
        }
        let options = if options.is_null() { json!({}) } else { options };
        let call = Call { receiver, args, options, blocks: Vec::new(), site: Site::default() };
        let file = ProjectFile::load(self.path())?;
        let hosts = file.clone();
        self.drivers.find_hosts_with(Box::new(move |name| target_named(&hosts, name)));
        let project = Project::new(self.path().to_owned(), file, Environment::named("test"));
        let run = RunFacts {
            id: 1,
            uid: self.uid.clone(),
            environment: "test".into(),
            runbook: "test.rhai".into(),
            started_by: "tester@here".into(),
            started_at: Timestamp::now(),
        };
        let path = self.path_of_call();
        let context = Context {
            run: &run,
            project: &project,
            drivers: &self.drivers,
            path: &path,
            cancel: self.cancel.clone(),
            stop: self.cancel.clone(),
            deadline: None,
            services: &self.services,
            marker: self.services.marker.lock().unwrap().clone(),
            planning: false,
        };
        work(&context, &call)
    }

    /// The drivers, for looking at the world directly.
    pub fn drivers(&self) -> &Drivers {
        &self.drivers
    }

    /// Cancels from another thread after a while.
    pub fn cancel_after(&self, time: Duration) {
        let cancel = self.cancel.clone();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            cancel.cancel(runbook::primitive::CancelReason::Person);
        });
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let work = self.at_end.lock().ok().and_then(|mut work| work.take());
        if let Some(work) = work.filter(|_| !std::thread::panicking()) {
            work(self);
        }
    }
}

impl Services for Recorder {
    fn log(&self, _path: &str, stream: LogStream, line: &str) {
        self.lines.lock().unwrap().push((stream, line.to_owned()));
    }
    fn progress(&self, _path: &str, progress: Progress) {
        self.progress.lock().unwrap().push(progress);
    }
    fn in_branch(&self, _path: &str, _branch: usize, _cancel: &Cancel, work: &mut dyn FnMut()) {
        work();
    }
    fn undo(&self, _name: &str, _block: Arc<dyn Block>) {}
    fn always(&self, _block: Arc<dyn Block>) {}
    fn params(&self) -> &Value {
        &Value::Null
    }
    fn confirm(&self, _: &str, _: &str, _: Duration, _: Option<&str>) -> Result<bool, Failure> {
        Ok(true)
    }
    fn catalogue(&self) -> Option<&dyn Catalogue> {
        self.journal.get().map(|journal| journal as &dyn Catalogue)
    }
    fn granted(&self, _need: &Need) -> Result<(), Failure> {
        Ok(())
    }
    fn names_host(&self, _host: &str) -> Option<bool> {
        None
    }
    fn confines(&self, _kind: NeedKind, _path: &str) -> Vec<PathBuf> {
        Vec::new()
    }
    fn mark(&self, _path: &str, marker: &Value) -> Result<(), Failure> {
        *self.marker.lock().unwrap() = Some(marker.clone());
        if self.dies.load(Ordering::Relaxed) { Err(Failure::new(FailureKind::Halted, "died")) } else { Ok(()) }
    }
    fn reached(&self, _path: &str, _branch: usize) -> Reached {
        Reached::No
    }
    fn acquire(&self, request: &LeaseRequest, _: &Cancel, _: &dyn Fn(&Lease)) -> Result<Lease, Failure> {
        Ok(Lease {
            name: request.name.clone(),
            run: 1,
            owner: "tester@here".into(),
            step: String::new(),
            since: Timestamp::now(),
            fence: 1,
        })
    }
    fn release_lease(&self, _lease: &Lease) -> Result<(), Failure> {
        Ok(())
    }
    fn record_release(&self, _path: &str, project: &str, content: &Value) -> Result<Release, Failure> {
        let mut releases = self.releases.lock().unwrap();
        let release = Release {
            number: i64::try_from(releases.iter().filter(|other| other.project == project).count()).unwrap() + 1,
            project: project.into(),
            environment: "test".into(),
            run: 1,
            at: Timestamp::now(),
            state: runbook::primitive::ReleaseState::Good,
            content: content.clone(),
        };
        releases.insert(0, release.clone());
        Ok(release)
    }
    fn releases(&self, project: &str) -> Result<Vec<Release>, Failure> {
        Ok(self.releases.lock().unwrap().iter().filter(|release| release.project == project).cloned().collect())
    }
    fn mask(&self, _secret: &str) {}
    fn secret(&self, name: &str) -> Result<Value, Failure> {
        Err(Failure::new(FailureKind::Secret, format!("there is no secret `{name}`")))
    }
    fn note_secret(&self, _path: &str, _secret: &str, _sink: &str) -> Result<(), Failure> {
        Ok(())
    }
    fn make_secret(&self, _how: &str, _texts: &[&str], _make: MakeSecret) -> Result<Value, Failure> {
        Err(Failure::new(FailureKind::Secret, "there are no secrets"))
    }
    fn secrets_in(&self, _text: &str) -> Vec<String> {
        Vec::new()
    }
    fn planned(&self) -> Vec<Change> {
        self.planned.lock().unwrap().clone()
    }
}
