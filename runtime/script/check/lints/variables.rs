//! Variables and modules that are not declared.

use super::super::cx::{BUILT_IN_MODULES, Cx};
use super::super::finding::{Details, error};
use super::super::tree::{Kind, Node, Statement, StatementKind};
use super::super::walk::Lint;
use crate::failure::nearest;

pub(super) struct Variables;

impl Lint for Variables {
    fn statement(&mut self, cx: &mut Cx<'_>, statement: &Statement) {
        if let StatementKind::Export { name, at } = &statement.kind
            && cx.scope.find(name).is_none()
        {
            let message = format!("there is no variable `{name}` to export");
            cx.report(error("undeclared-variable", *at, message));
        }
    }

    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        match &node.kind {
            Kind::Name(name) => variable(cx, node, name),
            Kind::Path { module, module_at, .. } => module_of(cx, module, *module_at),
            Kind::Call(call) => {
                if let Some((module, at)) = &call.module {
                    module_of(cx, module, *at);
                }
            }
            _ => {}
        }
    }
}

fn variable(cx: &mut Cx<'_>, node: &Node, name: &str) {
    if cx.scope.find(name).is_some() || !Cx::functions(cx.file, name).is_empty() {
        return;
    }
    if cx.scope.in_function() && declared_by_script(cx, name) {
        let message = format!("functions do not see the script's variables, and `{name}` is one");
        let finding = error("variable-outside-function", node.at, message);
        cx.report(
            finding.hint(format!("pass it as an argument: `fn name({name}, …)`, or use a closure: `let name = || …;`")),
        );
        return;
    }
    let finding = error("undeclared-variable", node.at, format!("there is no variable `{name}` here"));
    if cx.known.function(name).is_some() {
        cx.report(
            finding.hint(format!(
                "`{name}` is a function: call it with `{name}(…)`, or hand over a closure: `|| {name}(…)`"
            )),
        );
        return;
    }
    if cx.scope.has_module(name) || BUILT_IN_MODULES.contains(&name) {
        cx.report(finding.hint(format!("`{name}` is a module: write `{name}::…`")));
        return;
    }
    if cx.header.param(name).is_some() {
        cx.report(
            finding.hint(format!("it is a parameter: write `param(\"{name}\")`")).replace(format!("param(\"{name}\")")),
        );
        return;
    }
    let finding = match name {
        "True" | "TRUE" => finding.hint("did you mean `true`?").replace("true"),
        "False" | "FALSE" => finding.hint("did you mean `false`?").replace("false"),
        "None" | "undefined" | "NULL" => finding.hint("nothing is written `()`").replace("()"),
        _ => {
            let near = nearest(name, cx.scope.names());
            match near {
                Some(_) => finding.did_you_mean(near),
                None if declared_by_script(cx, name) => {
                    finding.hint("it is declared later, or inside a block that has ended")
                }
                None => finding,
            }
        }
    };
    cx.report(finding);
}

fn module_of(cx: &mut Cx<'_>, module: &str, at: super::super::tree::At) {
    let root = module.split("::").next().unwrap_or(module);
    if cx.scope.has_module(root) || BUILT_IN_MODULES.contains(&root) {
        return;
    }
    let finding = error("unknown-module", at, format!("there is no module `{root}` here"));
    if let Some(standard) =
        crate::script::library::standard_modules().find(|path| path.rsplit('/').next() == Some(root))
    {
        cx.report(finding.hint(format!("write `import \"{standard}\" as {root};` at the top")));
        return;
    }
    let near = nearest(root, cx.scope.modules().chain(BUILT_IN_MODULES.iter().copied()));
    cx.report(match near {
        Some(near) => finding.did_you_mean(Some(near)),
        None => finding.hint(format!("a module is imported first: `import \"path\" as {root};`")),
    });
}

/// Does the script declare a variable of that name outside of functions?
fn declared_by_script(cx: &Cx<'_>, name: &str) -> bool {
    cx.file
        .tree
        .body
        .iter()
        .any(|statement| matches!(&statement.kind, StatementKind::Let { name: declared, .. } if declared == name))
}
