//! What a seeding does: rows that the application was given, and did not have before.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use super::world::{Systems, World};
use crate::runbooks::systems::docker;

/// The words that are no runbook: all rows are taken away.
pub const EMPTY: &[&str] = &["empty"];

/// The systems with dnd-helper's rows.
pub struct Seeding<'a>(pub &'a Systems);

impl Seeding<'_> {
    fn database(&self) -> Connection {
        let volume = format!("{}_api_data", self.0.system().projects()[0]);
        let folder = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]);
        Connection::open(PathBuf::from(folder.trim()).join("api.db")).unwrap()
    }
}

impl World for Seeding<'_> {
    fn command(&self, words: &[&str]) -> Command {
        self.0.command(words)
    }

    fn state(&self) -> PathBuf {
        self.0.state()
    }

    fn does(&self, words: &[&str]) {
        if words == EMPTY {
            self.database().execute_batch("DELETE FROM entries").unwrap();
        } else {
            self.0.does(words);
        }
    }

    fn look(&self) -> Vec<String> {
        let database = self.database();
        let mut query = database.prepare("SELECT kind || ' ' || id || ' ' || body FROM entries ORDER BY 1").unwrap();
        let rows = query
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(|row| format!("row {}", row.unwrap_or_else(|_| String::new())));
        self.0.look().into_iter().chain(rows).collect()
    }

    fn effect(&self, event: &Value) -> Option<String> {
        self.0.effect(event)
    }

    /// The rows that were new to the application, as its log has them: one that it has already is none.
    fn effects(&self, since: Duration) -> Vec<String> {
        let since = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
        let project = format!("label=com.docker.compose.project={}", self.0.system().projects()[0]);
        let service = "label=com.docker.compose.service=api";
        let api = docker(&["ps", "-q", "--filter", &project, "--filter", service]);
        let log = docker(&["logs", "--since", &since, api.trim()]);
        let is_change = |line: &&str| line.starts_with("PUT ") && !line.contains(" 204 ");
        log.lines().filter(is_change).map(str::to_owned).collect()
    }
}
