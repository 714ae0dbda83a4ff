//! The one door: every primitive call of every script passes here, stage by stage.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::recovery::Found;
use super::{Execution, Halt, arguments, budget, computing, frame, hosts, leases, replay};
use crate::journal::{CallRecord, CallState, Event};
use crate::primitive::{
    Action, Block, Call, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Needs, Outcome, Primitive,
    Services, Site,
};

/// A call as the script engine hands it over, unchecked.
pub struct Invocation {
    /// What is called.
    pub primitive: &'static dyn Primitive,
    /// The handle a method is called on; null for a function.
    pub receiver: Value,
    /// Everything between the parentheses, options included.
    pub arguments: Vec<Value>,
    /// Closures among them.
    pub blocks: Vec<Arc<dyn Block>>,
    /// Where in the script.
    pub site: Site,
}

/// What the script engine needs of a run.
pub trait Door: Send + Sync {
    /// Makes a call: the only way a script reaches the world.
    fn call(&self, invocation: Invocation) -> Result<Value, Failure>;
    /// Asked between a script's operations: a failure stops the script where it is.
    fn interrupted(&self) -> Option<Failure>;
    /// A line the script printed.
    fn print(&self, line: &str);
    /// Is this a plan, in which values may be unknown?
    fn is_planning(&self) -> bool;
    /// The script decides on something unknown: a plan ends there. `what` is what it depends on, where that is told.
    fn unforeseen(&self, what: Option<&str>, site: Option<Site>) -> Failure;
}

impl Door for Execution {
    fn call(&self, invocation: Invocation) -> Result<Value, Failure> {
        let result = self.let_in(invocation);
        computing::begins_anew();
        result
    }

    fn interrupted(&self) -> Option<Failure> {
        // What was done before is gone through as it was done: only what is new can be interrupted.
        if let Some(here) = frame::current().filter(|here| here.is_live()) {
            if let Some(reason) = here.cancel.reason() {
                return Some(reason.into());
            }
            if let Err(failure) = self.still_going() {
                return Some(failure);
            }
        }
        self.count_operation()
    }

    fn print(&self, line: &str) {
        let path = frame::current().map(|here| here.path.clone()).unwrap_or_default();
        self.log(&path, LogStream::Info, line);
    }

    fn is_planning(&self) -> bool {
        self.planner.is_some()
    }

    fn unforeseen(&self, what: Option<&str>, site: Option<Site>) -> Failure {
        Execution::unforeseen(self, what, site)
    }
}

impl Execution {
    fn let_in(&self, invocation: Invocation) -> Result<Value, Failure> {
        let primitive = invocation.primitive;
        let call = arguments::check(invocation, self.planner.is_some())?;
        let here = frame::current();
        let here = here.ok_or_else(|| Failure::new(FailureKind::System, "a call was made outside a run"))?;
        self.check_secrets(primitive, &call)?;
        self.granted(primitive, &call)?;
        self.still_going()?;
        let effect = primitive.effect(&call);
        if effect == Effect::Pure {
            return self.act(primitive, &self.context(&here.path, &here, None), &call).map(|outcome| outcome.value);
        }
        primitive.secrets(&call).iter().for_each(|secret| self.mask(secret));
        if here.past == frame::Past::Aside {
            return self.aside(primitive, &call, &here);
        }
        let path = here.next_path();
        if let Some(planner) = &self.planner {
            return self.plan_call(planner, primitive, &call, &path, &here);
        }
        match self.replay.call(&path) {
            Some(record) => {
                self.same_call(primitive, &call, record)?;
                self.repeat(primitive, call, record, &here)
            }
            None if here.past == frame::Past::Ended => Err(Failure::new(FailureKind::Cancelled, "not reached before")),
            None => self.make(primitive, &call, &path, &here, None),
        }
    }

    /// Is everything granted that the call needs?
    fn granted(&self, primitive: &dyn Primitive, call: &Call) -> Result<(), Failure> {
        let looks = !matches!(primitive.effect(call), Effect::Change | Effect::Destroy);
        self.policy.allows(&format!("`{}`", primitive.spec().qualified_name()), &self.needs(primitive, call), looks)
    }

    /// Everything that the call needs in this project.
    pub(super) fn needs(&self, primitive: &dyn Primitive, call: &Call) -> Vec<Need> {
        Needs::of(primitive, call, self.project.file()).certain
    }

    pub(super) fn context<'a>(&'a self, path: &'a str, frame: &frame::Frame, marker: Option<Value>) -> Context<'a> {
        Context {
            run: &self.facts,
            project: &self.project,
            drivers: &self.drivers,
            path,
            cancel: frame.cancel.clone(),
            stop: frame.cancel.clone(),
            deadline: self.deadline,
            services: self,
            marker,
            planning: self.planner.is_some(),
        }
    }

