//! What calls need, found out from the text of a script.

use serde_json::{Map, Value};

use super::cx::{Callee, Cx};
use super::guess;
use super::scope::Guess;
use super::tree::{At, Call, Kind, Node};
use crate::primitive::{Arg, Call as Made, Effect, Need, Needs, Site, Spec, handle, unknown, unknown_text};
use crate::project::Environment;

/// How deep values and handles are looked into.
pub(super) const DEEPEST: usize = 8;

/// One thing that a call of the script needs.
#[derive(Clone, Debug)]
pub(in crate::script) struct Needed {
    /// What; the parts that only the run knows are marked as unknown.
    pub need: Need,
    /// Does the call only look?
    pub looks: bool,
    /// The primitive's qualified name.
    pub call: String,
    /// The file.
    pub file: String,
    /// Where in it.
    pub at: At,
    /// Is it reached in some environments only, or only one of several that it may be?
    pub guarded: bool,
    /// The environment for which it holds; `None` when that is not known.
    pub environment: Option<String>,
}

/// What a call needs in an environment; nothing where it calls no primitive that is known.
pub(super) fn by(cx: &Cx<'_>, call: &Call, environment: Option<&Environment>) -> Vec<Needed> {
    let Callee::Primitive(spec) = cx.callee(call) else { return Vec::new() };
    let Some(primitive) = cx.request.primitives.iter().find(|primitive| std::ptr::eq(primitive.spec(), spec)) else {
        return Vec::new();
    };
    let made = made(cx, spec, call, environment, DEEPEST);
    let looks = !matches!(primitive.effect(&made), Effect::Change | Effect::Destroy);
    let needed = |need, guarded| Needed {
        need,
        looks,
        call: spec.qualified_name(),
        file: cx.file.path.clone(),
        at: call.at,
        guarded,
        environment: environment.map(|environment| environment.name.clone()),
    };
    let Needs { certain, possible } = Needs::of(*primitive, &made, cx.project);
    let certain = certain.into_iter().map(|need| needed(need, cx.scope.guarded()));
    certain.chain(possible.into_iter().map(|need| needed(need, true))).collect()
}

/// The call as the door would see it, as far as the text says it.
pub(super) fn made(
    cx: &Cx<'_>,
    spec: &'static Spec,
    call: &Call,
    environment: Option<&Environment>,
    depth: usize,
) -> Made {
    let (positional, options) = split(cx, spec, &call.args);
    let value = |node: &Node| value(cx, environment, node, depth);
    let mut args: Vec<Value> = positional.iter().map(value).collect();
    args.resize(spec.args.len(), Value::Null);
    let receiver = call.receiver.as_ref().map(|receiver| handle_of(cx, spec, receiver, environment, depth));
    Made {
        receiver: receiver.unwrap_or_default(),
        args,
        options: options.map_or_else(|| Value::Object(Map::new()), value),
        blocks: Vec::new(),
        site: Site::default(),
    }
}

/// Positional arguments and the options behind them.
pub(super) fn split<'n>(cx: &Cx<'_>, spec: &Spec, args: &'n [Node]) -> (&'n [Node], Option<&'n Node>) {
    let Some((last, front)) = args.split_last() else { return (args, None) };
    let is_map = matches!(cx.guess(last), Guess::Map | Guess::Unknown);
    let behind = spec.options.is_some() && is_map && args.len() > spec.required();
    let certain = args.len() > spec.args.len() || cx.guess(last) == Guess::Map;
    if behind && certain { (front, Some(last)) } else { (args, None) }
}

/// The handle that a method is called on: its fields are what it was made with. Of an application that a module is
/// handed, the name is known when the runbook names one only.
fn handle_of(cx: &Cx<'_>, spec: &Spec, receiver: &Node, environment: Option<&Environment>, depth: usize) -> Value {
    let kind = spec.receiver.unwrap_or_default();
    let unseen = || unknown(format!("the {kind} handle"));
    let Some(depth) = depth.checked_sub(1) else { return unseen() };
    let made_by = maker(cx, receiver);
    let Some((maker, call)) = made_by else { return unseen() };
    let made = made(cx, maker, call, environment, depth);
    let mut fields = Map::new();
    // What a host gave is of that host.
    if maker.receiver == Some("ssh") {
        fields.extend(made.receiver.get("name").map(|name| ("name".to_owned(), name.clone())));
    }
    if let Value::Object(options) = made.options {
        fields.extend(options);
    }
    // The handle of a host calls it by its name.
    let name_of = |arg: &Arg| if kind == "ssh" { "name" } else { arg.name }.to_owned();
    fields.extend(maker.args.iter().map(name_of).zip(made.args));
    handle(kind, Value::Object(fields))
}

/// The call that made a handle, also where its method is called on it at once.
fn maker<'a>(cx: &Cx<'a>, node: &'a Node) -> Option<(&'static Spec, &'a Call)> {
    let call = cx.maker(node)?;
    match cx.callee(call) {
        Callee::Primitive(spec) => Some((spec, call)),
        _ => None,
    }
}

/// A value as far as it is known: what only the run knows is marked, at any depth.
fn value(cx: &Cx<'_>, environment: Option<&Environment>, node: &Node, depth: usize) -> Value {
    if let Some(known) = cx.value_in(environment, node) {
        return known;
    }
    let Some(deeper) = depth.checked_sub(1) else { return unknown("a value of the run") };
    let inner = |node: &Node| value(cx, environment, node, deeper);
    match &node.kind {
        Kind::List(items) => items.iter().map(inner).collect(),
        Kind::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), inner(&entry.value))).collect::<Map<_, _>>().into()
        }
        Kind::Template(parts) => parts.iter().map(|part| text(&inner(part))).collect::<String>().into(),
        Kind::Call(call) if call.operator && call.name == "+" && cx.guess(node) == Guess::Text => {
            call.args.iter().map(|part| text(&inner(part))).collect::<String>().into()
        }
        Kind::Name(name) => match cx.scope.find(name).and_then(|binding| binding.value) {
            Some(node) => inner(node),
            None => unknown(format!("`{name}`")),
        },
        Kind::Call(call) if call.name == "docker" && call.receiver.is_none() => match maker(cx, node) {
            Some((spec, call)) => {
                let made = made(cx, spec, call, environment, deeper);
                handle("docker", serde_json::json!({ "host": made.args.first() }))
            }
            None => unknown("an engine"),
        },
        _ => guess::literal(node).unwrap_or_else(|| unknown("a value of the run")),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => unknown_text("a value of the run"),
    }
}
