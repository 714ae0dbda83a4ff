//! The write side: runs begin, calls start and end, runs end.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, named_params, params};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::columns::{DEEPEST, Json, Moment, Word, count, is_shallow_enough};
use super::owner::{Claim, Process};
use super::{CallState, Event, NewRun, RunState, leases, releases};
use crate::failure::{Failure, FailureKind};
use crate::primitive::{Effect, ReleaseState};

/// The connection that writes, and how durable its next commit is.
pub(super) struct Writer {
    pub connection: Connection,
    durable: bool,
    /// Was anything committed durably in this process? Then its end is worth a disk flush too.
    ever_durable: bool,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, durable: false, ever_durable: false }
    }

    /// Makes the next commits wait for the disk, or not. One that does makes all earlier ones durable as well.
    fn set_durable(&mut self, durable: bool) -> rusqlite::Result<()> {
        if self.durable != durable {
            self.connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
            self.durable = durable;
        }
        self.ever_durable |= durable;
        Ok(())
    }

    /// A transaction that holds the write lock from its beginning, so that it never has to be undone for another's.
    pub(super) fn transaction(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// Inserts the run and takes its lock before anyone can see it.
    pub(super) fn begin(
        &mut self,
        state_folder: &Path,
        new: &NewRun,
    ) -> rusqlite::Result<Result<(i64, Claim), Failure>> {
        let owner = Process::current();
        self.set_durable(false)?;
        let transaction = self.transaction()?;
        let run = insert_run(&transaction, new, &owner)?;
        for (position, source) in (0i64..).zip(&new.sources) {
            let hash = hex(&Sha256::digest(source.text.as_bytes()));
            transaction
                .prepare_cached("INSERT INTO text (hash, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute((&hash, &source.text))?;
            transaction
                .prepare_cached("INSERT INTO source (run, position, path, hash) VALUES (?1, ?2, ?3, ?4)")?
                .execute((run, position, &source.path, &hash))?;
        }
        let claim = match Claim::take(state_folder, run) {
            Ok(claim) => claim,
            Err(failure) => return Ok(Err(failure)),
        };
        transaction.commit()?;
        Ok(Ok((run, claim)))
    }

    /// Stores one event; log lines and progress are not its business.
    pub(super) fn record(&mut self, run: i64, event: &Event) -> rusqlite::Result<Result<(), Failure>> {
        match event {
            Event::CallStarted { effect, .. } => {
                // Intent before effect: after a power cut it must be known that the effect may have happened.
                self.set_durable(matches!(effect, Effect::Change | Effect::Destroy))?;
                start_call(&self.connection, run, event)?;
            }
            Event::CallFinished { path, .. } => {
                // Not durable by itself: the next started call makes it so, and until then it merely counts as in doubt.
                self.set_durable(false)?;
                if finish_call(&self.connection, run, event)? == 0 {
                    return Ok(Err(Failure::new(
                        FailureKind::System,
                        format!("call {path} of run {run} ended, but the run log does not know that it started"),
                    )));
                }
            }
            Event::UndoStarted { blocks, .. } => {
                self.set_durable(false)?;
                self.connection
                    .execute("UPDATE run SET undo_blocks = ?2 WHERE id = ?1", params![run, count(*blocks)])?;
            }
            Event::RunFinished { .. } => {
                self.set_durable(self.ever_durable)?;
                let transaction = self.transaction()?;
                finish_run(&transaction, run, event)?;
                transaction.commit()?;
            }
            // `begin` wrote the run's row; lines and progress have other ways.
            Event::RunStarted { .. } | Event::Log { .. } | Event::Progress { .. } => {}
        }
        Ok(Ok(()))
    }
}

/// The running runs and their processes.
pub(super) fn running(connection: &Connection) -> rusqlite::Result<Vec<(i64, Process)>> {
    connection
        .prepare_cached("SELECT id, machine, pid, process_started, boot_id FROM run WHERE state = 'running'")?
        .query_map([], |row| Ok((row.get(0)?, process_from_row(row)?)))?
        .collect()
}

/// The process of a run, if the run has not ended.
pub(super) fn running_owner(connection: &Connection, run: i64) -> rusqlite::Result<Option<Process>> {
    connection
        .prepare_cached("SELECT machine, pid, process_started, boot_id FROM run WHERE id = ?1 AND state = 'running'")?
        .query_row([run], process_from_row)
        .optional()
}

fn process_from_row(row: &Row<'_>) -> rusqlite::Result<Process> {
    Ok(Process {
        machine: row.get("machine")?,
        pid: row.get("pid")?,
        started: row.get("process_started")?,
        boot_id: row.get("boot_id")?,
    })
}

/// Refuses what could be written but not be read back.
pub(super) fn check_depth(values: &[&Value]) -> Result<(), Failure> {
    if values.iter().all(|value| is_shallow_enough(value)) {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Invalid, format!("a value is nested more than {DEEPEST} levels deep"))
        .hint("the run log keeps arguments and results as JSON: return something flatter"))
}

