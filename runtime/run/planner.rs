//! The door's plan stage: looks are made, changes are recorded and not made.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::Value;

use super::{Execution, Halt, arguments, frame};
use crate::journal::{Look, Plan, PlannedCall, Uncertain};
use crate::primitive::{
    Action, Call, Change, Effect, Failure, FailureKind, Left, PlannedDisk, Prediction, Primitive, Site, Touches,
    unknown, unknown_of, unknown_shown, unknown_within, unknowns_within,
};

/// What has been found out so far.
#[derive(Default)]
pub(super) struct Planner {
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    calls: Vec<PlannedCall>,
    looks: Vec<Look>,
    questions: Vec<String>,
    /// What the values depend on that were handed out without being known.
    unknown: BTreeSet<String>,
    /// What the planned changes touch.
    touched: Vec<Touches>,
    /// How they leave the files and folders of this machine.
    disk: PlannedDisk,
}

impl Planner {
    /// A question that will be asked; a plan takes the answer to be yes.
    pub(super) fn ask(&self, question: &str) {
        self.with(|found| found.questions.push(question.to_owned()));
    }

    /// The changes of the calls before.
    pub(super) fn planned(&self) -> Vec<Change> {
        self.with(|found| found.calls.iter().flat_map(|call| call.changes.iter().cloned()).collect())
    }

    /// Notes what a call that changes something found where it would.
    pub(super) fn found(&self, path: &str, what: &str, fingerprint: String) {
        let found = Look::found(path, what, fingerprint);
        self.with(|plan| plan.looks.push(found));
    }

    /// Notes how a planned change leaves a path.
    pub(super) fn leaves(&self, path: &Path, left: Left) {
        self.with(|found| found.disk.note(path, left));
    }

    /// How planned changes leave a path, and whether that is certain.
    pub(super) fn left(&self, path: &Path) -> Option<(Left, bool)> {
        self.with(|found| found.disk.look(path))
    }

    /// May a planned change alter that path of which nobody knows what it does?
    pub(super) fn is_doubtful(&self, path: &Path) -> bool {
        self.with(|found| found.disk.is_doubtful(path))
    }

