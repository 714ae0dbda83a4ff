//! Going on with a run: of the processes that want it exactly one gets it, and none while another is alive.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::columns::{Moment, Word};
use super::entry::{Entry, Fact};
use super::owner::{self, Claim, Process};
use super::store::{self, Writer};
use super::{Journal, RunState, locked};
use crate::failure::{Failure, FailureKind};

impl Journal {
    /// Takes up a run whose process is gone or that was parked: from now on it is `running`, with this process as its owner,
    /// its lock and its failed releases pending again. `by` is `user@machine`.
    ///
    /// Fails when the run has ended, when a living process has it, and when it belongs to another machine.
    pub fn take_up(&self, run: i64, by: &str) -> Result<(), Failure> {
        self.refuse_copy()?;
        let last_line = self.last_line_at(run)?;
        let claim = self.write("take up the run", |writer| take_up(writer, &self.folder, run, by, last_line))??;
        locked(&self.claims).insert(run, claim.beating());
        Ok(())
    }
}

/// Who has a run.
struct Present {
    state: RunState,
    process: Process,
    owned_by: String,
    owned_since: Timestamp,
}

fn take_up(
    writer: &mut Writer,
    state_folder: &Path,
    run: i64,
    by: &str,
    last_line: Option<Timestamp>,
) -> rusqlite::Result<Result<Claim, Failure>> {
    let owner = Process::current();
    writer.set_durable(false)?;
    let transaction = writer.transaction()?;
    let Some(present) = present(&transaction, run)? else {
        return Ok(Err(Failure::new(FailureKind::NotFound, format!("there is no run {run}"))));
    };
    if present.state == RunState::Running && !store::bury(&transaction, state_folder, run, last_line)? {
        return Ok(Err(taken(run, &present)));
    }
    if let Some(failure) = refusal(run, &present, &owner) {
        return Ok(Err(failure));
    }
    let claim = match Claim::take(state_folder, run) {
        Ok(claim) => claim,
        Err(failure) => return Ok(Err(failure)),
    };
    let fact = Fact::RunTakenUp { owner, by: by.to_owned(), at: Timestamp::now() };
    store::enter(&transaction, run, &Entry::from(&fact))?;
    transaction.commit()?;
    Ok(Ok(claim))
}

fn present(connection: &Connection, run: i64) -> rusqlite::Result<Option<Present>> {
    connection
        .query_row("SELECT * FROM run WHERE id = ?1", [run], |row| {
            Ok(Present {
                state: row.get::<_, Word<_>>("state")?.0,
                process: store::process_from_row(row)?,
                owned_by: row.get("owned_by")?,
                owned_since: row.get::<_, Moment>("owned_since")?.0,
            })
        })
        .optional()
}

fn taken(run: i64, present: &Present) -> Failure {
    let Present { process, owned_by, owned_since, .. } = present;
    let since = owned_since.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S");
    let message = format!(
        "run {run} is going on: process {} on {} has it, for {owned_by}, since {since}",
        process.pid, process.machine
    );
    Failure::new(FailureKind::Conflict, message)
        .hint(format!("watch it with `runbook logs {run} --follow`, stop it with `runbook cancel {run}`"))
}

/// Why nobody goes on with a run that has ended.
pub fn has_ended(run: i64) -> Failure {
    Failure::new(FailureKind::Refused, format!("run {run} has ended: there is nothing to go on with"))
        .hint(format!("`runbook run --from-run {run}` runs the same script again"))
}

/// Why a run that nobody has may not be gone on with here.
fn refusal(run: i64, present: &Present, here: &Process) -> Option<Failure> {
    match present.state {
        RunState::Ok | RunState::Failed | RunState::Cancelled => Some(has_ended(run)),
        RunState::Running | RunState::Killed | RunState::Waiting | RunState::InDoubt
            if owner::is_elsewhere(&present.process, here) =>
        {
            let there = &present.process.machine;
            let message = format!("run {run} belongs to `{there}`, and this is `{}`", here.machine);
            let hint = format!("resume it on {there}: from a copy of its run log the same would be done twice");
            let way_out =
                format!("if this machine took the place of that one, say so: `export RUNBOOK_MACHINE={there}`");
            Some(Failure::new(FailureKind::Refused, message).hint(hint).hint(way_out))
        }
        RunState::Running | RunState::Killed | RunState::Waiting | RunState::InDoubt => None,
    }
}
