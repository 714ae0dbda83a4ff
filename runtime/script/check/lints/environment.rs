//! Keys and hosts that the environment does not have.

use serde_json::Value;

use super::super::cx::Cx;
use super::super::finding::{Details, error};
use super::super::tree::{Call, Kind, Node};
use super::super::walk::Lint;
use crate::failure::nearest;
use crate::project::{Environment, PROJECT_FILE};

/// Keys that every environment has.
const ALWAYS: &[&str] = &["name", "is_protected"];

pub(super) struct Environments;

impl Lint for Environments {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        match &node.kind {
            Kind::Path { module, name, .. } if module == "env" => key(cx, node, name),
            Kind::Call(call) if cx.scope.guarded() && call.name == "host" => {}
            Kind::Call(call) if call.module.as_ref().is_some_and(|(module, _)| module == "env") => function(cx, call),
            _ => {}
        }
    }
}

fn key(cx: &mut Cx<'_>, node: &Node, name: &str) {
    if ALWAYS.contains(&name) {
        return;
    }
    // Code that asks which environment it is in may use what only some have.
    let some_have = || cx.all_environments.iter().any(|environment| environment.values.contains_key(name));
    if cx.scope.guarded() && some_have() {
        return;
    }
    for environment in cx.request.environments {
        if environment.values.contains_key(name) {
            continue;
        }
        let finding = error("unknown-key", node.at, format!("environment `{}` has no key `{name}`", environment.name));
        let keys = environment.values.keys().map(String::as_str).chain(ALWAYS.iter().copied());
        let finding = match nearest(name, keys) {
            Some(near) => finding.did_you_mean(Some(near)),
            None => finding.hint(format!("add `{name} = …` to [env.{}] in {PROJECT_FILE}", environment.name)),
        };
        cx.report_in(Some(environment), finding);
    }
}

fn function(cx: &mut Cx<'_>, call: &Call) {
    if call.name != "host" {
        let finding = error("unknown-function", call.at, format!("module `env` has no function `{}`", call.name));
        let all_have = |environment: &Environment| environment.values.contains_key(&call.name);
        let is_key = cx.request.environments.iter().any(all_have) || ALWAYS.contains(&call.name.as_str());
        cx.report(if is_key {
            finding.hint(format!("`{0}` is a key of the environment: write `env::{0}`", call.name))
        } else {
            finding.did_you_mean(nearest(&call.name, ["host"]))
        });
        return;
    }
    let Some(first) = call.args.first() else { return };
    let Some(name) = first.text() else { return };
    for environment in cx.request.environments {
        let hosts = environment.values.get("hosts").and_then(Value::as_object);
        if hosts.is_some_and(|hosts| hosts.contains_key(name)) {
            continue;
        }
        let finding =
            error("unknown-host", first.at, format!("environment `{}` has no host `{name}`", environment.name));
        let near = hosts.and_then(|hosts| nearest(name, hosts.keys().map(String::as_str)));
        let finding = match near {
            Some(near) => finding.hint(format!("did you mean `{near}`?")).replace(format!("\"{near}\"")),
            None => finding.hint(format!("add it to [env.{}.hosts] in {PROJECT_FILE}", environment.name)),
        };
        cx.report_in(Some(environment), finding);
    }
}