    /// What a decision depends on that the script engine came to by itself: it does not say on which value, so that this is only known
    /// when everything unknown so far depends on the same.
    fn only_unknown(&self) -> Option<String> {
        self.with(|found| found.unknown.first().filter(|_| found.unknown.len() == 1).cloned())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Found) -> T) -> T {
        work(&mut self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Could a change that was planned alter what this touches?
    fn altered(&self, touches: &Touches) -> bool {
        self.with(|found| found.touched.iter().any(|touched| touched.overlaps(touches)))
    }
}

impl Execution {
    /// A call of a plan.
    pub(super) fn plan_call(
        &self,
        planner: &Planner,
        primitive: &'static dyn Primitive,
        call: &Call,
        path: &str,
        here: &frame::Frame,
    ) -> Result<Value, Failure> {
        if let Some(reason) = here.cancel.reason() {
            return Err(reason.into());
        }
        let spec = primitive.spec();
        let step = if spec.name == "step" { unknown_shown(call.str(0)) } else { here.step.clone() };
        let inside = frame::Frame::new(path, step, here.cancel.clone(), frame::Past::None);
        let context = self.context(path, &inside, None);
        let recorded = arguments::recorded(spec, call);
        let is_known = call.is_known();
        let foresees = primitive.foresees(call);
        let effect = primitive.effect(call);
        if effect == Effect::Flow
            && let Some(what) = undecided(call)
        {
            return Err(self.unforeseen(Some(what), Some(call.site.clone())));
        }
        if effect == Effect::Flow && !(primitive.is_gate() && planner.altered(&Touches::Anything)) {
            return frame::inside(inside.clone(), || self.act(primitive, &context, call)).map(|outcome| outcome.value);
        }
        let touches = if foresees { primitive.touches(&context, call) } else { Touches::Anything };
        let changes_something = matches!(effect, Effect::Change | Effect::Destroy);
        if spec.name == "confirm" && is_known {
            planner.ask(call.str(0));
            return Ok(true.into());
        }
        if !changes_something && is_known && !planner.altered(&touches) {
            let outcome = frame::inside(inside.clone(), || self.act(primitive, &context, call))?;
            let look = Look {
                path: path.to_owned(),
                name: spec.qualified_name(),
                title: self.title(primitive, call),
                arguments: self.redacted(recorded),
                seen: self.redacted(primitive.observed(call, &outcome.value)),
            };
            planner.with(|found| found.looks.push(look));
            return Ok(outcome.value);
        }
        let noted = planner.with(|found| found.disk.len());
        let prediction = if foresees { self.predicted(primitive, &context, call)? } else { vague(primitive, call) };
        if changes_something && !prediction.changes.is_empty() {
            planner.with(|found| {
                if found.disk.len() == noted {
                    found.disk.doubt(&touches);
                }
                found.touched.push(touches);
                found.calls.push(PlannedCall {
                    path: path.to_owned(),
                    name: spec.qualified_name(),
                    title: self.title(primitive, call),
                    step: here.step.clone(),
                    site: call.site.clone(),
                    arguments: self.redacted(recorded),
                    changes: prediction.changes,
                });
            });
        }
        let unknown = unknowns_within(&prediction.value).into_iter().map(str::to_owned);
        planner.with(|found| found.unknown.extend(unknown));
        Ok(prediction.value)
    }

    /// The call in one line.
    fn title(&self, primitive: &dyn Primitive, call: &Call) -> String {
        let mut title = unknown_shown(&primitive.preview(call));
        self.show_in(&mut title);
        title
    }

    /// The plan, once the script has ended or could not go on.
    pub(super) fn plan(&self, planner: &Planner, failure: Option<Failure>, trace: &[Site]) -> Plan {
        let mut undo: Vec<_> =
            self.undo.lock().map(|undo| undo.iter().map(|u| (u.0.clone(), u.1.clone())).collect()).unwrap_or_default();
        undo.sort();
        let certain_until = match self.stands_still() {
            Some(Halt::Unforeseen(end)) => Some(Uncertain { site: end.site.or_else(|| trace.first().cloned()), ..end }),
            // A condition, or a method, of something unknown: the script engine said so itself.
            _ if failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Halted) => {
                Some(Uncertain { site: trace.first().cloned(), depends_on: planner.only_unknown() })
            }
            _ => None,
        };
        let failure = failure.filter(|_| certain_until.is_none());
        let failure = failure.map(|mut failure| {
            failure.each_text(&mut |text| *text = unknown_shown(text));
            self.shown_failure(failure)
        });
        planner.with(|found| Plan {
            format: 1,
            runbook: self.facts.runbook.clone(),
            environment: self.facts.environment.clone(),
            parameters: self.parameters.clone(),
            digest: self.digest.clone(),
            made_at: Timestamp::now(),
            made_by: self.facts.started_by.clone(),
            calls: std::mem::take(&mut found.calls),
            looks: std::mem::take(&mut found.looks),
            questions: found.questions.drain(..).map(|question| self.shown(&question)).collect(),
            undo: undo.into_iter().rev().map(|(_, name)| self.shown(&name)).collect(),
            certain_until,
            failure,
        })
    }

    /// A script decides on an unknown value: the plan ends here.
    pub(super) fn unforeseen(&self, what: Option<&str>, site: Option<Site>) -> Failure {
        let only = || self.planner.as_ref().and_then(Planner::only_unknown);
        self.halt(Halt::Unforeseen(Uncertain { site, depends_on: what.map(str::to_owned).or_else(only) }))
    }
}

/// What depends on something unknown of how other calls are arranged: how often, how many, how long.
fn undecided(call: &Call) -> Option<&str> {
    call.args.iter().find_map(unknown_of).or_else(|| unknown_within(&call.options))
}

/// A call with an argument that is not known yet: what it will do is no better known.
fn vague(primitive: &dyn Primitive, call: &Call) -> Prediction {
    let preview = unknown_shown(&primitive.preview(call));
    let value = unknown(format!("what `{preview}` returns"));
    Prediction::one(Change::depending(Action::Run, preview), value)
}
