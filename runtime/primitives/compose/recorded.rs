//! A service's configuration in a label of its container: all of it but the values of its environment. Whoever lists containers, or
//! listens to the engine's events, is shown labels.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::{Service, labels};
use crate::drivers::docker::Container;

const ENVIRONMENT: &str = "environment";

/// What the label has instead of a value.
const HELD: &str = "";

/// What it has instead of one that was, or had in it, a secret of the run that made the container.
const HELD_SECRET: &str = "•";

/// What a container was made with.
pub(super) struct Recorded {
    /// The service's configuration.
    pub config: Value,
    /// The variables that held a secret, whatever they are called.
    pub confidential: BTreeSet<String>,
}

/// The text of the label.
pub(super) fn written(service: &Service, has_secret: impl Fn(&str) -> bool) -> String {
    let mut config = service.config();
    for (_, value) in environment(&mut config) {
        if let Some(text) = value.as_str() {
            *value = if has_secret(text) { HELD_SECRET } else { HELD }.into();
        }
    }
    config.to_string()
}

/// The configuration that a container was made with; the values come from its own environment, given as `NAME=value`.
pub(super) fn read(running: &Container, own: &[String]) -> Option<Recorded> {
    let mut config: Value = serde_json::from_str(running.labels.get(labels::CONFIG)?).ok()?;
    let mut confidential = BTreeSet::new();
    for (name, value) in environment(&mut config) {
        match value.as_str() {
            Some(HELD) => {}
            Some(HELD_SECRET) => {
                confidential.insert(name.to_owned());
            }
            _ => continue,
        }
        let given = own.iter().find_map(|line| line.split_once('=').filter(|(own, _)| own == name));
        if let Some((_, given)) = given {
            *value = given.into();
        }
    }
    Some(Recorded { config, confidential })
}

fn environment(config: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    config.get_mut(ENVIRONMENT).and_then(Value::as_object_mut).into_iter().flatten()
}
