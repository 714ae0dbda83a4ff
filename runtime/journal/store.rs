//! The write side: what is recorded becomes an entry of the run's chain and the rows it makes, in one transaction.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::columns::{DEEPEST, Moment, Word, is_shallow_enough};
use super::entry::{Entry, Fact, HashedSource};
use super::owner::{self, Claim, Process};
use super::{CallState, Event, NewRun, Parked, RunState, Source, chain, fires, rows};
use crate::failure::{Failure, FailureKind};
use crate::primitive::Effect;

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
    pub(super) fn set_durable(&mut self, durable: bool) -> rusqlite::Result<()> {
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
        let sources = keep_texts(&transaction, &new.sources)?;
        let run = enter_begin(&transaction, new, sources, owner)?;
        let claim = match Claim::take(state_folder, run) {
            Ok(claim) => claim,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(ticket) = &new.fire
            && let Err(failure) = fires::claim(&transaction, ticket, run)?
        {
            claim.end();
            return Ok(Err(failure));
        }
        transaction.commit()?;
        Ok(Ok((run, claim)))
    }

    /// Stores one event; log lines and progress are not its business.
    pub(super) fn record(&mut self, run: i64, event: &Event) -> rusqlite::Result<Result<(), Failure>> {
        self.set_durable(match event {
            // Intent before effect: after a power cut it must be known that the effect may have happened.
            Event::CallStarted { effect, .. } => matches!(effect, Effect::Change | Effect::Destroy),
            // What a person said is asked for once.
            Event::Decided { .. } => true,
            Event::RunFinished { .. } | Event::RunParked { .. } => self.ever_durable,
            // Not durable by itself: the next started change makes it so, and until then a call that ended merely
            // counts as in doubt.
            _ => false,
        })?;
        let transaction = self.transaction()?;
        let known = match event {
            Event::ScriptReplaced { sources, by, at } => {
                let sources = keep_texts(&transaction, sources)?;
                let fact = Fact::SourcesReplaced { sources, by: by.clone(), at: *at };
                enter(&transaction, run, &Entry::from(&fact))?
            }
            Event::RunParked { parked, .. } if parked.state == RunState::Killed => {
                let fact = Fact::RunBuried { failure: stopped(run, parked), last_sign: parked.at, at: parked.at };
                enter(&transaction, run, &Entry::from(&fact))?
            }
            event => enter(&transaction, run, &Entry::from(event))?,
        };
        if !known {
            return Ok(Err(unknown(run, event)));
        }
        transaction.commit()?;
        Ok(Ok(()))
    }
}

/// The rows of a new run and its first entry.
pub(super) fn enter_begin(
    connection: &Connection,
    new: &NewRun,
    sources: Vec<HashedSource>,
    owner: Process,
) -> rusqlite::Result<i64> {
    // Not before its turn has come.
    let at = Timestamp::now();
    let after = chain::newest_end(connection)?;
    let run = rows::insert_run(connection, None, new, &owner, &Moment(at))?;
    rows::insert_sources(connection, run, &sources)?;
    let fact =
        Fact::RunBegun { new: Box::new(NewRun { sources: Vec::new(), ..new.clone() }), sources, owner, after, at };
    chain::append(connection, run, &Entry::from(&fact).body()?)?;
    if let Some(policy) = &new.policy {
        chain::append(connection, run, &Entry::from(&**policy).body()?)?;
    }
    Ok(run)
}

/// Makes the rows that an entry tells of and adds it to the run's chain; false, and nothing done, when it is about a call
/// that is not there.
pub(super) fn enter(transaction: &Transaction<'_>, run: i64, entry: &Entry<'_>) -> rusqlite::Result<bool> {
    if !rows::apply(transaction, run, entry)? {
        return Ok(false);
    }
    chain::append(transaction, run, &entry.body()?)?;
    Ok(true)
}

/// Keeps each text once, and names it by its hash.
fn keep_texts(transaction: &Transaction<'_>, sources: &[Source]) -> rusqlite::Result<Vec<HashedSource>> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO text (hash, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    let keep = |Source { path, text }: &Source| {
        let hash = chain::text_hash(text);
        insert.execute((&hash, text))?;
        Ok(HashedSource { path: path.clone(), hash })
    };
    sources.iter().map(keep).collect()
}

/// An event is about a call, or a run, that is not there.
fn unknown(run: i64, event: &Event) -> Failure {
    let message = match Entry::from(event).path() {
        "" => format!("there is no run {run}"),
        path => {
            let what = match event {
                Event::CallFinished { .. } => "ended",
                Event::CallMarked { .. } => "was marked",
                _ => "was decided on",
            };
            format!("call {path} of run {run} {what}, but the run log does not know that it started")
        }
    };
    Failure::new(FailureKind::System, message)
}

/// Why a run stopped of itself, to be gone on with.
fn stopped(run: i64, parked: &Parked) -> Failure {
    let message = format!("it stopped where it was: {}", parked.question);
    Failure::new(FailureKind::System, message).hint(ways_on(run))
}

/// What can be done with a run that neither ended nor goes on.
fn ways_on(run: i64) -> String {
    format!("`runbook resume {run}` goes on with it, `runbook cancel {run}` undoes what it did")
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

/// Does the run wait for a person? It has no process then, and keeps its locks.
pub(super) fn is_parked(connection: &Connection, run: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT state IN ('waiting', 'in_doubt') FROM run WHERE id = ?1")?
        .query_row([run], |row| row.get(0))
}

pub(super) fn process_from_row(row: &Row<'_>) -> rusqlite::Result<Process> {
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

/// Ends a run whose process is gone, unless it ended by itself or was taken up by another in the meantime; says whether it
/// did.
pub(super) fn bury(
    transaction: &Transaction<'_>,
    state_folder: &Path,
    run: i64,
    last_line: Option<Timestamp>,
) -> rusqlite::Result<bool> {
    // Whoever takes a run up holds the write lock while doing so: only what is seen in here counts.
    let Some(process) = running_owner(transaction, run)?.filter(|process| !owner::is_alive(state_folder, run, process))
    else {
        return Ok(false);
    };
    let last_sign: Moment = transaction.query_row(
        "SELECT max(owned_since, started_at,
                    ifnull((SELECT max(started_at) FROM call WHERE run = ?1), 0),
                    ifnull((SELECT max(finished_at) FROM call WHERE run = ?1), 0),
                    ?2)
         FROM run WHERE id = ?1",
        params![run, last_line.max(owner::last_seen(state_folder, run)).map_or(0, Timestamp::as_microsecond)],
        |row| row.get(0),
    )?;
    let message = format!("its process ({} on {}) ended without finishing the run", process.pid, process.machine);
    let mut failure = Failure::new(FailureKind::System, message).hint(ways_on(run));
    let open: Vec<String> = transaction
        .prepare(
            "SELECT path || ' ' || title FROM call WHERE run = ?1 AND state = ?2 AND effect <> 'flow' ORDER BY id",
        )?
        .query_map(params![run, Word(CallState::Started)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    if !open.is_empty() {
        failure = failure.evidence("begun, and nobody knows whether they happened", open.join("\n"));
    }
    let fact = Fact::RunBuried { failure, last_sign: last_sign.0, at: Timestamp::now() };
    enter(transaction, run, &Entry::from(&fact))?;
    owner::forget(state_folder, run);
    Ok(true)
}
