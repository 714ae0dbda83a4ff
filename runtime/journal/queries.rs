//! The read side: runs, their sources and their calls.

use std::cell::Cell;

use rusqlite::types::{FromSql, Value as Column};
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use serde_json::Value;

use super::columns::{Json, Moment, Word, count, size};
use super::entry::Entry;
use super::{CallRecord, CallState, Journal, RunFilter, RunRecord, RunState, Source};
use super::{dropped, statistics};
use crate::failure::{Failure, FailureKind};
use crate::primitive::Site;

impl Journal {
    /// One run.
    pub fn run(&self, id: i64) -> Result<RunRecord, Failure> {
        let found = self.read("read the run", |connection| {
            connection.prepare_cached("SELECT * FROM run WHERE id = ?1")?.query_row([id], run_from_row).optional()
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
        let dropped = self.read("look for the run", |connection| dropped::find(connection, id))?;
        let what = if dropped.is_some() {
            format!("run {id} was dropped, as [runs] in runbook.toml has it")
        } else {
            format!("there is no run {id}")
        };
        Err(Failure::new(FailureKind::NotFound, what).hint("`runbook runs` lists the runs there are"))
    }

    /// What the command line took away from the run when it was begun: null when nothing.
    pub fn narrowing(&self, run: i64) -> Result<Value, Failure> {
        let first: Option<String> = self.read("read how the run was begun", |connection| {
            connection
                .prepare_cached("SELECT body FROM entry WHERE run = ?1 ORDER BY number LIMIT 1")?
                .query_row([run], |row| row.get(0))
                .optional()
        })?;
        let Some(first) = first else { return Ok(Value::Null) };
        let entry = Entry::parse(&first).map_err(|_| {
            Failure::new(FailureKind::Invalid, format!("how run {run} was begun cannot be read"))
                .hint(format!("`runbook show {run} --verify` says what is wrong with it"))
        })?;
        Ok(entry.narrowing().unwrap_or_default())
    }

    /// Runs that pass the filter, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Failure> {
        let (condition, values) = condition(filter);
        let limit = filter.limit.map_or(-1, count);
        self.read("read the runs", |connection| {
            if let Some(limit) = filter.limit
                && let Some(page) = statistics::page(connection, filter, limit)?
            {
                let mut statement = connection.prepare_cached("SELECT * FROM run WHERE id = ?1")?;
                return page.iter().map(|id| statement.query_row([id], run_from_row)).collect();
            }
            // The sign keeps SQLite from walking along all runs for the sake of their order.
            let order = if filter.since.is_some() || filter.until.is_some() { "+id" } else { "id" };
            connection
                .prepare(&format!("SELECT * FROM run WHERE {condition} ORDER BY {order} DESC LIMIT {limit}"))?
                .query_map(params_from_iter(&values), run_from_row)?
                .collect()
        })
    }

    /// The first run with that number or a greater one.
    pub fn next_run(&self, from: i64) -> Result<Option<RunRecord>, Failure> {
        self.read("read the runs", |connection| {
            let sql = "SELECT * FROM run WHERE id >= ?1 ORDER BY id LIMIT 1";
            connection.prepare_cached(sql)?.query_row([from], run_from_row).optional()
        })
    }

    /// The newest run before that one, of the same runbook and environment, that is in one of these states.
    pub fn newest_before(&self, run: &RunRecord, states: &[RunState]) -> Result<Option<RunRecord>, Failure> {
        let mut newest: Option<i64> = None;
        for state in states {
            let found: Option<i64> = self.read("read the runs", |connection| {
                connection
                    .prepare_cached(
                        "SELECT max(id) FROM run WHERE runbook = ?1 AND environment = ?2 AND state = ?3 AND id < ?4",
                    )?
                    .query_row(params![run.runbook, run.environment, Word(state), run.id], |row| row.get(0))
            })?;
            newest = newest.max(found);
        }
        newest.map(|run| self.run(run)).transpose()
    }

    /// The texts a run executes, the runbook's own first.
    pub fn sources(&self, run: i64) -> Result<Vec<Source>, Failure> {
        self.read("read the scripts of the run", |connection| {
            connection
                .prepare_cached(
                    "SELECT path, text FROM source JOIN text USING (hash) WHERE run = ?1 ORDER BY position",
                )?
                .query_map([run], |row| Ok(Source { path: row.get(0)?, text: row.get(1)? }))?
                .collect()
        })
    }

    /// A run's calls, in the order in which they started.
    pub fn calls(&self, run: i64) -> Result<Vec<CallRecord>, Failure> {
        self.read("read the calls of the run", |connection| {
            connection
                .prepare_cached(&format!("SELECT {CALL} FROM call WHERE run = ?1 ORDER BY id"))?
                .query_map([run], call_from_row)?
                .collect()
        })
    }

    /// The call at that path, whatever its state; one that is `started` in a run taken up again is in doubt.
    pub fn call(&self, run: i64, path: &str) -> Result<Option<CallRecord>, Failure> {
        self.read("look the call up", |connection| {
            connection
                .prepare_cached(&format!("SELECT {CALL} FROM call WHERE run = ?1 AND path = ?2"))?
                .query_row(params![run, path], call_from_row)
                .optional()
        })
    }

    /// The call at that path if it has ended.
    pub fn finished_call(&self, run: i64, path: &str) -> Result<Option<CallRecord>, Failure> {
        Ok(self.call(run, path)?.filter(|call| call.state != CallState::Started))
    }
}

/// The condition of a filter and the values of its parameters.
fn condition(filter: &RunFilter) -> (String, Vec<Column>) {
    let mut conditions = vec!["true".to_owned()];
    let mut values = Vec::new();
    let mut add = |text: &str, value: Column| {
        values.push(value);
        conditions.push(text.replace('?', &format!("?{}", values.len())));
    };
    if let Some(runbook) = &filter.runbook {
        add(
            "(runbook IN (?, ? || '.rhai')
              OR substr(runbook, -length(?) - 1) = '/' || ? OR substr(runbook, -length(?) - 6) = '/' || ? || '.rhai')",
            runbook.clone().into(),
        );
    }
    if let Some(environment) = &filter.environment {
        add("environment = ?", environment.clone().into());
    }
    if let Some(since) = filter.since {
        add("started_at >= ?", since.as_microsecond().into());
    }
    if let Some(until) = filter.until {
        add("started_at < ?", until.as_microsecond().into());
    }
    if !filter.states.is_empty() {
        let states = serde_json::to_string(&filter.states).unwrap_or_default();
        add("state IN (SELECT value FROM json_each(?))", states.into());
    }
    (conditions.join(" AND "), values)
}

