use std::io::Write;
use std::sync::Mutex;

use super::Sink;
use crate::journal::Redacted;

/// Events for programs: one JSON object a line, each flushed, so that a reader sees them as they happen.
pub struct JsonLines {
    out: Mutex<Box<dyn Write + Send>>,
}

impl JsonLines {
    /// On standard output.
    pub fn new() -> Self {
        Self::to(Box::new(super::stdout()))
    }

    /// Somewhere else.
    pub fn to(out: Box<dyn Write + Send>) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl Default for JsonLines {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for JsonLines {
    fn event(&self, event: &Redacted) {
        let Ok(mut line) = serde_json::to_vec(&**event) else { return };
        line.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A reader that cannot be written to must not stop a deployment; the journal keeps everything.
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
