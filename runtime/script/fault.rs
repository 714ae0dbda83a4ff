//! Failures on their way between the contract and Rhai's errors, and the chain of places an error passed through.

use std::sync::{Arc, Mutex};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Position};
use serde_json::Value;

use super::origin::Origins;
use super::{convert, unknown};
use crate::primitive::{Failure, FailureKind, Site, unknown_of, unknown_text};

/// A failure as a script's `catch (error)` sees it: `error.kind`, `error.message`, `error.hints`.
#[derive(Clone)]
pub(super) struct Fault(pub(super) Arc<Failure>);

/// The script engine's own error, carried through a primitive that ran a block. It cannot be cloned, so it is taken out.
struct Carried(Mutex<Option<Box<EvalAltResult>>>);

/// Lets scripts read what they caught.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Fault>("error")
        .register_get("kind", |fault: &mut Fault| {
            serde_json::to_value(fault.0.kind)
                .ok()
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default()
        })
        .register_get("message", |fault: &mut Fault| fault.0.message.clone())
        .register_get("hints", |fault: &mut Fault| {
            fault.0.hints.iter().map(|hint| hint.as_str().into()).collect::<rhai::Array>()
        })
        .register_get("evidence", |fault: &mut Fault| {
            fault
                .0
                .evidence
                .iter()
                .map(|item| format!("{}:\n{}", item.title, item.text).into())
                .collect::<rhai::Array>()
        })
        // `throw "text"` arrives as that text: it reads like any other error.
        .register_get("kind", |_thrown: &mut ImmutableString| "thrown")
        .register_get("message", |thrown: &mut ImmutableString| thrown.clone())
        .register_fn("to_string", |fault: &mut Fault| fault.0.message.clone())
        .register_fn("to_debug", |fault: &mut Fault| fault.0.message.clone());
}

/// A primitive's failure as an error of the script. One that came out of a block goes back as it was.
#[allow(clippy::unnecessary_box_returns)] // the form in which Rhai passes errors on
pub(super) fn to_error(failure: Failure, position: Position) -> Box<EvalAltResult> {
    let carried = failure.carried.as_ref().and_then(|carried| carried.downcast_ref::<Carried>());
    if let Some(error) = carried.and_then(|carried| carried.0.lock().ok()?.take()) {
        return error;
    }
    let terminates = failure.is_passing_through();
    let fault = Dynamic::from(Fault(Arc::new(failure)));
    if terminates {
        EvalAltResult::ErrorTerminated(fault, position).into()
    } else {
        EvalAltResult::ErrorRuntime(fault, position).into()
    }
}

/// What came out of a block, for the primitive that ran it.
pub(super) fn from_block(error: Box<EvalAltResult>) -> Failure {
    let mut failure = if error.is_pseudo_error() {
        Failure::new(FailureKind::Control, "left by `return`, `break` or `exit`")
    } else {
        describe(&error)
    };
    failure.carried = Some(Arc::new(Carried(Mutex::new(Some(error)))));
    failure
}

/// The failure behind an error, without the chain of calls around it.
pub(super) fn describe(error: &EvalAltResult) -> Failure {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            describe(inner)
        }
        EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => thrown(value, error),
        error if unknown::is_named(&error.to_string()) => not_known(),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            Failure::new(FailureKind::Invalid, format!("there is no variable `{name}`"))
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            let message = "functions call each other more than 64 levels deep: is there a recursion without end?";
            Failure::new(FailureKind::Invalid, message)
        }
        EvalAltResult::ErrorDataTooLarge(..) => {
            let message = "the value is too large: at most 100000 items, or 16 MiB of text";
            Failure::new(FailureKind::Invalid, message)
        }
        EvalAltResult::ErrorMismatchDataType(wanted, got, _) => {
            Failure::new(FailureKind::Invalid, format!("expected {}, got {}", plain(wanted), plain(got)))
        }
        other => unplaced(other),
    }
}

/// The places an error passed through, innermost first.
pub(super) fn trace(error: &EvalAltResult, runbook: &str, origins: &Origins) -> Vec<Site> {
    let mut sites = Vec::new();
    let mut file = runbook.to_owned();
    let mut current = error;
    loop {
        let site = origins.site(&file, current.position());
        if let Some(site) = site.filter(|site| sites.first() != Some(site)) {
            sites.insert(0, site);
        }
        current = match current {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                file = origins.find(name).map_or_else(|| source.clone(), |origin| origin.source);
                inner
            }
            EvalAltResult::ErrorInModule(path, inner, _) => {
                file.clone_from(path);
                inner
            }
            _ => return sites,
        };
        if file.is_empty() {
            runbook.clone_into(&mut file);
        }
    }
}

fn thrown(value: &Dynamic, error: &EvalAltResult) -> Failure {
    if let Some(fault) = value.read_lock::<Fault>() {
        return (*fault.0).clone();
    }
    let terminated = matches!(error, EvalAltResult::ErrorTerminated(..));
    let kind = if terminated { FailureKind::Cancelled } else { FailureKind::Thrown };
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return Failure::new(kind, said(map.get("message").unwrap_or(value)));
    }
    Failure::new(kind, if value.is_unit() { "thrown without a message".to_owned() } else { said(value) })
}

/// What was thrown, in words.
fn said(value: &Dynamic) -> String {
    match convert::to_plain_value(value) {
        Ok(Value::String(text)) => text,
        Ok(known) => unknown_of(&known).map_or_else(|| known.to_string(), unknown_text),
        Err(_) => value.to_string(),
    }
}

/// A plan came to a decision on something it cannot know.
fn not_known() -> Failure {
    Failure::new(FailureKind::Halted, "")
}

fn unknown_function(signature: &str) -> Failure {
    let (name, arguments) = match signature.split_once(" (") {
        Some(both) => both,
        // Some functions of the language say in a sentence what they cannot do.
        None if signature.contains(' ') => return Failure::new(FailureKind::Invalid, lower_first(signature)),
        None => (signature, ""),
    };
    let arguments: Vec<String> =
        arguments.trim_end_matches(')').split(", ").filter(|part| !part.is_empty()).map(plain).collect();
    let name = name.trim();
    if arguments.is_empty() {
        return Failure::new(FailureKind::Invalid, format!("there is no function `{name}` without arguments"));
    }
    Failure::new(FailureKind::Invalid, format!("there is no function `{name}` that takes ({})", arguments.join(", ")))
}

/// A Rhai type in words.
fn plain(ty: &str) -> String {
    let bare = ty.trim_start_matches("&mut ").trim_start_matches('&');
    match bare.rsplit("::").next().unwrap_or(bare) {
        "str" | "ImmutableString" | "String" | "&str | ImmutableString | String" => "string".into(),
        "i64" | "INT" => "integer".into(),
        "f64" | "FLOAT" => "number".into(),
        "Array" | "Vec<Dynamic>" => "list".into(),
        "Map" | "BTreeMap" => "map".into(),
        "FnPtr" | "Fn" => "closure".into(),
        "()" => "nothing".into(),
        other => other.trim_start_matches("dyn ").to_lowercase(),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The message of an error of the engine itself, without the position that the trace shows.
fn unplaced(error: &EvalAltResult) -> Failure {
    let text = error.to_string();
    let text = text.rsplit_once(" (line ").map_or(text.as_str(), |(message, _)| message);
    Failure::new(FailureKind::Invalid, lower_first(text))
}
