//! Environment values that look like secrets are masked in everything a run shows and stores of its calls.
//!
//! A variable says by its name what it holds. What a release needs to put a container back is kept apart from that, in
//! the list of releases, and is whole.

use serde_json::Value;

use crate::compose::Application;
use crate::primitive::{Context, Failure, FailureKind};
use crate::secrets::secret_in;

/// Shorter values are words that stand in harmless places too.
const SHORTEST: usize = 8;

/// Masks from now on what these variables hold, if it looks like a secret.
pub(super) fn mask<'v>(context: &Context<'_>, variables: impl Iterator<Item = (&'v str, &'v str)>) {
    for (name, value) in variables {
        if let Some(secret) = secret_in(name, value).filter(|secret| secret.len() >= SHORTEST) {
            context.services.mask(secret);
        }
    }
}

/// Secrets of the run that reached the files as variables stand only where a container's own user can read them: in
/// environments and in the content of configs and secrets. Anything else is seen by whoever may list containers.
pub(super) fn check(context: &Context<'_>, model: &Application) -> Result<(), Failure> {
    if model.variables.values().all(|value| context.services.secrets_in(value).is_empty()) {
        return Ok(());
    }
    let mut found = Vec::new();
    let Value::Object(top) = model.to_json() else { return Ok(()) };
    for (section, entries) in &top {
        let hidden = match section.as_str() {
            "services" => "environment",
            "configs" | "secrets" => "content",
            _ => "",
        };
        for (name, entry) in entries.as_object().into_iter().flatten() {
            for (key, value) in entry.as_object().into_iter().flatten().filter(|(key, _)| *key != hidden) {
                walk(context, value, &format!("{section}.{name}.{key}"), &mut found);
            }
        }
    }
    let Some((secret, place)) = found.first() else { return Ok(()) };
    let all: Vec<String> = found.iter().map(|(secret, place)| format!("`{secret}` in `{place}`")).collect();
    Err(Failure::new(
        FailureKind::Secret,
        format!("the secret `{secret}` may not stand in `{place}` of the compose files"),
    )
    .evidence("secrets in the wrong place", all.join("\n"))
    .hint("a secret may stand in `environment` of a service, or in the `content` of a config or secret"))
}

fn walk(context: &Context<'_>, value: &Value, place: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => {
            found.extend(context.services.secrets_in(text).into_iter().map(|name| (name, place.to_owned())));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(context, item, &format!("{place}[{index}]"), found);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                found.extend(context.services.secrets_in(key).into_iter().map(|name| (name, place.to_owned())));
                walk(context, item, &format!("{place}.{key}"), found);
            }
        }
        _ => {}
    }
}
