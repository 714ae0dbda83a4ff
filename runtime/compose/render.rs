use serde_json::{Map, Value};

use super::application::Application;
use super::node::Content;
use super::scalar;

impl Application {
    /// What `config` prints: one compose file that loads to the same application, whatever the environment.
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        let mut config = self.to_json();
        if let Some(services) = config.get_mut("services").and_then(Value::as_object_mut) {
            services.values_mut().for_each(leave_out);
            leave_out_absent(services);
        }
        block(&config, 0, &mut out);
        out
    }
}

/// Removes what is there only because Compose hashes it, and says nothing.
fn leave_out(service: &mut Value) {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty() || map.values().all(Value::is_null),
        _ => false,
    };
    let watch = service.pointer_mut("/develop/watch").and_then(Value::as_array_mut);
    let triggers = watch.into_iter().flatten().filter_map(Value::as_object_mut);
    triggers.for_each(|trigger| trigger.retain(|key, value| key != "exec" || !says_nothing(value)));
    if let Some(deploy) = service.get_mut("deploy").and_then(Value::as_object_mut) {
        deploy.retain(|_, value| !says_nothing(value));
    }
    let limits = service.get_mut("blkio_config").and_then(Value::as_object_mut);
    let devices = limits.into_iter().flat_map(|limits| limits.values_mut()).filter_map(Value::as_array_mut).flatten();
    devices.for_each(in_lower_case);
    if let Some(service) = service.as_object_mut() {
        service.retain(|key, value| !matches!(key.as_str(), "command" | "entrypoint") || !value.is_null());
    }
}

/// Compose hashes `Path` where its files say `path`.
fn in_lower_case(device: &mut Value) {
    if let Some(map) = device.as_object_mut() {
        *map = std::mem::take(map).into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect();
    }
}

/// Removes what a service may do without and is not part of the application.
fn leave_out_absent(services: &mut Map<String, Value>) {
    let names: Vec<String> = services.keys().cloned().collect();
    for service in services.values_mut() {
        let Some(on) = service.get_mut("depends_on").and_then(Value::as_object_mut) else { continue };
        on.retain(|name, on| names.contains(name) || on.get("required") != Some(&Value::Bool(false)));
    }
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.push_str(&format!("{indent}{}:", scalar_text(key)));
                after(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{indent}-"));
                match item {
                    // The first key stands beside the dash.
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        out.push_str(&format!(" {}", inner.trim_start()));
                    }
                    _ => after(item, depth, out),
                }
            }
        }
        _ => after(value, depth, out),
    }
}

/// What follows a key or dash.
fn after(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str(" null\n"),
        Value::String(text) => out.push_str(&format!(" {}\n", scalar_text(&text.replace('$', "$$")))),
        Value::Object(map) if map.is_empty() => out.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => out.push_str(" []\n"),
        Value::Object(_) | Value::Array(_) => {
            out.push('\n');
            block(value, depth + 1, out);
        }
        other => out.push_str(&format!(" {other}\n")),
    }
}

/// A text as it is where it can only be read as itself, else in double quotes.
fn scalar_text(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '=' | '+' | '$' | '@' | '{' | '}' | ':' | ' ')
    };
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '$'));
    let is_safe = starts_well
        && text.chars().all(plain)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !is_old_bool(text)
        && scalar::resolve(text) == Content::Text(text.to_owned());
    if is_safe { text.to_owned() } else { Value::from(text).to_string() }
}

/// Words that other readers of YAML take for a bool.
fn is_old_bool(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off")
}
