//! The read side of log lines: of one run or of all, by step, stream and words.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::types::Value as Column;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;

use super::columns::{Moment, Word};
use super::lines::month_of;
use super::words::Words;
use super::{Journal, around, fault, schema};
use crate::failure::Failure;
use crate::primitive::LogStream;

/// A line of output as the journal keeps it.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// The run.
    pub run: i64,
    /// The call it belongs to; empty for the run itself.
    pub path: String,
    /// The name of the innermost step around that call; none outside steps.
    pub step: Option<String>,
    /// Where it comes from.
    pub stream: LogStream,
    /// When.
    pub at: Timestamp,
    /// The line, redacted, without its line end.
    pub line: String,
    /// Where it stands, to go on reading behind it.
    #[serde(skip)]
    pub cursor: LogCursor,
}

/// A place in the log lines. Ordered: later lines have greater cursors.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogCursor {
    month: String,
    id: i64,
}

/// Which lines to read. The default is all of them.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Of this run.
    pub run: Option<i64>,
    /// Of calls inside a step of this name, at any depth.
    pub step: Option<String>,
    /// From one of these streams; empty for any.
    pub streams: Vec<LogStream>,
    /// With all these words in any order; `word*` is a beginning, `"several words"` stand together.
    pub search: Option<String>,
    /// Only lines behind this place.
    pub after: Option<LogCursor>,
    /// At most so many: the first ones behind `after`, or without `after` the newest. `None` for all.
    pub limit: Option<usize>,
}

impl LogQuery {
    fn wants_newest(&self) -> bool {
        self.limit.is_some() && self.after.is_none()
    }
}

impl Journal {
    /// The lines that match, oldest first.
    pub fn logs(&self, query: &LogQuery) -> Result<Vec<LogLine>, Failure> {
        let mut lines = Vec::new();
        self.each_log(query, &mut |line| {
            lines.push(line);
            ControlFlow::Continue(())
        })?;
        if query.wants_newest() {
            lines.reverse();
        }
        Ok(lines)
    }

