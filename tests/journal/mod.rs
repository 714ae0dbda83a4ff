//! Tests of `runtime/journal`.

mod catalogue;
pub mod chain;
mod copy;
mod cost;
mod dropping;
mod faults;
mod fires;
mod flips;
mod logs;
mod offers;
mod opening;
mod processes;
mod retention;
mod runs;
mod scale;
mod take_up;

use jiff::Timestamp;
use runbook::failure::Failure;
use runbook::journal::{CallState, Event, Journal, NewRun, RunState, Source};
use runbook::primitive::{Effect, LogStream, Site};
use serde_json::{Value, json};

/// A run of `deploy.rhai` in `prod`.
pub fn new_run() -> NewRun {
    NewRun {
        uid: "0123456789abcdef".into(),
        plan: None,
        narrowing: Value::Null,
        policy: None,
        fire: None,
        runbook: "deploy.rhai".into(),
        title: "Deploy the shop".into(),
        environment: "prod".into(),
        environment_values: json!({ "url": "https://shop.example.com" }),
        parameters: json!({ "tag": "v2" }),
        project_root: "/srv/shop".into(),
        revision: Some("4f2c9aa".into()),
        started_by: "ann@desk".into(),
        sources: vec![Source { path: "deploy.rhai".into(), text: "step(\"pull\", || info(\"hello\"));\n".into() }],
        from_run: None,
    }
}

pub fn started(path: &str, name: &str, title: &str, effect: Effect) -> Event {
    Event::CallStarted {
        path: path.into(),
        name: name.into(),
        title: title.into(),
        effect,
        arguments: json!({ "args": [title] }),
        site: Site { file: "deploy.rhai".into(), line: 7, column: 1 },
        at: Timestamp::now(),
    }
}

pub fn done(path: &str, result: Value, milliseconds: u64) -> Event {
    finished(path, CallState::Done, result, None, milliseconds)
}

pub fn finished(path: &str, state: CallState, result: Value, failure: Option<Failure>, milliseconds: u64) -> Event {
    Event::CallFinished {
        changes: Vec::new(),
        masked: false,
        path: path.into(),
        state,
        result,
        changed: Some(true),
        note: Some("1 recreated".into()),
        failure,
        milliseconds,
        at: Timestamp::now(),
    }
}

pub fn line(path: &str, stream: LogStream, text: &str) -> Event {
    Event::Log { path: path.into(), stream, line: text.into(), at: Timestamp::now() }
}

pub fn ended(run: i64, state: RunState, failure: Option<Failure>) -> Event {
    Event::RunFinished {
        run,
        state,
        failure,
        trace: vec![],
        result: Value::Null,
        milliseconds: 1_500,
        at: Timestamp::now(),
    }
}

/// Records all of them.
pub fn record(journal: &Journal, run: i64, events: &[Event]) {
    for event in events {
        journal.record(run, &crate::harness::fit(event)).unwrap();
    }
}
