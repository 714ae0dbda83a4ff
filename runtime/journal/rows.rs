//! From an entry to the rows that people and runs read.
//!
//! This is the only place that writes the rows of a run, and it decides on nothing but the entry: `verify` makes the same
//! rows from the same entries once more and compares.

use rusqlite::{Connection, named_params, params};

use super::columns::{Json, Moment, Word, count};
use super::entry::{Entry, Fact, HashedSource};
use super::owner::Process;
use super::{Event, NewRun, RunState, adoption, leases, releases};
use crate::failure::Failure;
use crate::primitive::ReleaseState;

/// Makes the rows of `run` say what `entry` says; false when the entry is about a call that is not there.
pub(super) fn apply(connection: &Connection, run: i64, entry: &Entry<'_>) -> rusqlite::Result<bool> {
    match entry {
        Entry::Event(event) => apply_event(connection, run, event),
        Entry::Fact(fact) => apply_fact(connection, run, fact).map(|()| true),
    }
}

fn apply_event(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<bool> {
    let changed = match event {
        Event::CallStarted { .. } => start_call(connection, run, event)?,
        Event::CallFinished { .. } => finish_call(connection, run, event)?,
        Event::CallMarked { path, marker, .. } => connection
            .prepare_cached("UPDATE call SET marker = ?3 WHERE run = ?1 AND path = ?2")?
            .execute(params![run, path, Json(marker)])?,
        Event::Decided { path, decision, by, .. } => connection
            .prepare_cached("UPDATE call SET decision = ?3 WHERE run = ?1 AND path = ?2")?
            .execute(params![run, path, Json((decision, by))])?,
        Event::UndoStarted { blocks, .. } => connection
            .prepare_cached("UPDATE run SET undo_blocks = ?2 WHERE id = ?1")?
            .execute(params![run, count(*blocks)])?,
        Event::ScriptEnded { end, .. } => connection
            .prepare_cached("UPDATE run SET script_end = ?2 WHERE id = ?1")?
            .execute(params![run, Json(end)])?,
        Event::RunParked { parked, .. } => {
            // It is asked anew: what was said before counts no more.
            connection
                .prepare_cached("UPDATE call SET decision = NULL WHERE run = ?1 AND path = ?2")?
                .execute(params![run, parked.path])?;
            connection.prepare_cached("UPDATE run SET state = ?2, parked = ?3 WHERE id = ?1")?.execute(params![
                run,
                Word(parked.state),
                Json(parked)
            ])?
        }
        Event::RunFinished { .. } => finish_run(connection, run, event)?,
        // No row is another for these, or another entry stands for them (`RunBegun`, `SourcesReplaced`), or they have other
        // ways (lines, progress).
        Event::RunResumed { .. }
        | Event::PolicyApplied { .. }
        | Event::SecretUsed { .. }
        | Event::CancelRequested { .. }
        | Event::RunStarted { .. }
        | Event::ScriptReplaced { .. }
        | Event::Log { .. }
        | Event::Progress { .. } => 1,
    };
    Ok(changed > 0)
}

fn apply_fact(connection: &Connection, run: i64, fact: &Fact) -> rusqlite::Result<()> {
    match fact {
        Fact::RunBegun { new, sources, owner, at, .. } => {
            insert_run(connection, Some(run), new, owner, &Moment(*at))?;
            insert_sources(connection, run, sources)
        }
        Fact::RunAdopted { rows, .. } => adoption::insert(connection, rows),
        Fact::RunTakenUp { owner, by, at } => take_up(connection, run, owner, by, &Moment(*at)),
        Fact::SourcesReplaced { sources, .. } => {
            connection.execute("DELETE FROM source WHERE run = ?1", [run])?;
            insert_sources(connection, run, sources)
        }
        Fact::RunBuried { failure, last_sign, .. } => {
            end_abruptly(connection, run, failure, &Moment(*last_sign)).map(|_| ())
        }
        Fact::ReleaseRecorded { path, release } => releases::insert(connection, path, release),
        Fact::ReleasesSettled { state, .. } => releases::settle(connection, run, *state),
        // What it says is of other runs.
        Fact::RunsDropped { .. } => Ok(()),
    }
}

/// Inserts the run's row; without a number it gets the next one, which is returned.
pub(super) fn insert_run(
    connection: &Connection,
    number: Option<i64>,
    new: &NewRun,
    owner: &Process,
    at: &Moment,
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO run (id, runbook, title, environment, environment_values, parameters, project_root, revision,
                              started_by, from_run, uid, plan, state, started_at, machine, pid, process_started,
                              boot_id, owned_by, owned_since)
             VALUES (:id, :runbook, :title, :environment, :environment_values, :parameters, :project_root, :revision,
                     :started_by, :from_run, :uid, :plan, 'running', :started_at, :machine, :pid, :process_started,
                     :boot_id, :started_by, :started_at)",
        )?
        .insert(named_params! {
            ":id": number,
            ":runbook": new.runbook,
            ":title": new.title,
            ":environment": new.environment,
            ":environment_values": Json(&new.environment_values),
            ":parameters": Json(&new.parameters),
            ":project_root": new.project_root,
            ":revision": new.revision,
            ":started_by": new.started_by,
            ":from_run": new.from_run,
            ":uid": new.uid,
            ":plan": new.plan.as_ref().map(Json),
            ":started_at": at,
            ":machine": owner.machine,
            ":pid": owner.pid,
            ":process_started": owner.started,
            ":boot_id": owner.boot_id,
        })
}