    /// A call that the journal does not have, or (with a record) one in doubt that is made again.
    fn make(
        &self,
        primitive: &'static dyn Primitive,
        call: &Call,
        path: &str,
        here: &frame::Frame,
        record: Option<&CallRecord>,
    ) -> Result<Value, Failure> {
        if let Some(failure) = self.ended_before() {
            return Err(failure);
        }
        if self.only_replays {
            return Err(self.halt(Halt::Replayed));
        }
        if let Some(reason) = here.cancel.reason() {
            let stopped = Err(reason.into());
            return match record {
                Some(_) => self.finish(primitive, call, path, here, Instant::now(), stopped),
                None => stopped.map(|outcome: Outcome| outcome.value),
            };
        }
        here.go_live();
        let spec = primitive.spec();
        let is_group = spec.effect == Effect::Flow && !call.blocks.is_empty() && !call.str(0).is_empty();
        let title = if is_group { call.str(0).to_owned() } else { primitive.preview(call) };
        let step = if spec.name == "step" {
            leases::note_step(self, &title);
            title.clone()
        } else {
            here.step.clone()
        };
        let arguments = arguments::recorded(spec, call);
        if self.replay.lacks(&arguments) {
            let message =
                format!("`{title}` needs a value that was masked in the run log, and that no call gives again");
            let hint = format!("`runbook run --from-run {}` begins anew", self.facts.id);
            return Err(self.stand(Failure::new(FailureKind::Halted, message).hint(hint)));
        }
        // Not begun yet while it waits for others. When they do not let go, the call begins and fails.
        let allowed = leases::guard(self, primitive, call, path, here);
        self.still_going()?;
        let allowed = allowed.and_then(|()| budget::within(self, primitive, call, path, here));
        if allowed.is_ok() {
            self.as_planned(primitive, call, path, here)?;
        }
        self.emit(Event::CallStarted {
            path: path.to_owned(),
            name: spec.qualified_name(),
            title,
            effect: primitive.effect(call),
            arguments,
            site: call.site.clone(),
            at: Timestamp::now(),
        })?;
        let inside = frame::Frame::new(path, step, here.cancel.clone(), frame::Past::None);
        let marker = record.and_then(|record| record.marker.clone());
        let began = Instant::now();
        let result = allowed.and_then(|()| {
            let working = hosts::enter(self, primitive, call)?;
            let act = || self.act(primitive, &self.context(path, &inside, marker), call);
            frame::inside(inside.clone(), act).map_err(|failure| working.judged(failure))
        });
        let result = result.map_err(|failure| {
            // Nobody knows what became of it: whoever goes on with the run finds out.
            let in_doubt = failure.kind == FailureKind::Halted && self.stands_still().is_none();
            if in_doubt || !failure.is_passing_through() && leases::is_cut_off(self, primitive, call, path, here) {
                return self.stand(failure);
            }
            failure
        });
        self.finish(primitive, call, path, &inside, began, result)
    }

    /// A call that the journal has: its recorded end, or what is to be done about it.
    fn repeat(
        &self,
        primitive: &'static dyn Primitive,
        call: Call,
        record: &CallRecord,
        here: &frame::Frame,
    ) -> Result<Value, Failure> {
        if primitive.effect(&call) == Effect::Flow {
            return self.go_through(primitive, &call, record, here);
        }
        leases::was_guarded(self, primitive, &call, record, here);
        if record.state == CallState::Started {
            if self.only_replays {
                return Err(self.halt(Halt::Replayed));
            }
            leases::guard(self, primitive, &call, &record.path, here)?;
            return match self.recover(primitive, &call, record, here)? {
                Found::Again => self.make(primitive, &call, &record.path, here, Some(record)),
                Found::Ended(result) => {
                    here.go_live();
                    self.show(record);
                    self.finish(primitive, &call, &record.path, here, Instant::now(), result)
                }
            };
        }
        let masked_look = record.masked && primitive.effect(&call) == Effect::Read;
        if primitive.leaves_marker(&call) {
            self.clean_up_later(primitive, call, record);
        } else if masked_look && !self.only_replays {
            return self.look_again(primitive, &call, record, here);
        }
        match record.state {
            CallState::Failed => {
                let failure = record.failure.clone().unwrap_or_else(|| Failure::new(FailureKind::System, "failed"));
                Err(self.restored_failure(failure))
            }
            CallState::Cancelled => Err(self.stopped_before(record)),
            CallState::Done | CallState::Started => self.restored(record.result.clone()),
        }
    }

