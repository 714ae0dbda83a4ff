//! The rows of a run, made once more from its entries and held against those in the file.

use std::collections::HashMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction};

use super::{Applied, Problem};
use crate::failure::{Failure, FailureKind};
use crate::journal::entry::Entry;
use crate::journal::table::{OF_A_RUN, OfRun, Table};
use crate::journal::{rows, schema};

/// An empty journal in memory.
pub(super) struct Mirror(Connection);

impl Mirror {
    pub(super) fn new() -> Result<Self, Failure> {
        let made = schema::JOURNAL.in_memory();
        made.map(Self).map_err(|error| {
            Failure::new(FailureKind::System, format!("cannot make the rows again to compare them: {error}"))
        })
    }

    /// Room for the rows of one run; they are gone when it is dropped.
    pub(super) fn begin(&self) -> rusqlite::Result<Again<'_>> {
        self.0.unchecked_transaction().map(Again)
    }

    /// The statements that make this program's tables and indexes.
    pub(super) fn schema(&self) -> rusqlite::Result<Vec<(String, Option<String>)>> {
        schema::statements(&self.0)
    }
}

/// The rows of a run, so far as its entries were applied.
pub(super) struct Again<'a>(Transaction<'a>);

impl Again<'_> {
    pub(super) fn apply(&self, run: i64, entry: &Entry<'_>) -> rusqlite::Result<()> {
        rows::apply(&self.0, run, entry).map(|_| ())
    }

    /// What is different in the file.
    pub(super) fn differences(
        &self,
        file: &Connection,
        run: i64,
        applied: &[Applied],
    ) -> rusqlite::Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for table in OF_A_RUN {
            let side = Sides { table, expected: Table::of(&self.0, table, run)?, found: Table::of(file, table, run)? };
            problems.extend(side.differences(applied));
        }
        Ok(problems)
    }
}

/// A table as it should be and as it is.
struct Sides {
    table: &'static OfRun,
    expected: Table,
    found: Table,
}

impl Sides {
    fn differences(&self, applied: &[Applied]) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut left: HashMap<String, &Vec<Value>> =
            self.found.rows.iter().map(|row| (self.key(&self.found, row), row)).collect();
        for row in &self.expected.rows {
            let key = self.key(&self.expected, row);
            let problem = |column: &str, what: String| Problem {
                entry: Some(self.entry(row, column, applied)),
                what: format!("{}: {what}", self.words(&self.expected, row)),
            };
            match left.remove(&key) {
                None => problems.push(problem("", "its row was removed".into())),
                Some(found) => {
                    let differs = self.expected.columns.iter().zip(row.iter().zip(found));
                    problems.extend(
                        differs
                            .filter(|(_, (expected, found))| expected != found)
                            .map(|(column, _)| problem(column, format!("the recorded `{column}` was altered"))),
                    );
                }
            }
        }
        problems.extend(self.found.rows.iter().filter(|row| left.contains_key(&self.key(&self.found, row))).map(
            |row| {
                let what = format!("{}: there is a row that was never recorded", self.words(&self.found, row));
                Problem { entry: None, what }
            },
        ));
        let keys = |table: &Table| table.rows.iter().map(|row| self.key(table, row)).collect::<Vec<_>>();
        if problems.is_empty() && keys(&self.expected) != keys(&self.found) {
            let moved = self.expected.rows.iter().zip(&self.found.rows).find(|(expected, found)| expected != found);
            problems.extend(moved.map(|(row, _)| Problem {
                entry: Some(self.entry(row, "", applied)),
                what: format!("{}: its row is not where it was recorded", self.words(&self.expected, row)),
            }));
        }
        problems
    }

    /// What tells a row from the others of its run.
    fn key(&self, table: &Table, row: &[Value]) -> String {
        let parts: &[&str] = match self.table.name {
            "run" => &["id"],
            "source" => &["position"],
            "call" => &["path"],
            _ => &["project", "environment", "number"],
        };
        parts.iter().map(|column| table.text(row, column)).collect::<Vec<_>>().join("\n")
    }

    /// The row, for a person.
    fn words(&self, table: &Table, row: &[Value]) -> String {
        let text = |column| table.text(row, column);
        match self.table.name {
            "run" => format!("run {}", text("id")),
            "source" => format!("script `{}`", text("path")),
            "call" => format!("call {} {}", text("path"), text("name")),
            _ => format!("release {} of {} on {}", text("number"), text("project"), text("environment")),
        }
    }

    /// The number of the entry that wrote that column of a row last; without a column, of the one that made the row.
    fn entry(&self, row: &[Value], column: &str, applied: &[Applied]) -> i64 {
        let path = self.expected.text(row, "path");
        let last = |path: &str, events: &[&str]| {
            let written = |entry: &&Applied| entry.path == path && events.contains(&entry.event.as_str());
            applied.iter().rev().find(written).map(|entry| entry.number)
        };
        let ends = ["run_finished", "run_parked", "run_buried", "run_taken_up"];
        let found = match (self.table.name, column) {
            ("run", "script_end") => last("", &["script_ended"]),
            ("run", "undo_blocks") => last("", &["undo_started"]),
            ("run", "machine" | "pid" | "process_started" | "boot_id" | "owned_by" | "owned_since") => {
                last("", &["run_taken_up"])
            }
            ("run", "state" | "failure" | "trace" | "result" | "finished_at" | "milliseconds" | "parked") => {
                last("", &ends)
            }
            ("source", _) => last("", &["sources_replaced"]),
            ("call", "marker") => last(&path, &["call_marked"]),
            ("call", "decision") => last(&path, &["decided"]),
            (
                "call",
                "state" | "result" | "changed" | "note" | "failure" | "finished_at" | "milliseconds" | "changes"
                | "masked",
            ) => last(&path, &["call_finished", "call_started"]),
            ("call", _) => last(&path, &["call_started"]),
            ("release", "state") => last("", &["releases_settled"]).max(last("", &ends)),
            ("release", _) => last(&path, &["release_recorded"]),
            _ => None,
        };
        found.unwrap_or(1)
    }
}
