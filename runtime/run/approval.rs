//! What a person approves, in a few letters; and a run's name in the world.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Execution, frame};
use crate::journal::{Decision, RunState, Source};
use crate::primitive::{Failure, FailureKind, LogStream, Services};
use crate::project::{Environment, Project};

/// Of everything that decides what a run does: its scripts, parameters, environment and plan. 16 hexadecimal digits.
pub(super) fn digest(
    sources: &[Source],
    parameters: &Value,
    environment: &Environment,
    plan: Option<&Value>,
) -> String {
    let sources: Vec<Value> = sources.iter().map(|source| json!([source.path, source.text])).collect();
    short(&json!([sources, parameters, environment.name, environment.values, plan]).to_string())
}

/// Asks a person: the decision that was made on this call while the run was parked, the terminal, or whoever reads the
/// run log while the run is parked. With a name, the answer at the terminal is to type it.
pub(super) fn ask(
    run: &Execution,
    path: &str,
    question: &str,
    expires: Duration,
    name: Option<&str>,
) -> Result<bool, Failure> {
    if run.planner.is_some() {
        // What follows a question is planned as if the answer were yes.
        return Ok(true);
    }
    let now = Timestamp::now();
    let question = &*run.shown(question);
    let asked = run.replay.call(path);
    match asked.and_then(|call| call.decision.as_ref()) {
        Some((Decision::Reject { reason }, by)) => return Err(rejected(question, by, reason)),
        Some((Decision::Approve { digest }, _)) => {
            let until = asked.and_then(|call| call.started_at.checked_add(expires).ok()).unwrap_or(now);
            if *digest == run.digest && now <= until {
                return Ok(true);
            }
            let why = if now > until { "has expired" } else { "was for another script, parameters or environment" };
            run.log(path, LogStream::Warn, &format!("the approval {why}: asking again"));
        }
        _ => {}
    }
    let cancel = frame::current().map_or_else(|| run.cancel.clone(), |here| here.cancel.clone());
    let abandoned = || cancel.reason().is_some();
    let answer = match name {
        Some(name) => run.prompt.type_name(question, name, &abandoned),
        None => run.prompt.confirm(question, &abandoned),
    };
    match answer? {
        Some(answer) => Ok(answer),
        None => Err(run.park(RunState::Waiting, path, question, now.checked_add(expires).ok())),
    }
}

fn rejected(question: &str, by: &str, reason: &str) -> Failure {
    let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Failure::new(FailureKind::Refused, format!("{by} said no to `{question}`{why}"))
}

/// A name for a new run that no other run of any machine has.
pub(super) fn uid(project: &Project, started_by: &str) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let now = Timestamp::now().as_nanosecond();
    short(&format!("{boot}{now}{}{started_by}{}", std::process::id(), project.root().display()))
}

fn short(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}
