//! Closures with more parameters than they are given.

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::names;
use super::super::tree::{Call, Kind, Node};
use super::super::walk::Lint;
use crate::primitive::Ty;

/// How many values a primitive hands to its closure, where it hands any.
const HANDED: &[(&str, usize)] = &[("retry", 1), ("parallel", 1), ("rolling", 1), ("forward", 1)];

pub(super) struct Blocks;

impl Lint for Blocks {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        let Callee::Primitive(spec) = cx.callee(call) else { return };
        for (arg, argument) in spec.args.iter().zip(&call.args) {
            if arg.ty == Ty::Block {
                let handed = HANDED.iter().find(|(name, _)| *name == spec.name).map_or(0, |(_, handed)| *handed);
                check(cx, call, argument, handed);
            }
            if let (Ty::List, Kind::List(items), 1) = (arg.ty, &argument.kind, call.args.len()) {
                for item in items {
                    check(cx, call, item, 0);
                }
            }
        }
    }
}

fn check(cx: &mut Cx<'_>, call: &Call, argument: &Node, handed: usize) {
    let Some(closure) = cx.file.tree.closure(argument) else { return };
    let takes = closure.params.len();
    if takes <= handed {
        return;
    }
    let gives = match handed {
        0 => "no values".to_owned(),
        _ => names::count(handed, "value"),
    };
    let message =
        format!("this closure takes {}, and `{}` gives it {gives}", names::count(takes, "parameter"), call.name);
    let finding = error("wrong-closure", argument.at, message);
    cx.report(if handed == 0 {
        finding.hint("a closure without parameters is written `|| …`; it sees the variables around it")
    } else {
        finding.hint("a closure sees the variables around it without taking them as parameters")
    });
}
