//! Imports that lead nowhere, leave the project or go in a circle, and modules that do something when imported.

use std::collections::BTreeSet;

use super::super::cx::Cx;
use super::super::finding::{Details, error};
use super::super::program::Program;
use super::super::tree::{Kind, Statement, StatementKind};
use super::super::walk::Lint;
use crate::failure::nearest;

pub(super) struct Imports;

impl Lint for Imports {
    fn file(&mut self, cx: &mut Cx<'_>) {
        let file = cx.file;
        for import in &file.imports {
            if let Err((message, hints)) = &import.target {
                let mut finding = error("missing-import", import.at, message.clone());
                if import.written.starts_with("std/") {
                    let modules = crate::script::library::standard_modules();
                    if let Some(near) = nearest(&import.written, modules) {
                        finding = finding.hint(format!("did you mean \"{near}\"?")).replace(format!("\"{near}\""));
                        cx.report(finding);
                        continue;
                    }
                }
                for hint in hints {
                    finding = finding.hint(hint.clone());
                }
                cx.report(finding);
            } else if let Ok(target) = &import.target
                && let Some(circle) = circle(cx.program, target, &file.path)
            {
                let message = format!("modules import each other in a circle: {}", circle.join(" → "));
                let finding = error("import-circle", import.at, message);
                cx.report(finding.hint("move what both need into a third module"));
            }
        }
        if file.path != cx.program.runbook {
            top_level_code(cx, &file.tree.body);
        }
    }

    fn statement(&mut self, cx: &mut Cx<'_>, statement: &Statement) {
        if let StatementKind::Import { path, .. } = &statement.kind
            && !matches!(path.kind, Kind::Text(_))
        {
            let finding = error("computed-import", path.at, "an import path is a literal string");
            cx.report(finding.hint("everything a run executes is read before it starts"));
        }
    }
}

/// The way from `from` back to `to`, when there is one.
fn circle(program: &Program, from: &str, to: &str) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![to.to_owned(), from.to_owned()]];
    while let Some(way) = open.pop() {
        let last = way.last()?.clone();
        if last == to {
            return Some(way);
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        let Some(file) = program.files.get(&last) else { continue };
        for target in file.imports.iter().filter_map(|import| import.target.as_ref().ok()) {
            let mut longer = way.clone();
            longer.push(target.clone());
            open.push(longer);
        }
    }
    None
}

fn top_level_code(cx: &mut Cx<'_>, statements: &[Statement]) {
    let first = statements.iter().find(|statement| match &statement.kind {
        StatementKind::Import { .. } | StatementKind::Export { .. } | StatementKind::Nothing => false,
        StatementKind::Let { constant, .. } => !constant,
        _ => true,
    });
    if let Some(statement) = first {
        let message = "a module holds functions and constants; this would run whenever it is imported";
        let finding = error("code-in-module", statement.at, message);
        cx.report(finding.hint("put it into a function and call that from the runbook"));
    }
}
