//! Variables that closures share: writes that a parallel branch loses, and closures that all see a loop's last value.

use std::collections::BTreeSet;

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::known;
use super::super::scope::{Origin, Role};
use super::super::tree::{At, Kind, Node, Statement, StatementKind};
use super::super::walk::Lint;

pub(super) struct Captures;

impl Lint for Captures {
    fn statement(&mut self, cx: &mut Cx<'_>, statement: &Statement) {
        if let StatementKind::Assign { target, .. } = &statement.kind {
            lost_write(cx, target);
        }
    }

    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        match &node.kind {
            Kind::Call(call) => {
                if let Some(receiver) = call.receiver.as_ref()
                    && known::changes_receiver(&call.name)
                    && matches!(cx.callee(call), Callee::Language(_))
                {
                    lost_write(cx, receiver);
                }
            }
            Kind::Name(name) => moving_variable(cx, node.at, name),
            _ => {}
        }
    }
}

fn lost_write(cx: &mut Cx<'_>, target: &Node) {
    let Some(name) = target.root().map(str::to_owned) else { return };
    if cx.scope.find(&name).is_none() || !cx.scope.closures_since(&name).contains(&Role::Branch) {
        return;
    }
    let message = format!("this change of `{name}` is lost when the parallel branch ends: a branch works on a copy");
    let at = root_at(target);
    let finding = error("lost-in-branch", at, message);
    cx.report(finding.hint("let the branch return the value: `parallel` returns all of them in order"));
}

fn root_at(node: &Node) -> At {
    match &node.kind {
        Kind::Field { of, .. } | Kind::Index { of, .. } => root_at(of),
        _ => node.at,
    }
}

fn moving_variable(cx: &mut Cx<'_>, at: At, name: &str) {
    if cx.scope.find(name).is_none_or(|binding| binding.origin != Origin::Loop) {
        return;
    }
    let keeper = cx.scope.closures_since(name).into_iter().find_map(|role| match role {
        Role::Later(keeper) => Some(keeper),
        _ => None,
    });
    let Some(keeper) = keeper else { return };
    let when = match keeper {
        "undo" | "always" => format!("`{keeper}` runs this closure after the loop"),
        _ => "this closure is kept and called later".to_owned(),
    };
    let message = format!("{when}, when `{name}` has the loop's last value");
    let finding = error("loop-variable-captured", at, message);
    let seen: BTreeSet<&str> = cx.scope.names().collect();
    let copy = if seen.contains("this_one") { format!("this_{name}") } else { "this_one".to_owned() };
    cx.report(finding.hint(format!("copy it inside the loop: `let {copy} = {name};`, and use `{copy}` here")));
}
