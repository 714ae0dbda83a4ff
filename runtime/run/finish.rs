//! The course of a run from its first event to its last: the script, then undo and always blocks, then the account.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::execution::{LeftBehind, Undo};
use super::frame::{Past, Place};
use super::{Execution, Halt, admission, frame, hosts, leases, signals};
use crate::journal::{CallState, Event, Parked, Plan, RunState, ScriptEnd};
use crate::primitive::{
    Block, Cancel, CancelReason, Effect, Failure, FailureKind, LogStream, MARKERS_DROPPED, ReleaseState, STACK,
    Services, Site,
};

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
        if !self.only_replays {
            leases::keep_alive(self);
        }
        let ended = self.emit(self.beginning()).and_then(|()| self.on_script_thread(|| self.admit_and_run(script)));
        if self.only_replays {
            return ended.map(|_| Finished { run: self.facts.id, state: RunState::Running });
        }
        // A run whose end is written down is over: nothing brings it to a stand any more.
        let finished = match self.halted.get() {
            Some(halt) => return self.stand_still(halt),
            None => ended.and_then(|ending| self.account(ending, began)),
        };
        match self.halted.get() {
            Some(halt) if finished.is_err() => self.stand_still(halt),
            _ => finished,
        }
    }

    fn admit_and_run(self: &Arc<Self>, script: impl FnOnce() -> Ending) -> Ending {
        let past = if self.resumed { Past::Begun } else { Past::None };
        let top = frame::Frame::new("", "", self.cancel.clone(), past);
        let admitted = || {
            self.note_policy()?;
            admission::admit(self)?;
            leases::acquire_for_run(self)
        };
        let ending = frame::inside(top, || match admitted() {
            Ok(()) => script(),
            // What was begun stays as it is while somebody else has the lock.
            Err(failure) if self.resumed && failure.kind != FailureKind::Refused => {
                Ending { result: Err(self.stand(failure)), trace: Vec::new() }
            }
            Err(failure) => Ending { result: Err(failure), trace: Vec::new() },
        });
        self.settle(ending)
    }

    /// Runs the script for a plan: looks are made, changes are not.
    pub fn foresee(self: &Arc<Self>, script: impl FnOnce() -> Ending + Send) -> Result<Plan, Failure> {
        let Some(planner) = &self.planner else { return Err(Failure::new(FailureKind::System, "this is no plan")) };
        signals::watch(self);
        signals::watch_deadline(self);
        let ending = self.on_script_thread(|| {
            let ending = frame::inside(frame::Frame::new("", "", self.cancel.clone(), Past::None), script);
            let mut blocks = self.always.lock().map(|mut always| std::mem::take(&mut *always)).unwrap_or_default();
            blocks.sort_by(|one, other| other.0.cmp(&one.0));
            for (place, block) in blocks.iter().filter(|_| ending.result.is_ok()) {
                let inside = frame::Frame::new(format!("always.{place}"), "always", self.cancel.clone(), Past::None);
                // A block that fails in the plan is no worse than one that is not planned.
                let _ = frame::inside(inside, || block.call(Vec::new()));
            }
            ending
        })?;
        self.ended.store(true, Ordering::Relaxed);
        if let Some(reason) = self.cancel.reason() {
            return Err(reason.into());
        }
        Ok(self.plan(planner, ending.result.err(), &ending.trace))
    }

    fn beginning(&self) -> Event {
        if self.resumed {
            return Event::RunResumed {
                run: self.facts.id,
                runbook: self.facts.runbook.clone(),
                environment: self.facts.environment.clone(),
                by: self.facts.started_by.clone(),
                finished: self.replay.finished(),
                at: Timestamp::now(),
            };
        }
        Event::RunStarted {
            run: self.facts.id,
            runbook: self.facts.runbook.clone(),
            title: self.title.clone(),
            environment: self.facts.environment.clone(),
            parameters: self.parameters.clone(),
            at: self.facts.started_at,
        }
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

    /// Runs the undo blocks after a failure and the always blocks in any case; neither when the run stands still.
    fn settle(&self, mut ending: Ending) -> Ending {
        if self.halted.get().is_some() || self.only_replays {
            return ending;
        }
        if let Err(halted) = self.note_end(&mut ending) {
            return Ending { result: Err(halted), trace: Vec::new() };
        }
        if let Err(failure) = &mut ending.result {
            let mut blocks = self.undo.lock().map(|mut undo| std::mem::take(&mut *undo)).unwrap_or_default();
            blocks.sort_by(|one, other| other.0.cmp(&one.0));
            let Ok(problems) = self.compensate_all(&blocks) else { return ending };
            for (name, problem) in problems {
                failure.hints.push(format!("undo `{name}` failed as well: {problem}"));
            }
        }
        let mut blocks = self.always.lock().map(|mut always| std::mem::take(&mut *always)).unwrap_or_default();
        blocks.sort_by(|one, other| other.0.cmp(&one.0));
        for (place, block) in &blocks {
            let outcome = self.compensate("always", place, "always", block);
            if self.halted.get().is_some() {
                return ending;
            }
            if let (Err(problem), Ok(_)) = (outcome, &ending.result) {
                ending.result = Err(problem);
            }
        }
        ending
    }

    /// Writes down how the script itself ended, before its blocks run: after a crash among them it is not run further
    /// than it got.
    fn note_end(&self, ending: &mut Ending) -> Result<(), Failure> {
        if let Some(end) = &self.script_end {
            if end.cancelled {
                self.cancel.cancel(CancelReason::Person);
            }
            ending.trace.clone_from(&end.trace);
            ending.result = end.failure.clone().map_or_else(|| Ok(end.result.clone()), Err);
            return Ok(());
        }
        self.emit(Event::ScriptEnded {
            end: ScriptEnd {
                failure: ending.result.as_ref().err().cloned(),
                trace: ending.trace.clone(),
                cancelled: self.cancel.reason() == Some(CancelReason::Person),
                result: ending.result.as_ref().ok().cloned().unwrap_or_default(),
            },
            at: Timestamp::now(),
        })
    }

    /// Runs undo blocks in this order. Returns those that failed, by name; fails itself when the run comes to a stand.
    pub(super) fn compensate_all(&self, blocks: &[Undo]) -> Result<Vec<(String, Failure)>, Failure> {
        let mut problems = Vec::new();
        if blocks.is_empty() || self.planner.is_some() {
            return Ok(problems);
        }
        let _ = self.emit(Event::UndoStarted { blocks: blocks.len(), at: Timestamp::now() });
        for (place, name, block) in blocks {
            if let Err(problem) = self.compensate("undo", place, name, block) {
                if self.halted.get().is_some() {
                    return Err(problem);
                }
                problems.push((name.clone(), problem));
            }
        }
        Ok(problems)
    }

    /// Runs one block, shielded from the cancellation that may have led here.
    fn compensate(&self, kind: &str, place: &Place, name: &str, block: &Arc<dyn Block>) -> Result<(), Failure> {
        let path = format!("{kind}.{place}");
        let record = self.replay.call(&path);
        let past = match record {
            None => Past::None,
            Some(record) if record.state == CallState::Started => Past::Begun,
            Some(record) => return record.failure.clone().map_or(Ok(()), Err),
        };
        if record.is_none() {
            self.emit(Event::CallStarted {
                path: path.clone(),
                name: kind.to_owned(),
                title: name.to_owned(),
                effect: Effect::Flow,
                arguments: json!({}),
                site: Site::default(),
                at: Timestamp::now(),
            })?;
        } else if let Some(record) = record {
            self.show(record);
        }
        let began = Instant::now();
        let inside = frame::Frame::new(&*path, name, Cancel::new(), past);
        let result = frame::inside(inside, || block.call(Vec::new()));
        let failure = result.err().filter(|failure| failure.kind != FailureKind::Control);
        if let Some(halted) = failure.as_ref().filter(|failure| failure.kind == FailureKind::Halted) {
            return Err(halted.clone());
        }
        self.emit(Event::CallFinished {
            path,
            state: if failure.is_some() { CallState::Failed } else { CallState::Done },
            result: Value::Null,
            changed: None,
            note: None,
            changes: Vec::new(),
            failure: failure.clone(),
            masked: false,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            at: Timestamp::now(),
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// Leaves the run as it is, for somebody to go on with.
    fn stand_still(&self, halt: &Halt) -> Result<Finished, Failure> {
        self.ended.store(true, Ordering::Relaxed);
        let run = self.facts.id;
        match halt {
            Halt::Parked(parked) => {
                leases::park_all(self);
                self.emit(Event::RunParked { run, parked: parked.clone() })?;
                self.journal.flush()?;
                Ok(Finished { run, state: parked.state })
            }
            Halt::Stopped(failure) => {
                let parked = Parked {
                    state: RunState::Killed,
                    path: String::new(),
                    question: failure.message.clone(),
                    digest: String::new(),
                    expires: None,
                    at: Timestamp::now(),
                };
                // A journal that cannot be written is told the same by the death of this process.
                let _ = self.journal.record(run, &self.fit(Event::RunParked { run, parked }));
                let mut failure = self.shown_failure(Failure { kind: FailureKind::System, ..failure.clone() });
                failure.message = format!("run {run} stopped where it was: {}", failure.message);
                Err(failure
                    .hint(format!("`runbook resume {run}` goes on, `runbook cancel {run}` undoes what was done")))
            }
            Halt::Replayed | Halt::Unforeseen(_) => Ok(Finished { run, state: RunState::Running }),
        }
    }

    /// Removes what calls of an earlier process left behind for their probes.
    fn clean_up(&self) {
        let left_behind = self.left_behind.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default();
        for LeftBehind { primitive, call, path } in left_behind {
            let here = frame::Frame::new(&*path, "", Cancel::new(), Past::Aside);
            primitive.clean_up(&self.context(&path, &here, None), &call);
        }
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
        self.clean_up();
        // Empty by now; what a call could not remove stays.
        let folder = self.project.state_folder().join("calls").join(&self.facts.uid);
        let _ = std::fs::remove_file(folder.join(MARKERS_DROPPED));
        let _ = std::fs::remove_dir(folder);
        leases::release_all(self);
        hosts::settle(self);
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
        // The run is over and that is written down, whatever became of its last lines.
        if let Err(problem) = self.journal.flush() {
            self.log("", LogStream::Warn, &format!("the last log lines of this run are lost: {problem}"));
        }
        Ok(Finished { run: self.facts.id, state })
    }
}