/// The texts a run executes, in their order.
pub(super) fn insert_sources(connection: &Connection, run: i64, sources: &[HashedSource]) -> rusqlite::Result<()> {
    for (position, source) in (0i64..).zip(sources) {
        connection
            .prepare_cached("INSERT INTO source (run, position, path, hash) VALUES (?1, ?2, ?3, ?4)")?
            .execute((run, position, &source.path, &source.hash))?;
    }
    Ok(())
}

fn take_up(connection: &Connection, run: i64, owner: &Process, by: &str, at: &Moment) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE run SET state = 'running', failure = NULL, finished_at = NULL, milliseconds = NULL, parked = NULL,
                        machine = ?2, pid = ?3, process_started = ?4, boot_id = ?5, owned_by = ?6, owned_since = ?7
         WHERE id = ?1",
        params![run, owner.machine, owner.pid, owner.started, owner.boot_id, by, at],
    )?;
    connection.execute("UPDATE release SET state = 'pending' WHERE run = ?1 AND state = 'failed'", [run])?;
    Ok(())
}

fn start_call(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<usize> {
    let Event::CallStarted { path, name, title, effect, arguments, site, at } = event else { return Ok(0) };
    connection
        .prepare_cached(
            "INSERT INTO call (run, path, name, title, effect, arguments, file, line, column, state, started_at)
             VALUES (:run, :path, :name, :title, :effect, :arguments, :file, :line, :column, 'started', :at)
             ON CONFLICT (run, path) DO UPDATE SET
                 name = excluded.name, title = excluded.title, effect = excluded.effect,
                 arguments = excluded.arguments, file = excluded.file, line = excluded.line,
                 column = excluded.column, state = 'started', result = 'null', changed = NULL, note = NULL,
                 changes = '[]', masked = 0, marker = NULL, failure = NULL,
                 decision = iif(decision ->> '$[0].decision' IN ('approve', 'reject'), decision, NULL),
                 started_at = excluded.started_at, finished_at = NULL, milliseconds = NULL",
        )?
        .execute(named_params! {
            ":run": run,
            ":path": path,
            ":name": name,
            ":title": title,
            ":effect": Word(effect),
            ":arguments": Json(arguments),
            ":file": site.file,
            ":line": count(site.line),
            ":column": count(site.column),
            ":at": Moment(*at),
        })
}

fn finish_call(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<usize> {
    let Event::CallFinished { path, state, result, changed, note, changes, failure, masked, milliseconds, at } = event
    else {
        return Ok(0);
    };
    connection
        .prepare_cached(
            "UPDATE call SET state = :state, result = :result, changed = :changed, note = :note, failure = :failure,
                             changes = :changes, masked = :masked, finished_at = :at, milliseconds = :milliseconds
             WHERE run = :run AND path = :path",
        )?
        .execute(named_params! {
            ":run": run,
            ":path": path,
            ":state": Word(state),
            ":result": Json(result),
            ":changed": changed,
            ":note": note,
            ":changes": Json(changes),
            ":masked": masked,
            ":failure": failure.as_ref().map(Json),
            ":at": Moment(*at),
            ":milliseconds": milliseconds.cast_signed(),
        })
}

/// Ends a run; what it deployed becomes good or failed and its locks are freed in the same moment.
fn finish_run(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<usize> {
    let Event::RunFinished { state, failure, trace, result, milliseconds, at, .. } = event else { return Ok(0) };
    let changed = connection
        .prepare_cached(
            "UPDATE run SET state = :state, failure = :failure, trace = :trace, result = :result,
                            milliseconds = :milliseconds, finished_at = :at
             WHERE id = :run",
        )?
        .execute(named_params! {
            ":run": run,
            ":state": Word(state),
            ":failure": failure.as_ref().map(Json),
            ":trace": Json(trace),
            ":result": Json(result),
            ":milliseconds": milliseconds.cast_signed(),
            ":at": Moment(*at),
        })?;
    match state {
        RunState::Running | RunState::Waiting | RunState::InDoubt => {}
        RunState::Ok => releases::settle(connection, run, ReleaseState::Good)?,
        RunState::Failed | RunState::Cancelled | RunState::Killed => {
            releases::settle(connection, run, ReleaseState::Failed)?;
        }
    }
    leases::free_all(connection, run)?;
    Ok(changed)
}

/// Ends a run that could not end by itself; it can be taken up again.
fn end_abruptly(connection: &Connection, run: i64, failure: &Failure, last_sign: &Moment) -> rusqlite::Result<usize> {
    let changed = connection.execute(
        "UPDATE run SET state = 'killed', failure = ?2, finished_at = ?3, milliseconds = (?3 - started_at) / 1000
         WHERE id = ?1",
        params![run, Json(failure), last_sign],
    )?;
    releases::settle(connection, run, ReleaseState::Failed)?;
    leases::free_all(connection, run)?;
    Ok(changed)
}
