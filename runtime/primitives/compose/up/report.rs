//! What `up` did, for the log, the console and the script.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::place::{Action, Place, Plan};
use super::work::Done;
use crate::primitive::{self, Change, LogStream, Outcome, unknown};
use crate::primitives::compose::app::App;
use crate::primitives::compose::release::Timing;
use crate::primitives::on_engine::{RESTARTED, STARTED};

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
    let value = value(done, release);
    let outcome = if changed { Outcome::changed(value) } else { Outcome::unchanged(value) };
    outcome.note(note(done)).made(changes(done))
}

/// What the script gets.
pub(super) fn value(done: &[Done], release: Option<&Value>) -> Value {
    let acts = |done: &&Done| done.action != Action::Unchanged;
    let changed = match done.iter().filter(acts).find(|done| done.place.condition.is_none()) {
        Some(_) => Value::Bool(true),
        None => match done.iter().find_map(|done| done.place.condition.as_ref()) {
            Some(condition) => unknown(format!("whether {condition}")),
            None => Value::Bool(false),
        },
    };
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
    value
}

/// How long the services took to start and to stop; of several containers the slowest counts.
pub(super) fn timings(done: &[Done]) -> BTreeMap<String, Timing> {
    let mut all: BTreeMap<String, Timing> = BTreeMap::new();
    for (service, timing) in done.iter().filter_map(|done| Some((&done.place.service, done.timing?))) {
        let known = all.entry(service.clone()).or_default();
        *known = Timing { start: known.start.max(timing.start), stop: known.stop.max(timing.stop) };
    }
    all
}

/// What a plan will have done.
pub(super) fn foreseen(plan: Plan) -> Vec<Done> {
    let done = |place: Place| {
        let action = place.action();
        let stays = !matches!(action, Action::Created | Action::Recreated | Action::Removed);
        let container = place.present.as_ref().filter(|_| stays).map(|present| present.id.clone());
        Done { place, action, container, timing: None }
    };
    plan.places.into_values().flatten().map(done).collect()
}

/// What was done to containers.
pub(super) fn changes(done: &[Done]) -> Vec<Change> {
    done.iter().filter_map(change).collect()
}

fn change(done: &Done) -> Option<Change> {
    let place = &done.place;
    let (action, word) = match done.action {
        Action::Unchanged => return None,
        Action::Removed => (primitive::Action::Remove, None),
        Action::Started => (primitive::Action::Update, Some(STARTED)),
        Action::Restarted => (primitive::Action::Update, Some(RESTARTED)),
        Action::Created => (primitive::Action::Create, None),
        Action::Recreated => (primitive::Action::Replace, None),
    };
    let mut change = Change::new(action, format!("container {}", place.name));
    change.detail.extend(word.map(str::to_owned));
    if done.action == Action::Created {
        change.detail.push(format!("image: {}", place.image_name));
    }
    let was = place.was.as_ref().filter(|was| done.action == Action::Recreated && **was != place.image_name);
    if let Some(was) = was {
        change.detail.push(format!("image: {was} → {}", place.image_name));
    }
    change.detail.extend(place.reasons.iter().chain(&place.notes).cloned());
    change.condition.clone_from(&place.condition);
    Some(change)
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
    let container = |done: &&Done| {
        let coming = done.container.is_none() && done.action != Action::Removed;
        let id = if coming { unknown(format!("the id of {}", done.place.name)) } else { json!(done.container) };
        json!({ "name": done.place.name, "id": id, "action": said(&done.place, done.action) })
    };
    let containers: Vec<Value> = places.iter().map(container).collect();
    let first = places.first().map(|done| &done.place);
    let image_id = first.map(|place| match place.image.coming {
        Some(_) => unknown(format!("the id of image {}", place.image_name)),
        None => json!(place.image.id),
    });
    let reasons: Vec<&String> = places.iter().flat_map(|done| &done.place.reasons).collect();
    json!({
        "action": first.map(|place| said(place, action)),
        "container": first.map(|place| &place.name),
        "image": first.map(|place| &place.image_name),
        "image_id": image_id,
        "digest": first.and_then(|place| place.image.digest.as_ref()),
        "reasons": reasons,
        "containers": containers,
    })
}

fn said(place: &Place, action: Action) -> Value {
    match &place.condition {
        Some(condition) => unknown(format!("whether {condition}")),
        None => word(action).into(),
    }
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
