//! What a call says of itself right before its effect, so that after a crash its result is as good as its own.
//!
//! A call that finds everything as it should be does not change it, and says so in its result; scripts act on that. After a
//! crash the world shows only how things are, not who made them so: whether there was something to do is known to nobody but
//! the call that died. So it notes, once it knows what it will return and before it changes anything, exactly that.

use serde_json::{Value, json};

use super::{Context, Failure, Outcome};

/// What a call that was started and never finished was about to do.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// What it would have returned.
    pub outcome: Outcome,
    /// How to tell that it came to that: a checksum, a revision.
    pub proof: Value,
}

impl Context<'_> {
    /// Notes, right before the effect, what the call will return once it is there, and what proves that it is.
    pub fn announce(&self, outcome: &Outcome, proof: &Value) -> Result<(), Failure> {
        let Outcome { value, note, changes, .. } = outcome;
        self.mark(&json!({ "value": value, "note": note, "changes": changes, "proof": proof }))
    }

    /// What this call announced before its process died; `None` when it had not come to its effect.
    pub fn announced(&self) -> Option<Announcement> {
        let marker = self.marker.as_ref()?;
        let outcome = Outcome {
            value: marker.get("value")?.clone(),
            changed: Some(true),
            note: marker.get("note")?.as_str().map(str::to_owned),
            changes: serde_json::from_value(marker.get("changes")?.clone()).ok()?,
        };
        Some(Announcement { outcome, proof: marker.get("proof")?.clone() })
    }
}
