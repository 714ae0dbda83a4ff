use std::error::Error as _;

use minijinja::{Error, ErrorKind};
use serde_json::Value;

use crate::failure::nearest;
use crate::primitive::{Failure, FailureKind};

/// MiniJinja's error as a failure that names file, line and, for an undefined one, the variable with its near names.
pub fn explain(error: &Error, main: &str, source: &str, values: &Value) -> Failure {
    let error = innermost(error);
    let name = error.name().unwrap_or(main);
    let source = error.template_source().unwrap_or(source);
    let place =
        error.line().map_or_else(|| format!("template `{name}`"), |line| format!("template `{name}`, line {line}"));
    let failure = match error.kind() {
        ErrorKind::UndefinedError => undefined(error, &place, source, values),
        ErrorKind::OutOfFuel => Failure::new(FailureKind::Invalid, format!("{place}: the loop takes too many steps")),
        ErrorKind::TemplateNotFound => {
            let detail = error.detail().unwrap_or_default();
            let what = match detail.split(['\'', '"']).nth(1) {
                Some(missing) => format!("there is no template `{missing}`"),
                None => detail.to_owned(),
            };
            Failure::new(FailureKind::NotFound, format!("{place}: {what}"))
                .hint("it is looked up from the folder of the template that names it")
        }
        kind => {
            let what = error.detail().map_or_else(|| kind.to_string(), str::to_owned);
            Failure::new(FailureKind::Invalid, format!("{place}: {what}"))
        }
    };
    let shown = error.line().and_then(|line| Some((line, source.lines().nth(line.checked_sub(1)?)?)));
    match shown {
        Some((line, text)) => failure.evidence(name, format!("{line} | {text}")),
        None => failure,
    }
}

/// An error inside an included template arrives wrapped in one for the line that includes it.
fn innermost(error: &Error) -> &Error {
    let mut error = error;
    while let Some(inner) = error.source().and_then(|source| source.downcast_ref::<Error>()) {
        error = inner;
    }
    error
}

fn undefined(error: &Error, place: &str, source: &str, values: &Value) -> Failure {
    let detail = error.detail().unwrap_or_default();
    // MiniJinja's words are "`app.port` is undefined", possibly with the operation that met it before them.
    let named = detail.split_once("` is undefined").and_then(|(before, _)| before.rsplit('`').next());
    let written = error.range().and_then(|range| source.get(range)).unwrap_or_default().trim();
    let expression = named.unwrap_or(written);
    let path: Vec<&str> = expression.split('.').map(str::trim).collect();
    let is_path = path.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
    if !is_path {
        let what = if detail.is_empty() { "a value is not defined" } else { detail };
        return Failure::new(FailureKind::Invalid, format!("{place}: {what}"));
    }
    let mut known = values;
    for (index, part) in path.iter().enumerate() {
        let Some(fields) = known.as_object() else { break };
        if let Some(value) = fields.get(*part) {
            known = value;
            continue;
        }
        if index == 0 && path.len() > 1 {
            // The name of a loop or `set`, known to the template alone.
            break;
        }
        let shown = path[..=index].join(".");
        let failure = Failure::new(FailureKind::Invalid, format!("{place}: `{shown}` is not defined"));
        let known_here: Vec<&str> = fields.keys().map(String::as_str).collect();
        return match nearest(part, known_here.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{}`?", [&path[..index], &[near]].concat().join("."))),
            None if known_here.is_empty() => failure.hint("no values were given"),
            None => failure.hint(format!("the names are {}", known_here.join(", "))),
        };
    }
    Failure::new(FailureKind::Invalid, format!("{place}: `{expression}` is not defined"))
}
