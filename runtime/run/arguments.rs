//! The door's first stage: a call's arguments and options against the primitive's `Spec`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Invocation;
use crate::primitive::{
    Arg, Block, BlockRef, Call, Failure, FailureKind, Spec, Ty, kind_of, unknown_of, unknown_text, unknown_within,
};

/// Sorts what the script wrote into arguments and options, or says which of them is wrong.
///
/// In a plan, what is not known yet is not held against it.
pub(super) fn check(invocation: Invocation, planning: bool) -> Result<Call, Failure> {
    let is_vague = |value: &Value| planning && unknown_within(value).is_some();
    let spec = invocation.primitive.spec();
    let Invocation { receiver, mut arguments, blocks, site, .. } = invocation;
    super::secrets::flatten(spec, &mut arguments);
    let options = take_options(spec, &mut arguments);
    if arguments.len() < spec.required() || arguments.len() > spec.args.len() {
        let missing = spec.args.iter().filter(|arg| !arg.optional).nth(arguments.len());
        let why = missing.map_or_else(
            || format!("got {} arguments, takes {}", arguments.len(), spec.args.len()),
            |arg| format!("argument `{}` is missing", arg.name),
        );
        return Err(Failure::new(FailureKind::Argument, format!("`{}`: {why}", spec.qualified_name()))
            .hint(format!("it is written `{}`", spec.signature()))
            .hint(format!("for example: {}", spec.example)));
    }
    arguments.resize(spec.args.len(), Value::Null);
    for (arg, value) in spec.args.iter().zip(&mut arguments) {
        if planning {
            as_text(arg.ty, value);
        }
        if (arg.optional && value.is_null()) || is_vague(value) {
            continue;
        }
        arg.ty.check(value).map_err(|why| wrong(spec, arg, &why))?;
    }
    let call = Call { receiver, args: arguments, options: options.unwrap_or_else(|| json!({})), blocks, site };
    if let Some(declared) = spec.options.filter(|_| !is_vague(&call.options)) {
        (declared.accepts)(&call.options).map_err(|mut failure| {
            failure.message = format!("`{}`: {}", spec.qualified_name(), failure.message);
            failure
        })?;
    }
    Ok(call)
}

/// The trailing map is the options, unless it stands where an argument that takes a map is declared.
fn take_options(spec: &Spec, arguments: &mut Vec<Value>) -> Option<Value> {
    spec.options?;
    if let Some(first) = spec.args.iter().position(|arg| arg.ty == Ty::Options) {
        return arguments.get(first).filter(|value| value.is_object()).cloned();
    }
    let last = arguments.last()?;
    let plain_map = last.is_object()
        && unknown_of(last).is_none()
        && kind_of(last).is_none()
        && BlockRef::from_value(last).is_none();
    let is_argument = spec.args.get(arguments.len() - 1).is_some_and(|arg| arg.ty.check(last).is_ok());
    if plain_map && !is_argument { arguments.pop() } else { None }
}

/// What is not known yet, where a text is asked for: a text of which nothing is known.
fn as_text(ty: Ty, value: &mut Value) {
    match (ty, value) {
        (Ty::Str, value) => {
            if let Some(text) = unknown_of(value).map(unknown_text) {
                *value = text.into();
            }
        }
        (Ty::Strings, Value::Array(items)) => items.iter_mut().for_each(|item| as_text(Ty::Str, item)),
        _ => {}
    }
}

fn wrong(spec: &Spec, arg: &Arg, why: &str) -> Failure {
    Failure::new(FailureKind::Argument, format!("`{}`: argument `{}` {why}", spec.qualified_name(), arg.name))
        .hint(format!("for example: {}", spec.example))
}

/// What the journal keeps of a call: arguments and options by name, closures only as such.
pub(super) fn recorded(spec: &Spec, call: &Call) -> Value {
    let mut map = serde_json::Map::new();
    if !call.receiver.is_null() {
        map.insert("on".into(), call.receiver.clone());
    }
    for (arg, value) in spec.args.iter().zip(&call.args).filter(|(_, value)| !value.is_null()) {
        map.insert(arg.name.into(), value.clone());
    }
    if let Some(options) = call.options.as_object() {
        map.extend(options.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let mut recorded = Value::Object(map);
    without_blocks(&mut recorded, &call.blocks);
    recorded
}

fn without_blocks(value: &mut Value, blocks: &[Arc<dyn Block>]) {
    if blocks.is_empty() {
        return;
    }
    if BlockRef::from_value(value).is_some() {
        *value = "|| …".into();
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| without_blocks(item, blocks)),
        Value::Object(map) => map.values_mut().for_each(|item| without_blocks(item, blocks)),
        _ => {}
    }
}
