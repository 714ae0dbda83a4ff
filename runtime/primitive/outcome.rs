use serde_json::Value;

/// What a call returned, and whether it changed anything.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The value the script gets: plain JSON or a [`handle`](super::handle).
    pub value: Value,
    /// `Some(true)` changed something, `Some(false)` found nothing to do, `None` for reads.
    pub changed: Option<bool>,
    /// A few words for the console, as in `3 recreated, 1 unchanged`.
    pub note: Option<String>,
}

impl Outcome {
    /// A change that was made.
    pub fn changed(value: impl Into<Value>) -> Self {
        Self { value: value.into(), changed: Some(true), note: None }
    }

    /// A change that was not needed.
    pub fn unchanged(value: impl Into<Value>) -> Self {
        Self { value: value.into(), changed: Some(false), note: None }
    }

    /// Adds a few words for the console.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, changed: None, note: None }
    }
}

/// What a probe found out about a call that was started and never finished.
#[derive(Clone, Debug)]
pub enum Probe {
    /// It happened; this is what it would have returned.
    Done(Outcome),
    /// It did not happen, and can be done now.
    NotDone,
    /// Nobody can tell; a person decides.
    Unknown,
}