    /// A call that only arranges others: it arranges them again, and they are found in the journal or made.
    fn go_through(
        &self,
        primitive: &'static dyn Primitive,
        call: &Call,
        record: &CallRecord,
        here: &frame::Frame,
    ) -> Result<Value, Failure> {
        let ended = record.state != CallState::Started;
        let step = if record.name == "step" { record.title.clone() } else { here.step.clone() };
        let past = if ended { frame::Past::Ended } else { frame::Past::Begun };
        let inside = frame::Frame::new(&*record.path, step, here.cancel.clone(), past);
        if !ended {
            self.show(record);
        }
        let began = Instant::now();
        let path = &*record.path;
        let result = frame::inside(inside.clone(), || self.act(primitive, &self.context(path, &inside, None), call));
        if !ended {
            return self.finish(primitive, call, path, &inside, began, result);
        }
        // Where it was cut short by another branch or by the time, there is nothing to go through: its end is known.
        match result {
            Err(failure) if failure.kind == FailureKind::Cancelled && record.state == CallState::Failed => {
                Err(record.failure.clone().unwrap_or(failure))
            }
            Err(failure) if failure.kind == FailureKind::Cancelled && record.state == CallState::Cancelled => {
                Err(self.stopped_before(record))
            }
            // It went well before: a lock that somebody else has by now. What was begun stays as it is.
            Err(failure) if record.state == CallState::Done && !failure.is_passing_through() => {
                Err(self.stand(failure))
            }
            Err(failure) if failure.kind == FailureKind::Cancelled && record.state == CallState::Done => {
                let message = format!("`{}` had ended, and now calls something more in it", record.title);
                Err(self.stand(Failure::new(FailureKind::Halted, message)))
            }
            other => other.map(|outcome| outcome.value),
        }
    }

    /// Something was masked in the recorded result of a look: the same look gives it again, or the world has changed.
    fn look_again(
        &self,
        primitive: &'static dyn Primitive,
        call: &Call,
        record: &CallRecord,
        here: &frame::Frame,
    ) -> Result<Value, Failure> {
        let seen = self.act(primitive, &self.context(&record.path, here, None), call);
        let outcome = seen.map_err(|failure| self.stand(failure))?;
        if replay::same(&record.result, &self.named(outcome.value.clone())) {
            return Ok(outcome.value);
        }
        let message = format!("`{}` sees something else than before the run stopped", record.title);
        Err(self.stand(Failure::new(FailureKind::Halted, message).hint("begin anew: the world has changed")))
    }

    /// A call inside a probe: it may look, and nobody records it.
    fn aside(&self, primitive: &'static dyn Primitive, call: &Call, here: &frame::Frame) -> Result<Value, Failure> {
        let effect = primitive.effect(call);
        if matches!(effect, Effect::Change | Effect::Destroy) {
            let message = format!("`{}` changes something: a probe may only look", primitive.spec().qualified_name());
            return Err(Failure::new(FailureKind::Refused, message));
        }
        self.note_secrets(primitive, call, &here.path)?;
        self.act(primitive, &self.context(&here.path, here, None), call).map(|outcome| outcome.value)
    }

    /// Commits how a call ended, and then removes what it left behind for its probe.
    fn finish(
        &self,
        primitive: &'static dyn Primitive,
        call: &Call,
        path: &str,
        frame: &frame::Frame,
        began: Instant,
        result: Result<Outcome, Failure>,
    ) -> Result<Value, Failure> {
        let halted = result.as_ref().is_err_and(|failure| failure.kind == FailureKind::Halted);
        if halted {
            return result.map(|outcome| outcome.value);
        }
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let result = result.map(|outcome| named(outcome, primitive, call));
        let (state, outcome, failure) = match &result {
            Ok(outcome) => (CallState::Done, outcome.clone(), None),
            Err(failure) if failure.kind == FailureKind::Control => (CallState::Done, Outcome::default(), None),
            Err(failure) if failure.kind == FailureKind::Cancelled => {
                (CallState::Cancelled, Outcome::default(), Some(failure.clone()))
            }
            Err(failure) => (CallState::Failed, Outcome::default(), Some(failure.clone())),
        };
        budget::count(self, &outcome.changes);
        // What a block of the call had not begun is nothing that the call itself had not.
        let is_flow = primitive.effect(call) == Effect::Flow;
        let nothing_begun = !is_flow && failure.as_ref().is_some_and(|failure| failure.nothing_begun);
        self.emit(Event::CallFinished {
            path: path.to_owned(),
            state,
            result: outcome.value,
            changed: if nothing_begun { Some(false) } else { outcome.changed },
            note: outcome.note,
            changes: outcome.changes,
            failure,
            masked: false,
            milliseconds,
            at: Timestamp::now(),
        })?;
        if primitive.leaves_marker(call) && !nothing_begun {
            primitive.clean_up(&self.context(path, frame, None), call);
        }
        result.map(|outcome| outcome.value)
    }

    /// The journal and the script must tell of the same call.
    fn same_call(&self, primitive: &dyn Primitive, call: &Call, record: &CallRecord) -> Result<(), Failure> {
        let spec = primitive.spec();
        let arguments = arguments::recorded(spec, call);
        let name = spec.qualified_name();
        if name == record.name && replay::same(&record.arguments, &self.named(arguments.clone())) {
            return Ok(());
        }
        Err(self.stand(replay::diverged(record, &name, &self.redacted(arguments), &call.site)))
    }
}

/// A change that says no better what it did is one command that ran, as its plan has it.
fn named(outcome: Outcome, primitive: &dyn Primitive, call: &Call) -> Outcome {
    let changes_something = matches!(primitive.effect(call), Effect::Change | Effect::Destroy);
    if !changes_something || outcome.changed == Some(false) || !outcome.changes.is_empty() {
        return outcome;
    }
    let what = primitive.preview(call);
    outcome.made([Change::new(Action::Run, what)])
}
