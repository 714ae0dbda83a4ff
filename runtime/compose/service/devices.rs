use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::node::Content;

/// A device of the host inside the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Device {
    /// Its path on the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub source: String,
    /// Its path inside.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// Any of `r`, `w` and `m`.
    #[serde(skip_serializing_if = "is_zero")]
    pub permissions: String,
}

/// A limit of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ulimit {
    /// What is set.
    pub soft: i64,
    /// The most that may be set.
    pub hard: i64,
    /// Written as one number for both?
    pub single: bool,
}

/// One number, or both without those that are 0: the form that Compose hashes.
impl Serialize for Ulimit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Both {
            #[serde(skip_serializing_if = "is_zero")]
            soft: i64,
            #[serde(skip_serializing_if = "is_zero")]
            hard: i64,
        }
        match (self.single, self.soft) {
            (true, 0) => Both { soft: 0, hard: 0 }.serialize(serializer),
            (true, number) => serializer.serialize_i64(number),
            (false, soft) => Both { soft, hard: self.hard }.serialize(serializer),
        }
    }
}

pub(super) fn devices(cursor: &Cursor) -> Vec<Device> {
    cursor.list().iter().filter_map(device).collect()
}

pub(super) fn ulimits(cursor: &Cursor) -> BTreeMap<String, Ulimit> {
    cursor.map().into_iter().filter_map(|(name, value)| Some((name.to_owned(), ulimit(&value)?))).collect()
}

fn device(cursor: &Cursor) -> Option<Device> {
    let fields = cursor.fields()?;
    let device = Device {
        source: fields.string("source"),
        target: fields.string("target"),
        permissions: fields.string("permissions"),
    };
    if !fields.has("source") {
        cursor.error("`source` is missing");
    }
    fields.close();
    Some(device)
}

fn ulimit(cursor: &Cursor) -> Option<Ulimit> {
    if !matches!(cursor.node.content, Content::Map(_)) {
        return cursor.int().map(|number| Ulimit { soft: number, hard: number, single: true });
    }
    let fields = cursor.fields()?;
    let (soft, hard) = (fields.get("soft"), fields.get("hard"));
    if soft.is_none() || hard.is_none() {
        cursor.error("needs both `soft` and `hard`");
    }
    let number = |cursor: Option<Cursor>| cursor.and_then(|cursor| cursor.int()).unwrap_or_default();
    let ulimit = Ulimit { soft: number(soft), hard: number(hard), single: false };
    fields.close();
    Some(ulimit)
}
