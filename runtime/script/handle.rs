mod secret;

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};
use serde_json::{Map, Value};

use super::convert;
use crate::primitive::KIND;

/// A handle as a script holds it: a value with methods. Its fields can be read, not written.
#[derive(Clone)]
pub(super) struct Handle(pub(super) Arc<Map<String, Value>>);

impl Handle {
    pub(super) fn kind(&self) -> &str {
        self.0.get(KIND).and_then(Value::as_str).unwrap_or_default()
    }

    /// What stands for a secret in texts.
    fn token(&self) -> Option<&str> {
        self.0.get("text").and_then(Value::as_str).filter(|_| self.kind() == "secret")
    }

    fn equals(&self, other: &Self) -> Result<bool, Box<EvalAltResult>> {
        match self.token().or(other.token()) {
            Some(_) => Err(secret::COMPARED.into()),
            None => Ok(self.0 == other.0),
        }
    }

    fn field(&self, name: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        if let Some(value) = self.0.get(name).filter(|_| name != KIND) {
            return Ok(convert::to_dynamic(value));
        }
        let fields: Vec<&str> = self.0.keys().map(String::as_str).filter(|key| *key != KIND).collect();
        let known = if fields.is_empty() { "it has none".to_owned() } else { format!("it has {}", fields.join(", ")) };
        Err(format!("a {} handle has no field `{name}` ({known}); a method is called with `()`", self.kind()).into())
    }
}

/// Lets scripts read fields of handles, compare and print them.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Handle>("handle")
        .register_indexer_get(|handle: &mut Handle, name: ImmutableString| handle.field(&name))
        .register_fn("to_string", |handle: &mut Handle| describe(handle))
        .register_fn("to_debug", |handle: &mut Handle| describe(handle))
        .register_fn("==", |a: &mut Handle, b: Handle| a.equals(&b))
        .register_fn("!=", |a: &mut Handle, b: Handle| a.equals(&b).map(|equal| !equal));
    secret::register(engine);
}

fn describe(handle: &Handle) -> String {
    if let Some(token) = handle.token() {
        return token.to_owned();
    }
    let name = ["name", "project", "path", "id"].iter().find_map(|key| handle.0.get(*key)?.as_str());
    name.map_or_else(|| handle.kind().to_owned(), |name| format!("{} {name}", handle.kind()))
}
