use std::collections::BTreeMap;

use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;

/// When a service may start after one it depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// What must have happened to the other service.
    pub condition: Condition,
    /// Restart this service whenever the other one is recreated.
    #[serde(skip_serializing_if = "is_zero")]
    pub restart: bool,
    /// Is it an error when the other service is not part of the application?
    pub required: bool,
}

/// What must have happened to a service before another one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// Its containers are running.
    #[serde(rename = "service_started")]
    Started,
    /// Its health check succeeds.
    #[serde(rename = "service_healthy")]
    Healthy,
    /// Its containers ended with code 0.
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

impl Condition {
    /// The name in compose files and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "service_started",
            Self::Healthy => "service_healthy",
            Self::Completed => "service_completed_successfully",
        }
    }
}

pub(super) fn read(cursor: &Cursor) -> BTreeMap<String, Dependency> {
    let dependency = |cursor: &Cursor| {
        let fields = cursor.fields()?;
        let names = [Condition::Started, Condition::Healthy, Condition::Completed].map(Condition::name);
        let condition = match fields.choice("condition", &names).as_str() {
            "service_healthy" => Condition::Healthy,
            "service_completed_successfully" => Condition::Completed,
            _ => Condition::Started,
        };
        if !fields.has("condition") {
            cursor.error_with_hint("`condition` is missing", format!("write one of {}", names.join(", ")));
        }
        let required = fields.get("required").is_none_or(|cursor| cursor.bool().unwrap_or(true));
        let dependency = Dependency { condition, restart: fields.bool("restart"), required };
        fields.close();
        Some(dependency)
    };
    cursor.map().into_iter().filter_map(|(name, cursor)| Some((name.to_owned(), dependency(&cursor)?))).collect()
}