fn run_from_row(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    Ok(RunRecord {
        id: row.get("id")?,
        uid: row.get("uid")?,
        runbook: row.get("runbook")?,
        title: row.get("title")?,
        environment: row.get("environment")?,
        environment_values: row.get::<_, Json<_>>("environment_values")?.0,
        parameters: row.get::<_, Json<_>>("parameters")?.0,
        project_root: row.get("project_root")?,
        revision: row.get("revision")?,
        started_by: row.get("started_by")?,
        from_run: row.get("from_run")?,
        state: row.get::<_, Word<_>>("state")?.0,
        started_at: row.get::<_, Moment>("started_at")?.0,
        finished_at: row.get::<_, Option<Moment>>("finished_at")?.map(|moment| moment.0),
        milliseconds: took(row)?,
        owned_since: row.get::<_, Moment>("owned_since")?.0,
        undo_blocks: row.get::<_, Option<i64>>("undo_blocks")?.map(size),
        failure: row.get::<_, Option<Json<_>>>("failure")?.map(|json| json.0),
        trace: row.get::<_, Json<_>>("trace")?.0,
        result: row.get::<_, Json<_>>("result")?.0,
        plan: row.get::<_, Option<Json<_>>>("plan")?.map(|json| json.0),
        parked: row.get::<_, Option<Json<_>>>("parked")?.map(|json| json.0),
        script_end: row.get::<_, Option<Json<_>>>("script_end")?.map(|json| json.0),
        machine: row.get("machine")?,
        pid: row.get("pid")?,
    })
}

/// How long the run took since it was gone on with. What is recorded of a killed one reaches from its beginning.
fn took(row: &Row<'_>) -> rusqlite::Result<Option<u64>> {
    let (recorded, finished_at): (Option<i64>, Option<i64>) = (row.get("milliseconds")?, row.get("finished_at")?);
    let since: i64 = row.get("owned_since")?;
    let is_killed = row.get::<_, Word<RunState>>("state")?.0 == RunState::Killed;
    let killed_after = finished_at.filter(|_| is_killed).map(|last_sign| (last_sign - since).max(0) / 1_000);
    Ok(killed_after.or(recorded).map(i64::cast_unsigned))
}

/// The columns of a call in the order in which `call_from_row` takes them: by name, finding them takes longer than reading
/// them, and a run that is gone on with reads thousands.
const CALL: &str =
    "path, name, title, effect, arguments, file, line, column, state, result, changed, note, changes, masked,
    marker, decision, failure, started_at, finished_at, milliseconds";

fn call_from_row(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    let row = InOrder { row, next: Cell::new(0) };
    Ok(CallRecord {
        path: row.take()?,
        name: row.take()?,
        title: row.take()?,
        effect: row.take::<Word<_>>()?.0,
        arguments: row.take::<Json<_>>()?.0,
        site: Site { file: row.take()?, line: size(row.take()?), column: size(row.take()?) },
        state: row.take::<Word<_>>()?.0,
        result: row.take::<Json<_>>()?.0,
        changed: row.take()?,
        note: row.take()?,
        changes: row.take::<Json<_>>()?.0,
        masked: row.take()?,
        marker: row.take::<Option<Json<_>>>()?.map(|json| json.0),
        decision: row.take::<Option<Json<_>>>()?.map(|json| json.0),
        failure: row.take::<Option<Json<_>>>()?.map(|json| json.0),
        started_at: row.take::<Moment>()?.0,
        finished_at: row.take::<Option<Moment>>()?.map(|moment| moment.0),
        milliseconds: row.take::<Option<i64>>()?.map(i64::cast_unsigned),
    })
}

/// The columns of a row, one after the other.
struct InOrder<'a> {
    row: &'a Row<'a>,
    next: Cell<usize>,
}

impl InOrder<'_> {
    fn take<T: FromSql>(&self) -> rusqlite::Result<T> {
        let place = self.next.get();
        self.next.set(place + 1);
        self.row.get(place)
    }
}
