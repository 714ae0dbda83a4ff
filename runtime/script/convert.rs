//! Values on their way between Rhai and the contract's JSON.

use std::sync::Arc;

use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map as RhaiMap};
use serde_json::{Map, Number, Value};

use super::fault::Fault;
use super::handle::Handle;
use super::unknown::Unknown;
use crate::primitive::{BlockRef, kind_of, unknown, unknown_of};

/// How deep a value may nest.
const DEEPEST: usize = 64;

/// Turns a script's value into JSON; closures are collected and replaced by references.
pub(super) fn to_value(value: &Dynamic, closures: &mut Vec<FnPtr>) -> Result<Value, String> {
    nested(value, closures, 0)
}

/// The same where a closure has no meaning, as in what a block returns.
pub(super) fn to_plain_value(value: &Dynamic) -> Result<Value, String> {
    let mut closures = Vec::new();
    let plain = to_value(value, &mut closures)?;
    if closures.is_empty() { Ok(plain) } else { Err("a closure cannot be kept in a result".into()) }
}

fn nested(value: &Dynamic, closures: &mut Vec<FnPtr>, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err(format!("the value nests deeper than {DEEPEST} levels"));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into());
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| "a number that is not finite".into());
    }
    if let Ok(letter) = value.as_char() {
        return Ok(letter.to_string().into());
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(|item| nested(item, closures, depth + 1)).collect();
    }
    if let Some(map) = value.read_lock::<RhaiMap>() {
        let pairs = map.iter().map(|(key, item)| Ok((key.to_string(), nested(item, closures, depth + 1)?)));
        return pairs.collect::<Result<Map<_, _>, String>>().map(Value::Object);
    }
    if let Some(handle) = value.read_lock::<Handle>() {
        return Ok(Value::Object((*handle.0).clone()));
    }
    if let Some(what) = value.read_lock::<Unknown>() {
        return Ok(unknown(&*what.0));
    }
    if let Some(fault) = value.read_lock::<Fault>() {
        return serde_json::to_value(&*fault.0).map_err(|error| error.to_string());
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        closures.push(closure.clone());
        return Ok(BlockRef(closures.len() - 1).to_value());
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(bytes.iter().map(|byte| Value::from(*byte)).collect());
    }
    Err("a value of this type cannot leave the script; use strings, numbers, lists and maps".into())
}

/// Turns JSON into a script's value; an object with a kind becomes a handle.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap_or_default().into(), Dynamic::from_int)
        }
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_dynamic).collect::<Array>().into(),
        Value::Object(map) if kind_of(value).is_some() => Dynamic::from(Handle(Arc::new(map.clone()))),
        Value::Object(map) => {
            if let Some(what) = unknown_of(value) {
                return Dynamic::from(Unknown(what.into()));
            }
            Dynamic::from_map(map.iter().map(|(key, item)| (key.as_str().into(), to_dynamic(item))).collect())
        }
    }
}