fn insert_run(transaction: &Transaction<'_>, new: &NewRun, owner: &Process) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO run (runbook, title, environment, environment_values, parameters, project_root, revision,
                              started_by, from_run, state, started_at, machine, pid, process_started, boot_id)
             VALUES (:runbook, :title, :environment, :environment_values, :parameters, :project_root, :revision,
                     :started_by, :from_run, 'running', :started_at, :machine, :pid, :process_started, :boot_id)",
        )?
        .insert(named_params! {
            ":runbook": new.runbook,
            ":title": new.title,
            ":environment": new.environment,
            ":environment_values": Json(&new.environment_values),
            ":parameters": Json(&new.parameters),
            ":project_root": new.project_root,
            ":revision": new.revision,
            ":started_by": new.started_by,
            ":from_run": new.from_run,
            ":started_at": Moment(Timestamp::now()),
            ":machine": owner.machine,
            ":pid": owner.pid,
            ":process_started": owner.started,
            ":boot_id": owner.boot_id,
        })
}

fn start_call(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<()> {
    let Event::CallStarted { path, name, title, effect, arguments, site, at } = event else { return Ok(()) };
    connection
        .prepare_cached(
            "INSERT INTO call (run, path, name, title, effect, arguments, file, line, column, state, started_at)
             VALUES (:run, :path, :name, :title, :effect, :arguments, :file, :line, :column, 'started', :at)
             ON CONFLICT (run, path) DO UPDATE SET
                 name = excluded.name, title = excluded.title, effect = excluded.effect,
                 arguments = excluded.arguments, file = excluded.file, line = excluded.line,
                 column = excluded.column, state = 'started', result = 'null', changed = NULL, note = NULL,
                 failure = NULL, started_at = excluded.started_at, finished_at = NULL, milliseconds = NULL",
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
        })?;
    Ok(())
}

fn finish_call(connection: &Connection, run: i64, event: &Event) -> rusqlite::Result<usize> {
    let Event::CallFinished { path, state, result, changed, note, failure, milliseconds, at } = event else {
        return Ok(0);
    };
    connection
        .prepare_cached(
            "UPDATE call SET state = :state, result = :result, changed = :changed, note = :note, failure = :failure,
                             finished_at = :at, milliseconds = :milliseconds
             WHERE run = :run AND path = :path",
        )?
        .execute(named_params! {
            ":run": run,
            ":path": path,
            ":state": Word(state),
            ":result": Json(result),
            ":changed": changed,
            ":note": note,
            ":failure": failure.as_ref().map(Json),
            ":at": Moment(*at),
            ":milliseconds": milliseconds.cast_signed(),
        })
}

/// Ends a run; what it deployed becomes good or failed and its locks are freed in the same moment.
fn finish_run(transaction: &Transaction<'_>, run: i64, event: &Event) -> rusqlite::Result<()> {
    let Event::RunFinished { state, failure, trace, result, milliseconds, at, .. } = event else { return Ok(()) };
    transaction
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
        RunState::Ok => releases::settle(transaction, run, ReleaseState::Good)?,
        RunState::Failed | RunState::Cancelled | RunState::Killed => {
            releases::settle(transaction, run, ReleaseState::Failed)?;
        }
    }
    leases::free_all(transaction, run)
}

/// Ends a run whose process is gone, unless it ended by itself in the meantime; says whether it did.
pub(super) fn bury(transaction: &Transaction<'_>, run: i64, last_line: Option<Timestamp>) -> rusqlite::Result<bool> {
    let row: Option<(Moment, i64, String)> = transaction
        .query_row(
            "SELECT max(started_at,
                        ifnull((SELECT max(started_at) FROM call WHERE run = id), 0),
                        ifnull((SELECT max(finished_at) FROM call WHERE run = id), 0),
                        ?2),
                    pid, machine
             FROM run WHERE id = ?1 AND state = 'running'",
            params![run, last_line.map_or(0, Timestamp::as_microsecond)],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((last_sign, pid, machine)) = row else { return Ok(false) };
    let mut failure =
        Failure::new(FailureKind::System, format!("its process ({pid} on {machine}) ended without finishing the run"))
            .hint("its undo blocks have not run: look at what it changed before you run it again");
    let open: Vec<String> = transaction
        .prepare(
            "SELECT path || ' ' || title FROM call WHERE run = ?1 AND state = ?2 AND effect <> 'flow' ORDER BY id",
        )?
        .query_map(params![run, Word(CallState::Started)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !open.is_empty() {
        failure = failure.evidence("begun, and nobody knows whether they happened", open.join("\n"));
    }
    transaction.execute(
        "UPDATE run SET state = 'killed', failure = ?2, finished_at = ?3, milliseconds = (?3 - started_at) / 1000
         WHERE id = ?1",
        params![run, Json(&failure), last_sign],
    )?;
    releases::settle(transaction, run, ReleaseState::Failed)?;
    leases::free_all(transaction, run)?;
    Ok(true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}
