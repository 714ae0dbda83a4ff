use serde_json::Value;

use super::{BlockRef, Call, Change, Failure, FailureKind};

/// What a call returned, and whether it changed anything.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The value the script gets: plain JSON or a [`handle`](super::handle).
    pub value: Value,
    /// `Some(true)` changed something, `Some(false)` found nothing to do, `None` for reads.
    pub changed: Option<bool>,
    /// A few words for the console, as in `3 recreated, 1 unchanged`.
    pub note: Option<String>,
    /// What it changed, in the words in which a plan foresees it; empty for reads.
    pub changes: Vec<Change>,
}

impl Outcome {
    /// A change that was made.
    pub fn changed(value: impl Into<Value>) -> Self {
        Self { value: value.into(), changed: Some(true), ..Self::default() }
    }

    /// A change that was not needed.
    pub fn unchanged(value: impl Into<Value>) -> Self {
        Self { value: value.into(), changed: Some(false), ..Self::default() }
    }

    /// Adds a few words for the console.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Adds what it changed.
    #[must_use]
    pub fn made(mut self, changes: impl IntoIterator<Item = Change>) -> Self {
        self.changes.extend(changes);
        self
    }
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, ..Self::default() }
    }
}

/// What is to be done about a call that was started and never finished, because `runbook` or its machine died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// It changes nothing: it is made again.
    Pure,
    /// Done twice is done once: it is made again.
    Idempotent,
    /// The world tells whether it happened: [`Primitive::probe`](super::Primitive::probe) looks.
    Probe,
    /// Only a person knows.
    Ask,
}

/// What a probe found out about a call that was started and never finished.
#[derive(Clone, Debug)]
pub enum Probe {
    /// It happened; this is what it would have returned.
    Done(Outcome),
    /// It happened and failed; this is how.
    Failed(Failure),
    /// It did not happen, and can be done now.
    NotDone,
    /// Nobody can tell; a person decides.
    Unknown,
}

impl Probe {
    /// What the script says about a command whose end nobody knows, by its options `probe` and `idempotent`. The closure's `true`
    /// says that it happened, and then it returned `presumed`; `false` that it did not; a map that it happened, and returned this.
    pub fn by_script(
        call: &Call,
        probe: Option<BlockRef>,
        is_idempotent: bool,
        presumed: Value,
    ) -> Result<Self, Failure> {
        let Some(block) = probe.and_then(|probe| call.resolve(probe)) else {
            return Ok(if is_idempotent { Self::NotDone } else { Self::Unknown });
        };
        match block.call(Vec::new())? {
            Value::Bool(false) => Ok(Self::NotDone),
            Value::Bool(true) => Ok(Self::Done(Outcome::changed(presumed))),
            Value::Object(result) => Ok(Self::Done(Outcome::changed(Value::Object(result)))),
            other => {
                let message = format!("option `probe` must return `true`, `false` or a map, and it returned `{other}`");
                Err(Failure::new(FailureKind::Option, message))
            }
        }
    }
}
