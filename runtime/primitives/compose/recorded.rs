//! A service's configuration in a label of its container: all of it but the values of its environment. Whoever lists containers, or
//! listens to the engine's events, is shown labels.

use serde_json::Value;

use crate::compose::{Service, labels};
use crate::drivers::docker::Container;

const ENVIRONMENT: &str = "environment";

/// The text of the label.
pub(super) fn written(service: &Service) -> String {
    let mut config = service.config();
    if let Some(environment) = config.get_mut(ENVIRONMENT).and_then(Value::as_object_mut) {
        environment.values_mut().filter(|value| value.is_string()).for_each(|value| *value = "".into());
    }
    config.to_string()
}

/// The configuration that a container was made with; the values come from its own environment, given as `NAME=value`.
pub(super) fn read(running: &Container, own: &[String]) -> Option<Value> {
    let mut config: Value = serde_json::from_str(running.labels.get(labels::CONFIG)?).ok()?;
    let environment = config.get_mut(ENVIRONMENT).and_then(Value::as_object_mut);
    for (name, value) in environment.into_iter().flatten().filter(|(_, value)| value.as_str() == Some("")) {
        let given = own.iter().find_map(|line| line.split_once('=').filter(|(own, _)| own == name));
        if let Some((_, given)) = given {
            *value = given.into();
        }
    }
    Some(config)
}
