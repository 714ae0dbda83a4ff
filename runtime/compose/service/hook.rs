use std::collections::BTreeMap;

use serde::Serialize;

use super::{command, is_zero};
use crate::compose::cursor::Cursor;

/// A command that belongs to a moment of a service's life. Nothing here runs it; it is kept because Compose hashes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// The command.
    pub command: Option<Vec<String>>,
    /// The image of the container it runs in, before the service starts; the service's own unless it says so.
    #[serde(skip_serializing_if = "is_zero")]
    pub image: String,
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
    /// Once for each container, instead of once?
    #[serde(skip_serializing_if = "is_zero")]
    pub per_replica: bool,
}

/// Hooks inside the service's own container: after it started, before it stops.
pub(super) fn inside(cursor: &Cursor) -> Vec<Hook> {
    cursor.list().iter().filter_map(|cursor| hook(cursor, None)).collect()
}

/// Hooks in containers of their own, of the service's image where they name none.
pub(super) fn before(cursor: &Cursor, image: &str) -> Vec<Hook> {
    cursor.list().iter().filter_map(|cursor| hook(cursor, Some(image))).collect()
}

fn hook(cursor: &Cursor, image: Option<&str>) -> Option<Hook> {
    let fields = cursor.fields()?;
    let mut hook = Hook {
        command: fields.nullable("command").and_then(|cursor| command::read(&cursor)),
        user: fields.string("user"),
        privileged: fields.bool("privileged"),
        working_dir: fields.string("working_dir"),
        environment: fields.get("environment").map(|cursor| cursor.pairs()).unwrap_or_default(),
        ..Hook::default()
    };
    if let Some(image) = image {
        hook.image = fields.get("image").map_or_else(|| image.to_owned(), |cursor| cursor.string().unwrap_or_default());
        hook.per_replica = fields.bool("per_replica");
    }
    if image.is_none() && !fields.has("command") {
        cursor.error("`command` is missing");
    }
    fields.close();
    Some(hook)
}
