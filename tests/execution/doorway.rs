//! The door that a program is made with before its run has begun.

use std::sync::Arc;

use runbook::failure::{Failure, FailureKind};
use runbook::primitive::Site;
use runbook::run::{Door, Doorway, Invocation};
use serde_json::{Value, json};

/// Lets everything pass, and says so.
struct Open;

impl Door for Open {
    fn call(&self, invocation: Invocation) -> Result<Value, Failure> {
        Ok(json!(invocation.arguments))
    }

    fn interrupted(&self) -> Option<Failure> {
        Some(Failure::new(FailureKind::Cancelled, "told to stop"))
    }

    fn print(&self, _line: &str) {}

    fn is_planning(&self) -> bool {
        true
    }

    fn unforeseen(&self, _what: Option<&str>, _site: Option<Site>) -> Failure {
        Failure::new(FailureKind::Invalid, "unforeseen")
    }
}

fn call(door: &Doorway) -> Result<Value, String> {
    let invocation = Invocation {
        primitive: runbook::primitives::all()[0],
        receiver: Value::Null,
        arguments: vec![json!(7)],
        blocks: Vec::new(),
        site: Site::default(),
    };
    door.call(invocation).map_err(|failure| failure.message)
}

#[test]
fn nothing_passes_before_the_run_has_begun_and_everything_after_that() {
    let door = Doorway::default();
    assert_eq!(call(&door), Err("a call was made before the run began".into()));
    assert_eq!(door.unforeseen(None, None).message, "a call was made before the run began");
    assert!(door.interrupted().is_none() && !door.is_planning());
    door.open(Arc::new(Open));
    assert_eq!(call(&door), Ok(json!([7])));
    assert_eq!(door.unforeseen(None, None).message, "unforeseen");
    assert_eq!(door.interrupted().map(|failure| failure.message), Some("told to stop".into()));
    assert!(door.is_planning());
}