    /// Hands the lines that match to `visit` one by one, however many there are, until it breaks off: oldest first,
    /// except when only the newest are asked for, which come newest first.
    pub fn each_log(&self, query: &LogQuery, visit: &mut dyn FnMut(LogLine) -> ControlFlow<()>) -> Result<(), Failure> {
        let mut files = self.months(query)?;
        if query.wants_newest() {
            files.reverse();
        }
        let mut search = Search {
            query,
            words: query.search.as_deref().map(Words::parse),
            left: query.limit.unwrap_or(usize::MAX),
            steps: StepNames { journal: self, by_run: HashMap::new() },
        };
        for (month, file) in files {
            if search.left == 0 {
                break;
            }
            match search.month(&month, &file, visit) {
                // It was dropped since the folder was read.
                Err(_) if !file.exists() => {}
                done => {
                    if done?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// When the last line of a run was written.
    pub(super) fn last_line_at(&self, run: i64) -> Result<Option<Timestamp>, Failure> {
        let last = self.logs(&LogQuery { run: Some(run), limit: Some(1), ..LogQuery::default() })?;
        Ok(last.first().map(|line| line.at))
    }

    /// The files that can hold matching lines, oldest first.
    fn months(&self, query: &LogQuery) -> Result<Vec<(String, PathBuf)>, Failure> {
        let begun = match query.run {
            Some(run) => Some(month_of(self.run(run)?.started_at)),
            None => None,
        };
        let from = begun.max(query.after.as_ref().map(|cursor| cursor.month.clone()));
        let mut files = self.log_files()?;
        files.retain(|(month, _)| from.as_ref().is_none_or(|from| month >= from));
        Ok(files)
    }

    /// The names of a run's steps by path.
    fn step_names(&self, run: i64) -> Result<HashMap<String, String>, Failure> {
        self.read("read the steps of the run", |connection| {
            connection
                .prepare_cached(
                    "SELECT path, title FROM call WHERE run = ?1 AND
                        (name = 'step' OR (name IN ('undo', 'always') AND path GLOB name || '.*'))",
                )?
                .query_map([run], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}

/// A search on its way through the months.
struct Search<'a> {
    query: &'a LogQuery,
    words: Option<Words>,
    left: usize,
    steps: StepNames<'a>,
}

impl Search<'_> {
    fn month(
        &mut self,
        month: &str,
        file: &Path,
        visit: &mut dyn FnMut(LogLine) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Failure> {
        let Some(connection) = schema::LOGS.open_filled(file)? else { return Ok(ControlFlow::Continue(())) };
        let explain = |error| fault::explain(file, "read the log lines", &error);
        if !schema::is_made(&connection).map_err(explain)? {
            return Ok(ControlFlow::Continue(()));
        }
        let indexed = self.words.as_ref().and_then(Words::index_query).is_some();
        let between = match self.query.run {
            Some(run) => match lines_of(&connection, run).map_err(explain)? {
                Some(between) => between,
                None => return Ok(ControlFlow::Continue(())),
            },
            None => (1, i64::MAX),
        };
        let mut statement = connection.prepare(&self.sql(indexed)).map_err(explain)?;
        let mut rows = statement.query(params_from_iter(self.parameters(month, between, indexed))).map_err(explain)?;
        loop {
            match rows.next() {
                Ok(Some(row)) => {
                    let line = line_from_row(row, month).map_err(explain)?;
                    if let Some(line) = self.accept(line)?
                        && (visit(line).is_break() || self.left == 0)
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(None) => return Ok(ControlFlow::Continue(())),
                // A word that the index cuts into several is a phrase to it, and it keeps no phrases: read the lines.
                // This is said before the first row.
                Err(error) if indexed && error.to_string().contains("phrase queries") => {
                    if let Some(words) = &mut self.words {
                        words.forget_index();
                    }
                    return self.month(month, file, visit);
                }
                Err(error) => return Err(explain(error)),
            }
        }
    }

    fn sql(&self, indexed: bool) -> String {
        let from = if indexed { "line_text CROSS JOIN line ON line.id = line_text.rowid" } else { "line" };
        // Of a run only where its lines are: a word that is in every line is looked up in no others.
        let matches = if indexed { "line_text MATCH ?6 AND line_text.rowid BETWEEN ?4 AND ?5" } else { "true" };
        let run = if self.query.run.is_some() { "line.run = ?1" } else { "true" };
        let order = match (indexed, self.query.wants_newest()) {
            (true, true) => "line_text.rowid DESC",
            (true, false) => "line_text.rowid",
            (false, true) => "line.id DESC",
            (false, false) => "line.id",
        };
        format!(
            "SELECT line.id, line.run, line.path, line.stream, line.at, line.text FROM {from}
             WHERE {matches} AND {run} AND line.id > ?2 AND line.id BETWEEN ?4 AND ?5
               AND (?3 = '[]' OR line.stream IN (SELECT value FROM json_each(?3)))
             ORDER BY {order}"
        )
    }

    fn parameters(&self, month: &str, (first, last): (i64, i64), indexed: bool) -> Vec<Column> {
        let after = self.query.after.as_ref().filter(|cursor| cursor.month == month).map_or(0, |cursor| cursor.id);
        let streams = serde_json::to_string(&self.query.streams).unwrap_or_default();
        let mut parameters = vec![self.query.run.into(), after.into(), streams.into(), first.into(), last.into()];
        if indexed {
            parameters.push(self.words.as_ref().and_then(Words::index_query).map(str::to_owned).into());
        }
        parameters
    }

    /// What the database cannot decide; a line that passes counts.
    fn accept(&mut self, mut line: LogLine) -> Result<Option<LogLine>, Failure> {
        if self.words.as_ref().is_some_and(|words| !words.occur_in(&line.line)) {
            return Ok(None);
        }
        let steps = self.steps.of(line.run)?;
        if let Some(wanted) = &self.query.step
            && !around(&line.path).any(|path| steps.get(path) == Some(wanted))
        {
            return Ok(None);
        }
        line.step = around(&line.path).find_map(|path| steps.get(path)).cloned();
        self.left -= 1;
        Ok(Some(line))
    }
}

/// Between which numbers the lines of a run are; none where it has none.
fn lines_of(connection: &Connection, run: i64) -> rusqlite::Result<Option<(i64, i64)>> {
    let end = |which: &str| -> rusqlite::Result<Option<i64>> {
        connection.query_row(&format!("SELECT {which}(id) FROM line WHERE run = ?1"), [run], |row| row.get(0))
    };
    Ok(end("min")?.zip(end("max")?))
}

/// The names of the steps of every run met so far.
struct StepNames<'a> {
    journal: &'a Journal,
    by_run: HashMap<i64, HashMap<String, String>>,
}

impl StepNames<'_> {
    fn of(&mut self, run: i64) -> Result<&HashMap<String, String>, Failure> {
        match self.by_run.entry(run) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(self.journal.step_names(run)?)),
        }
    }
}

fn line_from_row(row: &Row<'_>, month: &str) -> rusqlite::Result<LogLine> {
    Ok(LogLine {
        cursor: LogCursor { month: month.to_owned(), id: row.get("id")? },
        run: row.get("run")?,
        path: row.get("path")?,
        step: None,
        stream: row.get::<_, Word<_>>("stream")?.0,
        at: row.get::<_, Moment>("at")?.0,
        line: row.get("text")?,
    })
}
