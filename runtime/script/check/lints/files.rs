//! Files that a call reads and the project does not have.

use serde_json::Value;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::tree::{Call, Entry, Kind, Node};
use super::super::walk::Lint;
use crate::failure::nearest;
use crate::primitive::Spec;

/// Arguments that name a file which is part of the project, by primitive and place. A file that a runbook may have
/// made itself a moment ago (what `file(…).read()` reads) is none of them.
const ARGUMENTS: &[(&str, usize)] = &[("template", 0)];

/// Options that name such a file, or a list of them.
const OPTIONS: &[(&str, &str)] = &[("compose", "files"), ("compose", "env_file"), ("compose", "env_files")];

/// What the runbook may write itself before it is read: every file it names with `file(…)` or as an option `to`.
#[derive(Default)]
pub(super) struct Files {
    made: Vec<String>,
}

impl Lint for Files {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        let Callee::Primitive(spec) = cx.callee(call) else { return };
        let named_here =
            if is(spec, "file") { call.args.first() } else { option(call, "to").map(|entry| &entry.value) };
        self.made.extend(named_here.and_then(Node::text).map(str::to_owned));
        for index in ARGUMENTS.iter().filter(|(name, _)| is(spec, name)).map(|(_, index)| *index) {
            if let Some(argument) = call.args.get(index) {
                named(cx, argument, &self.made);
            }
        }
        for key in OPTIONS.iter().filter(|(name, _)| is(spec, name)).map(|(_, key)| *key) {
            if let Some(entry) = option(call, key) {
                named(cx, &entry.value, &self.made);
            }
        }
    }
}

fn is(spec: &Spec, name: &str) -> bool {
    spec.receiver.is_none() && spec.name == name
}

/// The literal option of that name.
pub(super) fn option<'c>(call: &'c Call, key: &str) -> Option<&'c Entry> {
    match &call.args.last()?.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == key),
        _ => None,
    }
}

/// Looks at a path or a list of them, in every environment.
fn named(cx: &mut Cx<'_>, node: &Node, made: &[String]) {
    if let Kind::List(items) = &node.kind {
        for item in items {
            named(cx, item, made);
        }
        return;
    }
    if cx.scope.guarded() {
        return;
    }
    for environment in cx.each_environment() {
        let paths = match cx.value_in(environment, node) {
            Some(Value::String(path)) => vec![path],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => continue,
        };
        for path in paths.iter().filter(|path| !made.contains(path) && !cx.request.project.join(path).exists()) {
            missing(cx, node, path, environment);
        }
    }
}

fn missing(cx: &mut Cx<'_>, node: &Node, path: &str, environment: Option<&crate::project::Environment>) {
    let full = cx.request.project.join(path);
    let folder = full.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let beside: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let near = nearest(name, beside.iter().map(String::as_str));
    let near = near.and_then(|near| Some(format!("{}{near}", path.strip_suffix(name)?)));
    let finding = error("missing-file", node.at, format!("the project has no file `{path}`"));
    let finding = match near {
        Some(near) if node.text().is_some() => {
            finding.hint(format!("did you mean `{near}`?")).replace(format!("\"{near}\""))
        }
        Some(near) => finding.hint(format!("did you mean `{near}`?")),
        None => finding.hint("paths are relative to the project's folder"),
    };
    if node.text().is_some() {
        // A literal path is the same in every environment.
        cx.report(finding);
    } else {
        cx.report_in(environment, finding);
    }
}
