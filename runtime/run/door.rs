//! The one door: every primitive call of every script passes here, stage by stage.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::{Execution, arguments, frame, leases};
use crate::journal::{CallState, Event};
use crate::primitive::{
    Block, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Services, Site,
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
}

impl Door for Execution {
    fn call(&self, invocation: Invocation) -> Result<Value, Failure> {
        let primitive = invocation.primitive;
        let spec = primitive.spec();
        let call = arguments::check(invocation)?;
        let here = frame::current();
        let here = here.ok_or_else(|| Failure::new(FailureKind::System, "a call was made outside a run"))?;
        self.policy.allows(spec, &call)?;
        self.still_sound()?;
        if primitive.effect(&call) == Effect::Pure {
            return primitive.call(&self.context(&here.path, &here), &call).map(|outcome| outcome.value);
        }
        if let Some(reason) = here.cancel.reason() {
            return Err(reason.into());
        }
        primitive.secrets(&call).iter().for_each(|secret| self.mask(secret));
        let path = here.next_path();
        let title = if spec.effect == Effect::Flow && !call.str(0).is_empty() {
            call.str(0).to_owned()
        } else {
            primitive.preview(&call)
        };
        let step = if spec.name == "step" {
            leases::note_step(self, &title);
            title.clone()
        } else {
            here.step.clone()
        };
        self.started(primitive, &call, &path, title)?;
        let inside = frame::Frame::new(path.clone(), step, here.cancel.clone());
        let began = Instant::now();
        let result = frame::inside(inside.clone(), || primitive.call(&self.context(&path, &inside), &call));
        self.finished(&path, began, &result)?;
        result.map(|outcome| outcome.value)
    }

    fn interrupted(&self) -> Option<Failure> {
        if let Some(reason) = frame::current().and_then(|here| here.cancel.reason()) {
            return Some(reason.into());
        }
        self.count_operation()
    }

    fn print(&self, line: &str) {
        let path = frame::current().map(|here| here.path.clone()).unwrap_or_default();
        self.log(&path, LogStream::Info, line);
    }
}

impl Execution {
    fn context<'a>(&'a self, path: &'a str, frame: &frame::Frame) -> Context<'a> {
        Context {
            run: &self.facts,
            project: &self.project,
            drivers: &self.drivers,
            path,
            cancel: frame.cancel.clone(),
            deadline: self.deadline,
            services: self,
        }
    }

    /// Commits the intent. When it cannot be written, the effect does not happen.
    fn started(&self, primitive: &dyn Primitive, call: &Call, path: &str, title: String) -> Result<(), Failure> {
        let spec = primitive.spec();
        self.emit(Event::CallStarted {
            path: path.to_owned(),
            name: spec.qualified_name(),
            title,
            effect: primitive.effect(call),
            arguments: arguments::recorded(spec, call),
            site: call.site.clone(),
            at: Timestamp::now(),
        })
    }

    fn finished(&self, path: &str, began: Instant, result: &Result<Outcome, Failure>) -> Result<(), Failure> {
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (state, outcome, failure) = match result {
            Ok(outcome) => (CallState::Done, outcome.clone(), None),
            Err(failure) if failure.kind == FailureKind::Control => (CallState::Done, Outcome::default(), None),
            Err(failure) if failure.kind == FailureKind::Cancelled => (CallState::Cancelled, Outcome::default(), None),
            Err(failure) => (CallState::Failed, Outcome::default(), Some(failure.clone())),
        };
        self.emit(Event::CallFinished {
            path: path.to_owned(),
            state,
            result: outcome.value,
            changed: outcome.changed,
            note: outcome.note,
            failure,
            milliseconds,
            at: Timestamp::now(),
        })
    }
}
