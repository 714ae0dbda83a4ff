use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::node::Content;
use crate::compose::quantity::Duration;

/// How the health of a container is found out; what is not set is the image's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]` or `["NONE"]`; empty means the image's.
    #[serde(skip_serializing_if = "is_zero")]
    pub test: Vec<String>,
    /// How long one check may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The time between checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u64>,
    /// The time at the start in which failures do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Duration>,
    /// The time between checks in that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<Duration>,
    /// No check at all, whatever the image says?
    #[serde(skip_serializing_if = "is_zero")]
    pub disable: bool,
}

impl Healthcheck {
    /// Is there no check at all?
    pub fn is_disabled(&self) -> bool {
        self.disable || self.test.first().is_some_and(|first| first == "NONE")
    }
}

pub(super) fn read(cursor: &Cursor) -> Option<Healthcheck> {
    let fields = cursor.fields()?;
    let duration = |key| fields.get(key).and_then(|cursor| cursor.duration());
    let check = Healthcheck {
        test: fields.get("test").map(|cursor| test(&cursor)).unwrap_or_default(),
        timeout: duration("timeout"),
        interval: duration("interval"),
        retries: fields.get("retries").and_then(|cursor| retries(&cursor)),
        start_period: duration("start_period"),
        start_interval: duration("start_interval"),
        disable: fields.bool("disable"),
    };
    fields.close();
    Some(check)
}

fn retries(cursor: &Cursor) -> Option<u64> {
    let number = cursor.int()?;
    u64::try_from(number).map_err(|_| cursor.error(format!("must not be negative, got {number}"))).ok()
}

fn test(cursor: &Cursor) -> Vec<String> {
    if let Content::Text(text) = &cursor.node.content {
        return vec!["CMD-SHELL".to_owned(), text.clone()];
    }
    if !matches!(cursor.node.content, Content::List(_)) {
        return cursor.expected("a string or a list").unwrap_or_default();
    }
    let test = cursor.strings();
    if let Some(first) = test.first().filter(|first| !matches!(first.as_str(), "CMD" | "CMD-SHELL" | "NONE")) {
        cursor.error_with_hint(
            format!("must begin with `CMD`, `CMD-SHELL` or `NONE`, got `{first}`"),
            format!("write [\"CMD\", \"{first}\", …]"),
        );
    }
    test
}
