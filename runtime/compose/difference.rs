use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::service::Service;

/// What is known about the configuration of a running container.
///
/// A container that was created here carries its configuration ([`Service::config`], in the label `runbook.compose.config`, with the values of
/// its environment in itself). Of one created by
/// Compose itself only that is known which its inspection shows: put these fields, in the same form, into `Observed`.
#[derive(Clone, Debug, PartialEq)]
pub enum Running {
    /// Everything that was applied.
    Recorded(Value),
    /// Some fields. What is not there is unknown; the environment, labels and lists may hold more than was applied, from the image.
    Observed(Value),
}

/// One field in which a container differs from what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// `image`, `environment.TAG`, `ports[0].published`.
    pub field: String,
    /// What runs; `None` when it is not set there.
    pub running: Option<Value>,
    /// What is wanted; `None` when it is to be gone.
    pub wanted: Option<Value>,
    /// Does the name of the field suggest a value that should not be shown?
    pub sensitive: bool,
}

/// For a plan: `image: app:1 → app:2`, `environment.TOKEN: changed`.
impl std::fmt::Display for FieldDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, running, wanted, sensitive } = self;
        match (running, wanted) {
            (None, _) if *sensitive => write!(f, "{field}: added"),
            (_, None) if *sensitive => write!(f, "{field}: removed"),
            _ if *sensitive => write!(f, "{field}: changed"),
            _ => write!(f, "{field}: {} → {}", shown(running.as_ref()), shown(wanted.as_ref())),
        }
    }
}

impl Service {
    /// The configuration that containers are compared by: everything that Compose hashes, as data.
    pub fn config(&self) -> Value {
        serde_json::from_str(&self.hashed_text()).unwrap_or_default()
    }
}

/// The fields in which a running container differs from the service, in the order of the service's fields. Empty means that it need not be recreated.
pub fn difference(desired: &Service, running: &Running) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    let desired = desired.config();
    match running {
        Running::Recorded(config) => compare("", Some(config), Some(&desired), false, &mut found),
        Running::Observed(config) => {
            let empty = Map::new();
            for (key, value) in config.as_object().unwrap_or(&empty) {
                compare(key, Some(value), desired.get(key), true, &mut found);
            }
        }
    }
    found
}

fn compare(
    field: &str,
    running: Option<&Value>,
    wanted: Option<&Value>,
    partial: bool,
    found: &mut Vec<FieldDifference>,
) {
    let (running, wanted) = (running.filter(|value| !value.is_null()), wanted.filter(|value| !value.is_null()));
    match (running, wanted) {
        (running, wanted) if running == wanted => {}
        (running, wanted) if is_mapping(running) && is_mapping(wanted) && (running.is_some() || wanted.is_some()) => {
            let none = Map::new();
            let object = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&none).clone();
            let (running, wanted) = (object(running), object(wanted));
            if running.is_empty() && wanted.is_empty() {
                return;
            }
            let keys: BTreeSet<&String> = running.keys().chain(wanted.keys()).collect();
            for key in keys {
                // More than was asked for is the image's.
                if partial && !wanted.contains_key(key) {
                    continue;
                }
                compare(&join(field, key), running.get(key), wanted.get(key), partial, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new)))
            if old.len() == new.len() && new.iter().any(Value::is_object) =>
        {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(&format!("{field}[{index}]"), Some(old), Some(new), partial, found);
            }
        }
        (running, wanted) => found.push(FieldDifference {
            field: field.to_owned(),
            running: running.cloned(),
            wanted: wanted.cloned(),
            sensitive: is_sensitive(field),
        }),
    }
}

/// Absent counts as an empty mapping beside one.
fn is_mapping(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_object)
}

fn join(field: &str, key: &str) -> String {
    if field.is_empty() { key.to_owned() } else { format!("{field}.{key}") }
}

fn is_sensitive(field: &str) -> bool {
    field.strip_prefix("environment.").is_some_and(suggests_secret)
}

/// Does the name of a variable suggest a value that should not be shown?
pub(super) fn suggests_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "DSN", "_URL", "_URI"]
        .iter()
        .any(|word| name.contains(word))
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => "not set".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
