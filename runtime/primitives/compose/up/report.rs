//! What `up` did, for the log, the console and the script.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::work::{Action, Done};
use crate::primitive::{LogStream, Outcome};
use crate::primitives::compose::app::App;

/// Writes a line for each place; was anything changed?
pub(super) fn log(app: &App<'_>, done: &[Done]) -> bool {
    for done in done {
        let place = &done.place;
        let place_name = if place.number > 1 { &place.name } else { &place.service };
        let reasons = if place.reasons.is_empty() { String::new() } else { format!(" ({})", place.reasons.join("; ")) };
        app.context.log(LogStream::Info, &format!("{place_name}: {}{reasons}", word(done.action)));
    }
    done.iter().any(|done| done.action != Action::Unchanged)
}

/// The result of the call.
pub(super) fn outcome(done: &[Done], release: Option<&Value>) -> Outcome {
    let changed = done.iter().any(|done| done.action != Action::Unchanged);
    let mut services: BTreeMap<&str, Vec<&Done>> = BTreeMap::new();
    for done in done {
        services.entry(&done.place.service).or_default().push(done);
    }
    let results: Map<String, Value> =
        services.iter().map(|(service, places)| ((*service).to_owned(), of_service(places))).collect();
    let mut value = json!({ "services": results, "changed": changed });
    if let (Some(number), Some(map)) = (release.and_then(|release| release.get("number")), value.as_object_mut()) {
        map.insert("release".into(), number.clone());
    }
    let outcome = if changed { Outcome::changed(value) } else { Outcome::unchanged(value) };
    outcome.note(note(done))
}

/// `2 recreated, 1 unchanged`, by containers.
fn note(done: &[Done]) -> String {
    let order =
        [Action::Created, Action::Recreated, Action::Started, Action::Restarted, Action::Removed, Action::Unchanged];
    let parts: Vec<String> = order
        .iter()
        .filter_map(|action| {
            let number = done.iter().filter(|done| done.action == *action).count();
            (number > 0).then(|| format!("{number} {}", word(*action)))
        })
        .collect();
    if parts.is_empty() { "no services".to_owned() } else { parts.join(", ") }
}

fn of_service(places: &[&Done]) -> Value {
    let action = places.iter().map(|done| done.action).max().unwrap_or(Action::Unchanged);
    let containers: Vec<Value> = places
        .iter()
        .map(|done| json!({ "name": done.place.name, "id": done.container, "action": word(done.action) }))
        .collect();
    let first = places.first().map(|done| &done.place);
    let reasons: Vec<&String> = places.iter().flat_map(|done| &done.place.reasons).collect();
    json!({
        "action": word(action),
        "container": first.map(|place| &place.name),
        "image": first.map(|place| &place.image_name),
        "image_id": first.map(|place| &place.image.id),
        "digest": first.and_then(|place| place.image.digest.as_ref()),
        "reasons": reasons,
        "containers": containers,
    })
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Unchanged => "unchanged",
        Action::Removed => "removed",
        Action::Started => "started",
        Action::Restarted => "restarted",
        Action::Created => "created",
        Action::Recreated => "recreated",
    }
}
