//! What a person says about the call that a parked run stands at.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Json, Word};
use super::entry::Entry;
use super::{Decision, Event, Journal, Parked, RunState, store};
use crate::failure::{Failure, FailureKind};

impl Journal {
    /// Writes down what a person decided on the call at `path` that `run` is parked on; `by` is `user@machine`. The run goes on
    /// when somebody resumes it. On the disk when this returns.
    ///
    /// Fails when the run is not parked on that call, the decision does not answer its question, somebody decided before, or
    /// a yes comes too late or is for something else than what waits.
    pub fn decide(&self, run: i64, path: &str, decision: &Decision, by: &str) -> Result<(), Failure> {
        if let Decision::Done { value } = decision {
            store::check_depth(&[value])?;
        }
        // Not inside the transaction: it says in words that there is no such run.
        self.run(run)?;
        self.write("write the decision down", |writer| {
            writer.set_durable(true)?;
            let transaction = writer.transaction()?;
            if let Some(failure) = refusal(&transaction, run, path, decision)? {
                return Ok(Err(failure));
            }
            let decided = Event::Decided {
                path: path.to_owned(),
                decision: decision.clone(),
                by: by.to_owned(),
                at: Timestamp::now(),
            };
            store::enter(&transaction, run, &Entry::from(&decided))?;
            transaction.commit()?;
            Ok(Ok(()))
        })?
    }
}

/// Why this decision does not count now.
fn refusal(connection: &Connection, run: i64, path: &str, decision: &Decision) -> rusqlite::Result<Option<Failure>> {
    let refused = |message: String| Some(Failure::new(FailureKind::Refused, message));
    let look = |failure: Option<Failure>| {
        failure.map(|failure| failure.hint(format!("`runbook show {run}` says where it stands")))
    };
    let (Word(state), parked): (Word<RunState>, Option<Json<Parked>>) =
        connection
            .query_row("SELECT state, parked FROM run WHERE id = ?1", [run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(Json(parked)) = parked.filter(|_| matches!(state, RunState::Waiting | RunState::InDoubt)) else {
        let stands = match state {
            RunState::Running => "is going on",
            RunState::Killed => "was interrupted",
            _ => "has ended",
        };
        return Ok(look(refused(format!("run {run} {stands}: nothing waits for a decision"))));
    };
    if parked.path != path {
        let message = format!("run {run} waits for call {} (`{}`), not for call {path}", parked.path, parked.question);
        return Ok(look(refused(message)));
    }
    let earlier: Option<Json<(Decision, String)>> = connection
        .query_row("SELECT decision FROM call WHERE run = ?1 AND path = ?2", params![run, path], |row| row.get(0))
        .optional()?
        .flatten();
    if let Some(Json((_, by))) = earlier {
        let hint =
            format!("`runbook resume {run}` goes on with what was decided, `runbook cancel {run}` undoes the run");
        return Ok(refused(format!("{by} has decided on call {path} before")).map(|failure| failure.hint(hint)));
    }
    Ok(match (state, decision) {
        (RunState::Waiting, Decision::Approve { digest }) => {
            if parked.expires.is_some_and(|expires| Timestamp::now() > expires) {
                let message = format!("the question of run {run} (`{}`) has expired", parked.question);
                refused(message).map(|failure| failure.hint(format!("`runbook resume {run}` asks it again")))
            } else if *digest == parked.digest {
                None
            } else {
                let message = format!(
                    "the yes is for {digest}, and run {run} waits with {}: script, parameters, environment or plan are others",
                    parked.digest
                );
                let hint = "which of them differs cannot be told from the digests: look at the run again and approve what it \
                            waits with";
                refused(message).map(|failure| failure.hint(hint))
            }
        }
        (RunState::Waiting, Decision::Reject { .. })
        | (RunState::InDoubt, Decision::Done { .. } | Decision::Happened | Decision::Retry | Decision::Fail) => None,
        (RunState::Waiting, _) => refused(format!("run {run} waits for an answer to `{}`", parked.question))
            .map(|failure| failure.hint(format!("`runbook approve {run}` says yes, `runbook reject {run}` says no"))),
        _ => {
            refused(format!("run {run} is in doubt about `{}`, which is no question", parked.question)).map(|failure| {
                failure.hint(format!(
                    "`runbook resolve {run} {path}` with --done, --retry or --fail says what became of it"
                ))
            })
        }
    })
}
