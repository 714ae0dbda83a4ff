//! Steps that cannot be told apart.

use std::collections::BTreeMap;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::tree::{At, Node, Statement, StatementKind};
use super::super::walk::Lint;

pub(super) struct Steps;

impl Lint for Steps {
    fn block(&mut self, cx: &mut Cx<'_>, statements: &[Statement]) {
        let mut seen: BTreeMap<String, At> = BTreeMap::new();
        for node in statements.iter().filter_map(value_of) {
            let Some(call) = node.call().filter(|call| call.name == "step") else { continue };
            if !matches!(cx.callee(call), Callee::Primitive(spec) if spec.name == "step" && spec.receiver.is_none()) {
                continue;
            }
            let Some(first) = call.args.first() else { continue };
            let Some(name) = first.text() else { continue };
            if name.trim().is_empty() {
                cx.report(error("empty-step-name", first.at, "a step needs a name"));
            } else if let Some(earlier) = seen.get(name) {
                let message = format!("there are two steps `{name}` here");
                let finding = error("duplicate-step", first.at, message);
                let hint = format!(
                    "the other one is in line {}; names are how a run is read, resumed and searched",
                    earlier.line
                );
                cx.report(finding.hint(hint));
            } else {
                seen.insert(name.to_owned(), first.at);
            }
        }
    }
}

fn value_of(statement: &Statement) -> Option<&Node> {
    match &statement.kind {
        StatementKind::Expression(node) | StatementKind::Let { value: node, .. } => Some(node),
        StatementKind::Assign { value, .. } => Some(value),
        _ => None,
    }
}
