//! The header's `@param` lines against the `param(…)` calls.

use std::collections::BTreeSet;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error, warning};
use super::super::tree::{At, Node};
use super::super::walk::Lint;
use crate::failure::{Finding, nearest};

/// Parameters read so far.
#[derive(Default)]
pub(super) struct Params {
    used: BTreeSet<String>,
    /// A name was computed: any parameter may be used.
    computed: bool,
}

impl Lint for Params {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call().filter(|call| call.name == "param" && call.receiver.is_none()) else { return };
        if !matches!(cx.callee(call), Callee::Primitive(_)) {
            return;
        }
        let Some(first) = call.args.first() else { return };
        let Some(name) = first.text() else {
            self.computed = true;
            return;
        };
        self.used.insert(name.to_owned());
        if cx.header.param(name).is_some() || cx.header.undecided.iter().any(|undecided| undecided == name) {
            return;
        }
        let message = format!("the header declares no parameter `{name}`");
        let finding = error("unknown-parameter", first.at, message);
        let declared = cx.header.params.iter().map(|param| param.name.as_str());
        let finding = match nearest(name, declared) {
            Some(near) => finding.hint(format!("did you mean `{near}`?")).replace(format!("\"{near}\"")),
            None => finding.hint(format!("declare it at the top: `//! @param {name}: string  what it is`")),
        };
        cx.report(finding);
    }

    fn finish(&mut self, cx: &mut Cx<'_>) {
        for problem in &cx.header.problems {
            let at = At { line: problem.line, column: problem.column };
            let mut finding = error("header", at, problem.message.clone()).length(problem.length);
            finding.hints.extend(problem.hint.clone());
            cx.report(match &problem.replacement {
                Some(replacement) => finding.replace(replacement.clone()),
                None => finding,
            });
        }
        if self.computed {
            return;
        }
        // With a wrong name in a call, the parameter meant by it is not "unused".
        let mistaken = cx.findings.iter().any(|finding| finding.code == "unknown-parameter");
        let read = |name: &str| {
            let meant = format!("param(\"{name}\")");
            let as_variable = |finding: &Finding| finding.fix.as_ref().is_some_and(|fix| fix.replacement == meant);
            mistaken || self.used.contains(name) || cx.findings.iter().any(as_variable)
        };
        let unused: Vec<_> = cx.header.params.iter().filter(|param| !read(&param.name)).collect();
        for param in unused {
            let at = At { line: param.line, column: param.column };
            let message = format!("parameter `{}` is declared and never used", param.name);
            let finding = warning("unused-parameter", at, message);
            cx.report(finding.hint(format!("read it with `param(\"{}\")`, or remove the line", param.name)));
        }
    }
}
