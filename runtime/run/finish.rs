//! The course of a run from its first event to its last: the script, then undo and always blocks, then the account.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Execution, frame, leases, signals};
use crate::journal::{CallState, Event, RunState};
use crate::primitive::{
    Block, Cancel, CancelReason, Effect, Failure, FailureKind, LogStream, ReleaseState, Services, Site,
};

/// The stack of a script's thread: deep enough for every call level the engine allows.
const STACK: usize = 8 << 20;

/// How the script ended.
pub struct Ending {
    /// What it returned, or why it failed.
    pub result: Result<Value, Failure>,
    /// Where it failed, innermost place first.
    pub trace: Vec<Site>,
}

/// How the run ended.
pub struct Finished {
    /// The run's number.
    pub run: i64,
    /// Its state.
    pub state: RunState,
}

impl Execution {
    /// Runs the script on a thread of its own, settles everything and writes the end.
    pub fn conduct(self: &Arc<Self>, script: impl FnOnce() -> Ending + Send) -> Result<Finished, Failure> {
        let began = Instant::now();
        signals::watch(self);
        signals::watch_deadline(self);
        leases::keep_alive(self);
        self.emit(Event::RunStarted {
            run: self.facts.id,
            runbook: self.facts.runbook.clone(),
            title: self.title.clone(),
            environment: self.facts.environment.clone(),
            parameters: self.parameters.clone(),
            at: self.facts.started_at,
        })?;
        let ending = self.on_script_thread(|| {
            let top = frame::Frame::new("", "", self.cancel.clone());
            let ending = frame::inside(top, || match leases::acquire_for_run(self) {
                Ok(()) => script(),
                Err(failure) => Ending { result: Err(failure), trace: Vec::new() },
            });
            self.settle(ending)
        })?;
        self.account(ending, began)
    }

    fn on_script_thread<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("script".into()).stack_size(STACK);
            let handle = thread.spawn_scoped(scope, work).map_err(|error| Failure::system("start a thread", &error))?;
            handle.join().map_err(|_| {
                self.ended.store(true, Ordering::Relaxed);
                Failure::new(FailureKind::System, "the runtime failed in a way it should never fail; please report it")
            })
        })
    }

    /// Runs the undo blocks after a failure and the always blocks in any case.
    fn settle(&self, mut ending: Ending) -> Ending {
        if let Err(failure) = &mut ending.result {
            let blocks = self.undo.lock().map(|mut undo| std::mem::take(&mut *undo)).unwrap_or_default();
            if !blocks.is_empty() {
                let _ = self.emit(Event::UndoStarted { blocks: blocks.len(), at: Timestamp::now() });
            }
            for (index, (name, block)) in blocks.iter().rev().enumerate() {
                if let Err(problem) = self.compensate("undo", &format!("undo.{}", index + 1), name, block) {
                    failure.hints.push(format!("undo `{name}` failed as well: {problem}"));
                }
            }
        }
        let blocks = self.always.lock().map(|mut always| std::mem::take(&mut *always)).unwrap_or_default();
        for (index, block) in blocks.iter().rev().enumerate() {
            let outcome = self.compensate("always", &format!("always.{}", index + 1), "always", block);
            if let (Err(problem), Ok(_)) = (outcome, &ending.result) {
                ending.result = Err(problem);
            }
        }
        ending
    }

    /// Runs one block, shielded from the cancellation that may have led here.
    fn compensate(&self, kind: &str, path: &str, name: &str, block: &Arc<dyn Block>) -> Result<(), Failure> {
        self.emit(Event::CallStarted {
            path: path.to_owned(),
            name: kind.to_owned(),
            title: name.to_owned(),
            effect: Effect::Flow,
            arguments: json!({}),
            site: Site::default(),
            at: Timestamp::now(),
        })?;
        let began = Instant::now();
        let inside = frame::Frame::new(path, name, Cancel::new());
        let result = frame::inside(inside, || block.call(Vec::new()));
        let failure = result.err().filter(|failure| failure.kind != FailureKind::Control);
        self.emit(Event::CallFinished {
            path: path.to_owned(),
            state: if failure.is_some() { CallState::Failed } else { CallState::Done },
            result: Value::Null,
            changed: None,
            note: None,
            failure: failure.clone(),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            at: Timestamp::now(),
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// Writes how it ended.
    fn account(&self, ending: Ending, began: Instant) -> Result<Finished, Failure> {
        let (state, result, failure) = match ending.result {
            Ok(value) => (RunState::Ok, value, None),
            Err(failure) if self.cancel.reason() == Some(CancelReason::Person) => {
                (RunState::Cancelled, Value::Null, Some(failure))
            }
            Err(failure) => (RunState::Failed, Value::Null, Some(failure)),
        };
        let release = if state == RunState::Ok { ReleaseState::Good } else { ReleaseState::Failed };
        if let Err(problem) = self.journal.settle_releases(self.facts.id, release) {
            self.log("", LogStream::Warn, &format!("the releases of this run could not be marked: {problem}"));
        }
        leases::release_all(self);
        self.ended.store(true, Ordering::Relaxed);
        self.emit(Event::RunFinished {
            run: self.facts.id,
            state,
            failure,
            trace: ending.trace,
            result,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            at: Timestamp::now(),
        })?;
        self.journal.flush()?;
        Ok(Finished { run: self.facts.id, state })
    }
}
