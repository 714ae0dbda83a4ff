//! A secret where none may stand, known before anything runs.

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::needed::{DEEPEST, made, split};
use super::super::scope::Guess;
use super::super::tree::{Call, Kind, Node, StatementKind};
use super::super::walk::Lint;
use crate::primitive::{Spec, misplaced};

pub(super) struct Secrets;

impl Lint for Secrets {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        if let Some(call) = node.call()
            && let Callee::Primitive(spec) = cx.callee(call)
        {
            check(cx, call, spec);
        }
    }
}

fn check<'a>(cx: &mut Cx<'a>, call: &'a Call, spec: &'static Spec) {
    let Some(primitive) = cx.request.primitives.iter().find(|primitive| std::ptr::eq(primitive.spec(), spec)) else {
        return;
    };
    let (positional, options) = split(cx, spec, &call.args);
    let arguments = spec.args.iter().map(|arg| arg.name).zip(positional);
    let options = options.into_iter().flat_map(|options| match &options.kind {
        Kind::Map(entries) => entries.as_slice(),
        _ => &[],
    });
    let places = arguments.chain(options.map(|entry| (entry.key.as_str(), &entry.value)));
    let found: Vec<_> = places.filter_map(|(at, node)| Some((at, secret(cx, node, DEEPEST)?))).collect();
    if found.is_empty() {
        return;
    }
    let sinks = primitive.sinks(&made(cx, spec, call, None, DEEPEST));
    for (at, (node, name)) in found {
        if let Some(failure) = misplaced(spec, at, &name, &sinks) {
            let finding = error("misplaced-secret", node.at, failure.message);
            cx.report(failure.hints.into_iter().fold(finding, Details::hint));
        }
    }
}

/// The first secret in a value that is written out, and its name.
fn secret<'a>(cx: &Cx<'a>, node: &'a Node, depth: usize) -> Option<(&'a Node, String)> {
    let depth = depth.checked_sub(1)?;
    if cx.guess(node) == Guess::Handle("secret") {
        return Some((node, name_of(cx, node, DEEPEST).unwrap_or_else(|| "…".to_owned())));
    }
    match &node.kind {
        Kind::List(items) | Kind::Template(items) => items.iter().find_map(|item| secret(cx, item, depth)),
        Kind::Map(entries) => entries.iter().find_map(|entry| secret(cx, &entry.value, depth)),
        Kind::Block(body) => match &body.last()?.kind {
            StatementKind::Expression(node) => secret(cx, node, depth),
            _ => None,
        },
        Kind::Call(call) if call.operator && call.name == "+" => {
            call.args.iter().find_map(|part| secret(cx, part, depth))
        }
        _ => None,
    }
}

/// What a secret is called: by its own name, or after what was made of it.
fn name_of<'a>(cx: &Cx<'a>, node: &'a Node, depth: usize) -> Option<String> {
    let call = cx.maker(node)?;
    match &call.receiver {
        None if call.name == "secret" => call.args.first()?.text().map(str::to_owned),
        None => Some(format!("{}(…)", call.name)),
        Some(of) => Some(format!("{}({})", call.name, name_of(cx, of, depth.checked_sub(1)?)?)),
    }
}
