//! Values that are no values: of methods that change what they are called on, and return nothing.

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::known;
use super::super::tree::{Kind, Node, Statement, StatementKind};
use super::super::walk::Lint;

pub(super) struct Values;

impl Lint for Values {
    fn statement(&mut self, cx: &mut Cx<'_>, statement: &Statement) {
        if let StatementKind::Let { value, .. }
        | StatementKind::Assign { value, .. }
        | StatementKind::If { condition: value, .. }
        | StatementKind::While { condition: Some(value), .. }
        | StatementKind::Switch { on: value, .. }
        | StatementKind::For { over: value, .. } = &statement.kind
        {
            look_at(cx, value);
        }
    }

    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        if !matches!(node.kind, Kind::Logic(_)) {
            node.parts().into_iter().for_each(|part| look_at(cx, part));
        }
    }
}

/// Here a value is wanted.
fn look_at(cx: &mut Cx<'_>, node: &Node) {
    if let Kind::Block(statements) = &node.kind {
        if let Some(Statement { kind: StatementKind::Expression(last), .. }) = statements.last() {
            look_at(cx, last);
        }
        return;
    }
    let Some(call) = node.call().filter(|call| known::only_changes(&call.name)) else { return };
    let Some(receiver) = &call.receiver else { return };
    // A map may hold a closure of that name.
    if !matches!(cx.callee(call), Callee::Language(_)) || cx.file.tree.keys.contains(&call.name) {
        return;
    }
    let message = format!("`{}` changes what it is called on, and has no value", call.name);
    let first = receiver
        .root()
        .map_or_else(|| "in a statement of its own".to_owned(), |name| format!("first: `{name}.{}(…);`", call.name));
    cx.report(
        error("no-value", call.at, message).hint(format!("call it {first}, and use the changed value after that")),
    );
}
