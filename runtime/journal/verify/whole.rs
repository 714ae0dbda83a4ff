//! The whole file: every run, what belongs to no run, and what the database itself is made of.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use super::{Verdict, mirror::Mirror, verify};
use crate::failure::Failure;
use crate::journal::dropped::{self, Dropped};
use crate::journal::entry::{Entry, Fact};
use crate::journal::table::{DROPPED, FORMAT, LEASE};
use crate::journal::{Journal, catalogue, chain, drills, fault, fires, notices, schema, tokens};

/// What `verify_all` found out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StateVerdict {
    /// The runs, oldest first.
    pub runs: Vec<Verdict>,
    /// What is wrong with the file itself, and with what belongs to no run.
    pub problems: Vec<String>,
}

impl StateVerdict {
    /// Is everything as it was recorded?
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.runs.iter().all(Verdict::is_whole)
    }
}

impl Journal {
    /// Compares everything in the run log with what was recorded, and the file with what this program creates; of the log
    /// lines, whether their files are whole.
    ///
    /// Fails when it cannot be read at all.
    pub fn verify_all(&self) -> Result<StateVerdict, Failure> {
        let mirror = Mirror::new()?;
        let mut verdict = self.read("verify the run log", |connection| {
            let moment = connection.unchecked_transaction()?;
            let mut verdict = StateVerdict::default();
            let found = &mut verdict.problems;
            found.extend(damage(&moment, "integrity_check")?);
            found.extend(foreign_schema(&moment, &mirror)?);
            found.extend(strays(&moment)?);
            let runs: Vec<i64> = column(&moment, "SELECT id FROM run ORDER BY id")?;
            let dropped = dropped::ranges(&moment)?;
            found.extend(missing_runs(&moment, &runs, &dropped)?);
            found.extend(altered_dropping(&moment, &dropped)?);
            found.extend(altered_texts(&moment)?);
            found.extend(broken_seals(&moment)?);
            for run in runs {
                verdict.runs.push(verify(&moment, &mirror, run)?);
            }
            Ok(verdict)
        })?;
        verdict.problems.extend(self.damaged_months()?);
        verdict.problems.extend(self.altered_files());
        verdict.problems.extend(self.altered_bytes());
        if verdict.is_whole() && !self.is_copy() {
            self.note_all_bytes();
        }
        Ok(verdict)
    }

    fn damaged_months(&self) -> Result<Vec<String>, Failure> {
        let look = |file: &Path| {
            let found = damage(&schema::LOGS.open_to_read(file)?, "quick_check");
            found.map_err(|error| fault::explain(file, "read the log lines", &error))
        };
        let mut problems = Vec::new();
        for (month, file) in self.log_files()? {
            let first = look(&file).map_or_else(|failure| Some(failure.message), |found| found.into_iter().next());
            // A month may be dropped at any time.
            if let Some(first) = first.filter(|_| file.exists()) {
                problems.push(format!("the log lines of {month}: {first}"));
            }
        }
        Ok(problems)
    }
}

impl Journal {
    /// What is wrong with the file itself: pages and cells that do not fit together, bytes that changed by themselves.
    pub fn damage(&self) -> Result<Vec<String>, Failure> {
        let mut found = self.read("check the run log", |connection| damage(connection, "quick_check"))?;
        found.extend(self.altered_bytes());
        Ok(found)
    }
}

fn column<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// What SQLite itself finds: pages, cells and indexes that do not fit together.
fn damage(connection: &Connection, check: &str) -> rusqlite::Result<Vec<String>> {
    let found: Vec<String> = column(connection, &format!("PRAGMA {check}(20)"))?;
    Ok(found.into_iter().filter(|line| line != "ok").map(|line| format!("the file is damaged: {line}")).collect())
}

