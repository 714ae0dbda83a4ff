//! Code that is never reached.

use super::super::cx::Cx;
use super::super::finding::error;
use super::super::tree::{Kind, Node, Statement, StatementKind};
use super::super::walk::Lint;

pub(super) struct Flow;

impl Lint for Flow {
    fn block(&mut self, cx: &mut Cx<'_>, statements: &[Statement]) {
        for (statement, next) in statements.iter().zip(statements.iter().skip(1)) {
            if matches!(next.kind, StatementKind::Nothing) {
                continue;
            }
            if let Some(why) = leaves(statement) {
                let message = format!("this is never reached: {why} in line {} ends the block", statement.at.line);
                cx.report(error("unreachable-code", next.at, message));
                return;
            }
        }
    }
}

/// What ends the block at this statement, whatever happens.
fn leaves(statement: &Statement) -> Option<&'static str> {
    match &statement.kind {
        StatementKind::Return(_) => Some("`return`"),
        StatementKind::Throw(_) => Some("`throw`"),
        StatementKind::Break(_) => Some("`break`"),
        StatementKind::Continue => Some("`continue`"),
        StatementKind::Expression(Node { kind: Kind::Call(call), .. })
            if call.name == "exit" && call.receiver.is_none() && call.module.is_none() =>
        {
            Some("`exit`")
        }
        StatementKind::Block(body) => body.iter().find_map(leaves),
        StatementKind::If { then, otherwise, .. } if !otherwise.is_empty() => {
            then.iter().find_map(leaves).and(otherwise.iter().find_map(leaves)).map(|_| "each branch of the `if`")
        }
        StatementKind::While { condition: None, body } if !body.iter().any(breaks) => Some("a `loop` without `break`"),
        _ => None,
    }
}

/// Is there a `break` of this loop in the statement?
fn breaks(statement: &Statement) -> bool {
    match &statement.kind {
        StatementKind::If { then, otherwise, .. } => then.iter().chain(otherwise).any(breaks),
        StatementKind::Block(body) => body.iter().any(breaks),
        StatementKind::Try { body, handler, .. } => body.iter().chain(handler).any(breaks),
        // Anything unusual may hold one.
        StatementKind::Break(_)
        | StatementKind::Switch { .. }
        | StatementKind::Let { .. }
        | StatementKind::Assign { .. } => true,
        StatementKind::Expression(node) => !matches!(node.kind, Kind::Call(_)),
        _ => false,
    }
}
