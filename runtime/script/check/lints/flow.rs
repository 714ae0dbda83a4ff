//! Code that is never reached.

use super::super::cx::Cx;
use super::super::finding::error;
use super::super::tree::{Statement, StatementKind};
use super::super::walk::Lint;

pub(super) struct Flow;

impl Lint for Flow {
    fn block(&mut self, cx: &mut Cx<'_>, statements: &[Statement]) {
        for (statement, next) in statements.iter().zip(statements.iter().skip(1)) {
            if matches!(next.kind, StatementKind::Nothing) {
                continue;
            }
            if let Some(why) = statement.leaves() {
                let message = format!("this is never reached: {why} in line {} ends the block", statement.at.line);
                cx.report(error("unreachable-code", next.at, message));
                return;
            }
        }
    }
}
