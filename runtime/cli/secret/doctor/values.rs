//! The values themselves: none of them is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Ground;
use crate::failure::Failure;
use crate::report::Condition;
use crate::secrets::sealed::{Fingerprints, Identity, Opened, file_of};
use crate::secrets::{check_value, is_placeholder};

/// What is said about the values of all environments.
pub(super) fn look(
    opened: &[(Ground, Opened)],
    identity: &Identity,
    stale: Duration,
    now: Timestamp,
) -> Result<Vec<Condition>, Failure> {
    let fingerprints = Fingerprints::new()?;
    let mut all = Vec::new();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (ground, opened) in opened {
        match of_environment(ground, opened, identity, &fingerprints, &mut places) {
            Ok(found) => all.extend(found),
            Err(failure) => all.push(super::refused(&file_of(opened.environment()), &failure)),
        }
        all.extend(old(opened, stale, now));
    }
    let reused = places.into_values().filter(|places| places.len() > 1);
    all.extend(reused.map(|places| {
        Condition::warn("used twice", format!("{} have the same value", places.join(", ")))
            .fix("give each a value of its own: whoever learns one knows all")
    }));
    Ok(all)
}

fn of_environment(
    ground: &Ground,
    opened: &Opened,
    identity: &Identity,
    fingerprints: &Fingerprints,
    places: &mut BTreeMap<String, Vec<String>>,
) -> Result<Vec<Condition>, Failure> {
    let environment = opened.environment();
    let mut all = Vec::new();
    for name in opened.names() {
        let Some(text) = opened.get(&name, identity)? else { continue };
        let place = format!("{name} of {environment}");
        let mend = format!("runbook secret set {name} --env {environment}");
        if is_placeholder(text.expose()) {
            all.push(Condition::missing(&place, "is a placeholder, not a value").fix(&mend));
        } else if let Err(failure) = check_value(&name, &text, ground.environment()) {
            all.push(Condition::missing(&place, failure.message).fix(&mend));
        } else if text.expose().chars().count() < 8 {
            all.push(Condition::warn(&place, "is shorter than 8 characters").fix(&mend));
        }
        places.entry(fingerprints.of(&text)).or_default().push(place);
    }
    Ok(all)
}

fn old(opened: &Opened, stale: Duration, now: Timestamp) -> Option<Condition> {
    let is_old = |name: &String| {
        opened
            .value(name)
            .is_some_and(|value| now.duration_since(value.changed).unsigned_abs() > stale && value.changed < now)
    };
    let names: Vec<String> = opened.names().into_iter().filter(is_old).collect();
    let environment = opened.environment();
    let days = stale.as_secs() / 86_400;
    (!names.is_empty()).then(|| {
        Condition::warn(file_of(environment), format!("not changed for {days} days: {}", names.join(", ")))
            .fix(format!("runbook secret rotate NAME --env {environment}"))
    })
}
