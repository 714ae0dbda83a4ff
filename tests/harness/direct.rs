//! Calls one primitive without a script, through the same argument check as the door.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use runbook::drivers::Drivers;
use runbook::primitive::{
    Block, Call, Cancel, Context, Failure, FailureKind, Lease, LeaseRequest, LogStream, Outcome, Primitive, Probe,
    Progress, Release, RunFacts, Services, Site,
};
use runbook::project::{Environment, Project, ProjectFile};
use serde_json::{Value, json};

/// A project folder of its own, and what a call said while it ran.
pub struct Direct {
    folder: tempfile::TempDir,
    drivers: Drivers,
    services: Recorder,
    /// Cancels the calls made through this.
    pub cancel: Cancel,
}

#[derive(Default)]
struct Recorder {
    lines: Mutex<Vec<(LogStream, String)>>,
    releases: Mutex<Vec<Release>>,
    progress: Mutex<Vec<Progress>>,
}

#[allow(dead_code)]
impl Direct {
    /// An empty project.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, drivers: Drivers::default(), services: Recorder::default(), cancel: Cancel::new() }
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

    /// What the calls said about how far they were, in words.
    pub fn progress(&self) -> Vec<String> {
        self.services.progress.lock().unwrap().iter().map(|progress| progress.doing.clone()).collect()
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
        self.with(primitive, receiver, args, options, |context, call| primitive.call(context, call))
    }

    /// Asks whether a call that was started and never finished has happened.
    pub fn probe(&self, primitive: &dyn Primitive, receiver: Value, args: Value) -> Result<Probe, Failure> {
        self.with(primitive, receiver, args, Value::Null, |context, call| primitive.probe(context, call))
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
        let project = Project::new(self.path().to_owned(), ProjectFile::load(self.path())?, Environment::named("test"));
        let run = RunFacts {
            id: 1,
            environment: "test".into(),
            runbook: "test.rhai".into(),
            started_by: "tester@here".into(),
            started_at: Timestamp::now(),
        };
        let context = Context {
            run: &run,
            project: &project,
            drivers: &self.drivers,
            path: "1",
            cancel: self.cancel.clone(),
            deadline: None,
            services: &self.services,
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
    fn confirm(&self, _question: &str) -> Result<bool, Failure> {
        Ok(true)
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
    fn record_release(&self, project: &str, content: &Value) -> Result<Release, Failure> {
        let mut releases = self.releases.lock().unwrap();
        let release = Release {
            number: i64::try_from(releases.len()).unwrap() + 1,
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
    fn releases(&self, _project: &str) -> Result<Vec<Release>, Failure> {
        Ok(self.releases.lock().unwrap().clone())
    }
    fn mask(&self, _secret: &str) {}
}
