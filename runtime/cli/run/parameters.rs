//! A runbook's parameters as flags of the command line.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value};

use crate::failure::{Failure, FailureKind};
use crate::script::{Header, Param, ParamType};

/// Names that the command itself uses.
const TAKEN: &[&str] =
    &["env", "from-run", "yes", "json", "verbose", "quiet", "wait", "help", "plan", "out", "fire", "only", "deny"];

/// Adds a flag for each parameter, with its documentation as the help.
pub(super) fn declare(command: Command, header: &Header) -> Command {
    let command = command.about(if header.title.is_empty() { "Run this runbook".into() } else { header.title.clone() });
    header.params.iter().fold(command, |command, param| command.arg(flag(param)))
}

fn flag(param: &Param) -> Arg {
    let long = long_name(param);
    let mut help = param.doc.clone();
    if let Some(default) = param.default.as_ref().filter(|default| !default.is_null()) {
        let space = if help.is_empty() { "" } else { " " };
        help.push_str(&format!("{space}[default: {}]", shown(default)));
    }
    let required = param.default.is_none();
    let arg = Arg::new(param.name.clone())
        .alias(param.name.clone())
        .long(long)
        .help(help)
        .required(required)
        .help_heading("Parameters");
    match param.ty {
        ParamType::Bool => arg.value_name("BOOL").num_args(0..=1).default_missing_value("true").action(ArgAction::Set),
        other => arg.value_name(value_name(other)).allow_hyphen_values(true).action(ArgAction::Set),
    }
}

/// A parameter whose name the command uses itself is written with `param-` before it.
fn long_name(param: &Param) -> String {
    let name = param.name.replace('_', "-");
    if TAKEN.contains(&name.as_str()) { format!("param-{name}") } else { name }
}

fn value_name(ty: ParamType) -> &'static str {
    match ty {
        ParamType::Integer | ParamType::Number => "NUMBER",
        ParamType::Duration => "DURATION",
        ParamType::Size => "SIZE",
        ParamType::List => "A,B,…",
        ParamType::String | ParamType::Bool => "TEXT",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The values: from the command line, else from `earlier` (the run that is run again), else the defaults.
pub(super) fn read(matches: &ArgMatches, header: &Header, earlier: Option<&Value>) -> Result<Value, Failure> {
    let mut values = Map::new();
    for param in &header.params {
        let given = matches.get_one::<String>(&param.name);
        let value = match given {
            Some(text) => param
                .ty
                .parse(text)
                .map_err(|why| Failure::new(FailureKind::Argument, format!("`--{}` {why}", long_name(param))))?,
            None => earlier
                .and_then(|values| values.get(&param.name).cloned())
                .or_else(|| param.default.clone())
                .unwrap_or_default(),
        };
        values.insert(param.name.clone(), value);
    }
    Ok(Value::Object(values))
}

/// Values as the words of a command line: `--tag=v2`.
pub(in crate::cli) fn words(header: &Header, values: &Map<String, Value>) -> Vec<String> {
    let given = header.params.iter().filter_map(|param| Some((param, values.get(&param.name)?)));
    given.map(|(param, value)| format!("--{}={}", long_name(param), shown(value))).collect()
}

/// Makes nothing required: the values of an earlier run stand in.
pub(super) fn all_optional(header: &Header) -> Header {
    let mut header = header.clone();
    for param in &mut header.params {
        param.default = param.default.take().or(Some(Value::Null));
    }
    header
}
