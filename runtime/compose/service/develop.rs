use std::collections::BTreeMap;

use serde::Serialize;

use super::{command, is_zero};
use crate::compose::cursor::Cursor;
use crate::compose::node::Content;

/// What `docker compose watch` does while somebody develops. Nothing here acts on it; it is kept because Compose hashes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Develop {
    /// What is watched.
    #[serde(skip_serializing_if = "is_zero")]
    pub watch: Vec<Trigger>,
}

/// A folder that is watched, and what follows from a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trigger {
    /// The folder, absolute.
    pub path: String,
    /// `sync`, `rebuild`, `restart`, `sync+restart` or `sync+exec`.
    pub action: String,
    /// Where it is copied to.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// What runs after a copy.
    pub exec: Exec,
    /// Which files count.
    #[serde(skip_serializing_if = "is_zero")]
    pub include: Vec<String>,
    /// Which files do not.
    #[serde(skip_serializing_if = "is_zero")]
    pub ignore: Vec<String>,
    /// Copy everything at the start?
    #[serde(skip_serializing_if = "is_zero")]
    pub initial_sync: bool,
}

/// A command inside a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exec {
    /// The command.
    pub command: Option<Vec<String>>,
    /// The user.
    #[serde(skip_serializing_if = "is_zero")]
    pub user: String,
    /// All rights of the host's root?
    #[serde(skip_serializing_if = "is_zero")]
    pub privileged: bool,
    /// The working directory.
    #[serde(skip_serializing_if = "is_zero")]
    pub working_dir: String,
    /// Further variables.
    #[serde(skip_serializing_if = "is_zero")]
    pub environment: BTreeMap<String, Option<String>>,
}

pub(super) fn read(cursor: &Cursor) -> Option<Develop> {
    if cursor.node.content == Content::Null {
        return None;
    }
    let fields = cursor.fields()?;
    let watch = fields.get("watch").map(|cursor| cursor.list()).unwrap_or_default();
    let develop = Develop { watch: watch.iter().filter_map(trigger).collect() };
    fields.close();
    Some(develop)
}

fn trigger(cursor: &Cursor) -> Option<Trigger> {
    let fields = cursor.fields()?;
    for key in ["path", "action"] {
        if !fields.has(key) {
            cursor.error(format!("`{key}` is missing"));
        }
    }
    let trigger = Trigger {
        path: fields.string("path"),
        action: fields.choice("action", &["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
        target: fields.string("target"),
        exec: fields.get("exec").and_then(|cursor| exec(&cursor)).unwrap_or_default(),
        include: fields.string_or_list("include"),
        ignore: fields.string_or_list("ignore"),
        initial_sync: fields.bool("initial_sync"),
    };
    if fields.has("path") && trigger.path.is_empty() {
        cursor.error("`path` is empty");
    }
    fields.close();
    Some(trigger)
}

fn exec(cursor: &Cursor) -> Option<Exec> {
    let fields = cursor.fields()?;
    let exec = Exec {
        command: fields.nullable("command").and_then(|cursor| command::read(&cursor)),
        user: fields.string("user"),
        privileged: fields.bool("privileged"),
        working_dir: fields.string("working_dir"),
        environment: fields.get("environment").map(|cursor| cursor.pairs()).unwrap_or_default(),
    };
    if !fields.has("command") {
        cursor.error("`command` is missing");
    }
    fields.close();
    Some(exec)
}
