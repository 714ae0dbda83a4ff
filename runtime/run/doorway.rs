use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::{Door, Invocation};
use crate::primitive::{Failure, FailureKind, Site};

/// The door of a run that is yet to begin: a program is made with it, so that this is done when the run's time has come. Nothing
/// passes before [`Doorway::open`].
#[derive(Default)]
pub struct Doorway(OnceLock<Arc<dyn Door>>);

impl Doorway {
    /// The run has begun: from now on this is its door.
    pub fn open(&self, door: Arc<dyn Door>) {
        let _ = self.0.set(door);
    }
}

impl Door for Doorway {
    fn call(&self, invocation: Invocation) -> Result<Value, Failure> {
        self.0.get().ok_or_else(closed)?.call(invocation)
    }

    fn interrupted(&self) -> Option<Failure> {
        self.0.get().and_then(|door| door.interrupted())
    }

    fn print(&self, line: &str) {
        if let Some(door) = self.0.get() {
            door.print(line);
        }
    }

    fn is_planning(&self) -> bool {
        self.0.get().is_some_and(|door| door.is_planning())
    }

    fn unforeseen(&self, what: Option<&str>, site: Option<Site>) -> Failure {
        self.0.get().map_or_else(closed, |door| door.unforeseen(what, site))
    }
}

fn closed() -> Failure {
    Failure::new(FailureKind::System, "a call was made before the run began")
}
