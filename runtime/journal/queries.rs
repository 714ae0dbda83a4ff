//! The read side: runs, their sources and their calls.

use rusqlite::types::Value as Column;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::columns::{Json, Moment, Word, count, size};
use super::{CallRecord, CallState, Journal, RunFilter, RunRecord, Source};
use crate::failure::{Failure, FailureKind};
use crate::primitive::Site;

impl Journal {
    /// One run.
    pub fn run(&self, id: i64) -> Result<RunRecord, Failure> {
        let found = self.read("read the run", |connection| {
            connection.prepare_cached("SELECT * FROM run WHERE id = ?1")?.query_row([id], run_from_row).optional()
        })?;
        found.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no run {id}"))
                .hint("`runbook runs` lists the runs there are")
        })
    }

    /// Runs that pass the filter, newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, Failure> {
        let (condition, values) = condition(filter);
        let limit = filter.limit.map_or(-1, count);
        self.read("read the runs", |connection| {
            connection
                .prepare(&format!("SELECT * FROM run WHERE {condition} ORDER BY id DESC LIMIT {limit}"))?
                .query_map(params_from_iter(&values), run_from_row)?
                .collect()
        })
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
                .prepare_cached("SELECT * FROM call WHERE run = ?1 ORDER BY id")?
                .query_map([run], call_from_row)?
                .collect()
        })
    }

    /// The call at that path, whatever its state; one that is `started` in a run taken up again is in doubt.
    pub fn call(&self, run: i64, path: &str) -> Result<Option<CallRecord>, Failure> {
        self.read("look the call up", |connection| {
            connection
                .prepare_cached("SELECT * FROM call WHERE run = ?1 AND path = ?2")?
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
        milliseconds: row.get::<_, Option<i64>>("milliseconds")?.map(i64::cast_unsigned),
        undo_blocks: row.get::<_, Option<i64>>("undo_blocks")?.map(size),
        failure: row.get::<_, Option<Json<_>>>("failure")?.map(|json| json.0),
        trace: row.get::<_, Json<_>>("trace")?.0,
        result: row.get::<_, Json<_>>("result")?.0,
        machine: row.get("machine")?,
        pid: row.get("pid")?,
    })
}

fn call_from_row(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    Ok(CallRecord {
        path: row.get("path")?,
        name: row.get("name")?,
        title: row.get("title")?,
        effect: row.get::<_, Word<_>>("effect")?.0,
        arguments: row.get::<_, Json<_>>("arguments")?.0,
        site: Site { file: row.get("file")?, line: size(row.get("line")?), column: size(row.get("column")?) },
        state: row.get::<_, Word<_>>("state")?.0,
        result: row.get::<_, Json<_>>("result")?.0,
        changed: row.get("changed")?,
        note: row.get("note")?,
        failure: row.get::<_, Option<Json<_>>>("failure")?.map(|json| json.0),
        started_at: row.get::<_, Moment>("started_at")?.0,
        finished_at: row.get::<_, Option<Moment>>("finished_at")?.map(|moment| moment.0),
        milliseconds: row.get::<_, Option<i64>>("milliseconds")?.map(i64::cast_unsigned),
    })
}
