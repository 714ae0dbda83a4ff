//! Whether a run may begin: in an environment that asks for it, a person approves it first.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Execution, approval};
use crate::journal::{CallState, Event};
use crate::primitive::{Effect, Failure, FailureKind, Site};

/// The path of the approval among the calls of the run.
const PATH: &str = "approval";

/// How long the question can be answered with yes.
const EXPIRES: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks for the approval, where the policy wants one and nobody gave it yet. At a terminal the name of the environment is
/// typed; elsewhere the run waits until somebody approves or rejects it.
pub(super) fn admit(run: &Execution) -> Result<(), Failure> {
    if !run.policy.needs_approval() || run.only_replays || run.planner.is_some() {
        return Ok(());
    }
    let record = run.replay.call(PATH);
    match record.map(|record| record.state) {
        Some(CallState::Done) => return Ok(()),
        // A run that is being undone needs no leave to be.
        _ if run.script_end.is_some() => return Ok(()),
        Some(_) => {}
        None => run.emit(started(run))?,
    }
    let began = Instant::now();
    let environment = &run.facts.environment;
    let question = format!("run {} on {environment}?", run.facts.runbook);
    let answer = approval::ask(run, PATH, &question, EXPIRES, Some(environment));
    let answer = answer.and_then(|yes| if yes { Ok(()) } else { Err(refused(&question)) });
    if answer.as_ref().is_err_and(|failure| failure.kind == FailureKind::Halted) {
        return answer;
    }
    run.emit(finished(answer.as_ref().err(), began))?;
    answer
}

fn refused(question: &str) -> Failure {
    Failure::new(FailureKind::Refused, format!("the answer to `{question}` was no"))
}

fn started(run: &Execution) -> Event {
    Event::CallStarted {
        path: PATH.to_owned(),
        name: PATH.to_owned(),
        title: format!("approval for {}", run.facts.environment),
        effect: Effect::Read,
        arguments: json!({}),
        site: Site::default(),
        at: Timestamp::now(),
    }
}

fn finished(failure: Option<&Failure>, began: Instant) -> Event {
    Event::CallFinished {
        path: PATH.to_owned(),
        state: if failure.is_some() { CallState::Failed } else { CallState::Done },
        result: Value::Bool(failure.is_none()),
        changed: None,
        note: failure.is_none().then(|| "approved".to_owned()),
        changes: Vec::new(),
        failure: failure.cloned(),
        masked: false,
        milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        at: Timestamp::now(),
    }
}
