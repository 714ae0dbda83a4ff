//! Containers that are to be replaced start-first and cannot be, and proxies that would not notice.

use super::super::ComposeUpdate;
use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, warning};
use super::super::tree::{Kind, Node};
use super::super::walk::Lint;
use super::files::option;
use super::services::{compose_files, texts};

pub(super) struct Updates;

impl Lint for Updates {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        let Some(receiver) = &call.receiver else { return };
        let Callee::Primitive(spec) = cx.callee(call) else { return };
        if (spec.receiver, spec.name) != (Some("compose"), "up") || cx.scope.guarded() || !cx.fits(spec, call) {
            return;
        }
        let Some(maker) = cx.maker(receiver).filter(|maker| maker.name == "compose") else { return };
        let named = |key: &str| -> Vec<String> {
            let found = option(call, key).map(|entry| texts(&entry.value)).unwrap_or_default();
            found.into_iter().filter_map(|node| node.text().map(str::to_owned)).collect()
        };
        let reloaded = match option(call, "reload").map(|entry| &entry.value.kind) {
            Some(Kind::Map(entries)) => entries.iter().map(|entry| entry.key.clone()).collect(),
            _ => Vec::new(),
        };
        let update = ComposeUpdate { order: named("order").pop(), shared: named("shared_volumes"), reloaded };
        for environment in cx.request.environments {
            let Some(files) = compose_files(cx, maker, environment) else { continue };
            for (code, message, hint) in (cx.request.updates)(environment, &files, &update) {
                cx.report_in(Some(environment), warning(code, node.at, message).hint(hint));
            }
        }
    }
}