/// Tables and indexes that are not those that this program makes.
fn foreign_schema(connection: &Connection, mirror: &Mirror) -> rusqlite::Result<Vec<String>> {
    let (found, expected) = (schema::statements(connection)?, mirror.schema()?);
    let missing =
        expected.iter().filter(|item| !found.contains(item)).map(|(name, _)| ("is missing or was altered", name));
    let added = found.iter().filter(|(name, _)| !expected.iter().any(|(known, _)| known == name));
    let added = added.map(|(name, _)| ("is none of this program's", name));
    Ok(missing.chain(added).map(|(what, name)| format!("the table or index `{name}` {what}")).collect())
}

/// Rows of runs, texts and locks that lead to nothing.
fn strays(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let found: Vec<String> = column(connection, "PRAGMA foreign_key_check")?;
    Ok(found.into_iter().map(|table| format!("a row of `{table}` belongs to nothing that is there")).collect())
}

/// Run numbers are given out one after the other: one that is not there was dropped, or removed.
fn missing_runs(
    connection: &Connection,
    runs: &[i64],
    dropped: &BTreeMap<i64, Dropped>,
) -> rusqlite::Result<Vec<String>> {
    let sequence: Vec<i64> = column(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'run'")?;
    let newest = sequence.iter().chain(runs).copied().max().unwrap_or_default();
    let is_known = |run: &i64| runs.binary_search(run).is_ok() || dropped::range_of(dropped, *run).is_some();
    let gaps = (1..=newest).filter(|run| !is_known(run)).take(20);
    let mut problems: Vec<String> = gaps.map(|run| format!("run {run} was removed")).collect();
    let back = runs.iter().filter(|run| dropped::range_of(dropped, **run).is_some()).take(20);
    problems.extend(back.map(|run| format!("run {run} was dropped, and is there again")));
    let others: i64 = connection.query_row("SELECT count(*) FROM sqlite_sequence", [], |row| row.get(0))?;
    if sequence.first().copied() != runs.last().copied() || usize::try_from(others) != Ok(sequence.len()) {
        problems.push("the number of the last run was altered".into());
    }
    Ok(problems)
}

/// The newest entry about it has a hash of everything that was ever dropped.
fn altered_dropping(connection: &Connection, dropped: &BTreeMap<i64, Dropped>) -> rusqlite::Result<Option<String>> {
    let newest: Option<String> = connection
        .query_row(
            "SELECT body FROM entry WHERE body LIKE '{\"event\":\"runs_dropped\"%' ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let recorded = newest.and_then(|body| match Entry::parse(&body) {
        Ok(Entry::Fact(fact)) => match fact.into_owned() {
            Fact::RunsDropped { all, .. } => Some(all),
            _ => None,
        },
        _ => None,
    });
    let is_same = recorded.map_or(dropped.is_empty(), |all| all == dropped::digest(dropped.values()));
    Ok((!is_same).then(|| "which runs were dropped is not what was recorded".to_owned()))
}

fn altered_texts(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let texts: Vec<(String, String)> = connection
        .prepare("SELECT hash, text FROM text")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let altered = texts.into_iter().filter(|(hash, text)| chain::text_hash(text) != *hash);
    Ok(altered.map(|(hash, _)| format!("the script text {hash} was altered")).collect())
}

fn broken_seals(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let leases = LEASE.broken(connection)?.into_iter().map(|name| format!("the lock `{name}` was altered"));
    let formats =
        FORMAT.broken(connection)?.into_iter().map(|version| format!("the note on format {version} was altered"));
    let others = fires::altered(connection)?.into_iter().chain(notices::altered(connection)?);
    let others = others
        .chain(tokens::altered(connection)?)
        .chain(catalogue::altered(connection)?)
        .chain(drills::altered(connection)?);
    let dropped = DROPPED.broken(connection)?.into_iter();
    let others =
        others.chain(dropped.map(|first| format!("what is known of dropped runs from {first} on was altered")));
    let mut problems: Vec<String> = leases.chain(formats).chain(others).collect();
    let versions: Vec<i64> = column(connection, "SELECT version FROM format ORDER BY version")?;
    let present: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if versions != (1..=present).collect::<Vec<_>>() {
        problems.push("the notes on formats are not complete".into());
    }
    Ok(problems)
}
