//! Calls that were started and never finished, because the process before this one died: what is done about each.

use serde_json::Value;

use super::{Execution, frame};
use crate::journal::{CallRecord, Decision, RunState};
use crate::primitive::{Call, Cancel, CancelReason, Failure, FailureKind, Outcome, Primitive, Probe, Recovery};

/// What becomes of a call in doubt.
pub(super) enum Found {
    /// It happened, well or not; this is its end.
    Ended(Result<Outcome, Failure>),
    /// It is made again.
    Again,
}

impl Execution {
    /// Decides about a call in doubt as its primitive says: nothing is guessed.
    pub(super) fn recover(
        &self,
        primitive: &dyn Primitive,
        call: &Call,
        record: &CallRecord,
        here: &frame::Frame,
    ) -> Result<Found, Failure> {
        if let Some((decision, by)) = &record.decision {
            return Ok(decided(decision, by, &record.title, || primitive.presumed(call)));
        }
        match primitive.recovery(call) {
            Recovery::Pure | Recovery::Idempotent => Ok(Found::Again),
            Recovery::Probe => self.probe(primitive, call, record, here),
            Recovery::Ask => Err(self.doubt(record)),
        }
    }

    fn probe(
        &self,
        primitive: &dyn Primitive,
        call: &Call,
        record: &CallRecord,
        here: &frame::Frame,
    ) -> Result<Found, Failure> {
        // A run that is being cancelled still has to know what happened.
        let aside = frame::Frame::new(&*record.path, &*here.step, Cancel::new(), frame::Past::Aside);
        let mut context = self.context(&record.path, &aside, record.marker.clone());
        context.stop = here.cancel.clone();
        match frame::inside(aside.clone(), || self.ask(primitive, &context, call)) {
            Ok(Probe::Done(outcome)) => Ok(Found::Ended(Ok(outcome))),
            Ok(Probe::Failed(failure)) => Ok(Found::Ended(Err(failure))),
            Ok(Probe::NotDone) => Ok(Found::Again),
            Ok(Probe::Unknown) => Err(self.doubt(record)),
            Err(failure) if failure.kind == FailureKind::Halted => Err(failure),
            Err(mut failure) => {
                failure.message = format!("cannot find out whether `{}` happened: {}", record.title, failure.message);
                Err(self.stand(failure))
            }
        }
    }

    fn doubt(&self, record: &CallRecord) -> Failure {
        self.park(RunState::InDoubt, &record.path, &record.title, None)
    }

    /// How a call that an earlier process was told to stop in ends here: in the same way.
    pub(super) fn stopped_before(&self, record: &CallRecord) -> Failure {
        let failure = record
            .failure
            .clone()
            .unwrap_or_else(|| Failure::new(FailureKind::Cancelled, "stopped before the process died"));
        let by_person = Failure::from(CancelReason::Person).message == failure.message;
        let by_deadline = Failure::from(CancelReason::Deadline).message == failure.message;
        if by_person || by_deadline {
            self.cancel.cancel(if by_person { CancelReason::Person } else { CancelReason::Deadline });
        }
        failure
    }
}

fn decided(decision: &Decision, by: &str, title: &str, presumed: impl FnOnce() -> Value) -> Found {
    let done = |value: Value| Found::Ended(Ok(Outcome::changed(value).note(format!("done, says {by}"))));
    match decision {
        Decision::Done { value } => done(completed(value.clone(), presumed)),
        Decision::Happened => done(presumed()),
        Decision::Fail => {
            let message = format!("`{title}` was interrupted, and failed, says {by}");
            Found::Ended(Err(Failure::new(FailureKind::System, message)))
        }
        Decision::Retry | Decision::Approve { .. } | Decision::Reject { .. } => Found::Again,
    }
}

/// What a person says a call returned, with the fields that were left out as of one that ended well.
fn completed(mut said: Value, presumed: impl FnOnce() -> Value) -> Value {
    if let (Value::Object(said), Value::Object(presumed)) = (&mut said, presumed()) {
        for (field, value) in presumed {
            said.entry(field).or_insert(value);
        }
    }
    said
}
