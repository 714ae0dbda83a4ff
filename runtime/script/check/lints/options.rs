//! Options that do not exist, and option values that a call would refuse.

use serde_json::json;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::guess::literal;
use super::super::names;
use super::super::scope::Guess;
use super::super::tree::{Call, Entry, Kind, Node};
use super::super::walk::Lint;
use crate::failure::{nearest, unknown_name};
use crate::primitive::{OptionsSpec, Spec, Ty};

pub(super) struct Options;

impl Lint for Options {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        match cx.callee(call) {
            Callee::Primitive(spec) => check(cx, call, spec),
            Callee::OneOf(specs) => {
                if let [spec] = specs.as_slice() {
                    check(cx, call, spec);
                }
            }
            _ => {}
        }
    }
}

fn check(cx: &mut Cx<'_>, call: &Call, spec: &'static Spec) {
    let Some((options, entries)) = options_of(call, spec) else { return };
    for entry in entries {
        match options.find(&entry.key) {
            None => unknown(cx, entry, spec, &options),
            Some(_) => value(cx, entry, spec, &options),
        }
    }
}

/// The literal map that the call would take as its options.
fn options_of<'c>(call: &'c Call, spec: &Spec) -> Option<(OptionsSpec, &'c [Entry])> {
    let options = spec.options?;
    if let Some(first) = spec.args.iter().position(|arg| arg.ty == Ty::Options) {
        let Kind::Map(entries) = &call.args.get(first)?.kind else { return None };
        return Some((options, entries));
    }
    let (last, before) = call.args.split_last()?;
    let Kind::Map(entries) = &last.kind else { return None };
    let taken = spec.args.get(before.len()).is_some_and(|arg| {
        let value = literal(last).unwrap_or_else(|| json!({}));
        arg.ty.check(&value).is_ok()
    });
    (!taken).then_some((options, entries))
}

fn unknown(cx: &mut Cx<'_>, entry: &Entry, spec: &Spec, options: &OptionsSpec) {
    let all: Vec<&str> = options.options.iter().map(|option| option.name).collect();
    let message = format!("`{}` has no option `{}`", spec.name, entry.key);
    let finding = error("unknown-option", entry.at, message);
    cx.report(match nearest(&entry.key, all.iter().copied()) {
        Some(near) => finding.did_you_mean(Some(near)),
        None if all.is_empty() => finding.hint("it takes no options"),
        None => finding.hint(format!("its options are {}", names::list(all))),
    });
}

fn value(cx: &mut Cx<'_>, entry: &Entry, spec: &Spec, options: &OptionsSpec) {
    let key = &entry.key;
    let Some(value) = literal(&entry.value) else {
        let label = options.find(key).map(|option| (option.label)()).unwrap_or_default();
        if matches!(label.as_str(), "integer" | "bool" | "number") && cx.guess(&entry.value) == Guess::Text {
            let message = format!("`{}`: option `{key}` must be {label}, got a string", spec.name);
            cx.report(error("wrong-option", entry.value.at, message));
        }
        return;
    };
    if value.is_null() {
        return;
    }
    let Err(failure) = (options.accepts)(&json!({ key: value })) else { return };
    // A value that is right by itself may lack another option: only what is said about this one counts.
    if !failure.message.contains(key.as_str()) {
        return;
    }
    let mut finding = error("wrong-option", entry.value.at, format!("`{}`: {}", spec.name, failure.message));
    if let Some((message, values)) = one_of(&failure.message, key) {
        finding.message = format!("`{}`: {message}", spec.name);
        let near = value.as_str().and_then(|text| nearest(text, values.iter().map(String::as_str)));
        finding = match near {
            Some(near) => finding.hint(format!("did you mean \"{near}\"?")).replace(format!("\"{near}\"")),
            None => finding.hint(format!("the values are {}", names::list(values.iter().map(String::as_str)))),
        };
    }
    for hint in failure.hints {
        finding = finding.hint(hint);
    }
    if let Kind::Int(number) = &entry.value.kind
        && finding.message.contains("duration")
    {
        finding = finding.hint(format!("did you mean \"{number}s\"?")).replace(format!("\"{number}s\""));
    }
    cx.report(finding);
}

/// The values of an option that takes one of a few words, out of the deserializer's message.
fn one_of(message: &str, key: &str) -> Option<(String, Vec<String>)> {
    let (got, values) = unknown_name(message, "variant")?;
    Some((format!("option `{key}` cannot be `{got}`"), values.into_iter().map(str::to_owned).collect()))
}
