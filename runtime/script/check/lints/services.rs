//! Compose services that the environment's compose files do not define.

use serde_json::Value;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::names;
use super::super::tree::{Call, Kind, Node};
use super::super::walk::Lint;
use super::files::option;
use crate::failure::nearest;
use crate::project::Environment;

/// The kind of handle that names services of compose files.
const HANDLE: &str = "compose";

pub(super) struct Services;

impl Lint for Services {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        let Some(receiver) = &call.receiver else { return };
        let Callee::Primitive(spec) = cx.callee(call) else { return };
        if spec.receiver != Some(HANDLE) || cx.scope.guarded() || !cx.fits(spec, call) {
            return;
        }
        let Some(maker) = cx.maker(receiver).filter(|maker| maker.name == HANDLE) else { return };
        let arguments = spec.args.iter().zip(&call.args).filter(|(arg, _)| matches!(arg.name, "service" | "services"));
        let options = ["service", "services"].into_iter().filter_map(|key| Some(&option(call, key)?.value));
        let named: Vec<&Node> = arguments.map(|(_, node)| node).chain(options).flat_map(texts).collect();
        if named.is_empty() {
            return;
        }
        for environment in cx.request.environments {
            let Some(files) = compose_files(cx, maker, environment) else { continue };
            let Some(services) = (cx.request.services)(environment, &files) else { continue };
            for node in &named {
                unknown(cx, node, &services, environment);
            }
        }
    }
}

/// The literal texts of a name or a list of names.
pub(super) fn texts(node: &Node) -> Vec<&Node> {
    match &node.kind {
        Kind::Text(_) => vec![node],
        Kind::List(items) => items.iter().filter(|item| item.text().is_some()).collect(),
        _ => Vec::new(),
    }
}

/// The files of the compose project in an environment, none for the default ones; `None` when they are not known.
pub(super) fn compose_files(cx: &Cx<'_>, maker: &Call, environment: &Environment) -> Option<Vec<String>> {
    let has_options = matches!(maker.args.last().map(|last| &last.kind), Some(Kind::Map(_)));
    if !has_options && maker.args.len() > 1 {
        return None;
    }
    let Some(entry) = option(maker, "files") else { return Some(Vec::new()) };
    // Inside a function, the names of the place that made the handle mean something else.
    if cx.scope.in_function() && has_names(&entry.value) {
        return None;
    }
    match cx.value_in(Some(environment), &entry.value)? {
        Value::String(path) => Some(vec![path]),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn has_names(node: &Node) -> bool {
    matches!(node.kind, Kind::Name(_)) || node.parts().into_iter().any(has_names)
}

fn unknown(cx: &mut Cx<'_>, node: &Node, services: &[String], environment: &Environment) {
    let Some(name) = node.text() else { return };
    if services.iter().any(|service| service == name) {
        return;
    }
    let finding = error("unknown-service", node.at, format!("the compose files define no service `{name}`"));
    let all = || services.iter().map(String::as_str);
    let finding = match nearest(name, all()) {
        Some(near) => finding.hint(format!("did you mean `{near}`?")).replace(format!("\"{near}\"")),
        None if services.is_empty() => finding,
        None => finding.hint(format!("the services are {}", names::list(all()))),
    };
    cx.report_in(Some(environment), finding);
}
