//! `runbook check --fix`: the header of a runbook with everything declared that its script needs.

use std::collections::BTreeSet;

use super::needed::Needed;
use crate::policy::{Declared, Grant, line};
use crate::primitive::{Need, NeedKind, unknown_in_text, without_unknown};
use crate::script::header::Header;

/// A header that lacked something, with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The whole new text of the runbook.
    pub text: String,
    /// What was added: the entries of the new line.
    pub added: String,
    /// Where a star stands for values that only the run knows: `deploy.rhai:12`.
    pub open: Vec<String>,
}

/// The text of the runbook with what is missing declared; `None` when nothing is.
pub(super) fn complete(root: &std::path::Path, text: &str, needed: &[Needed]) -> Option<Declaration> {
    let Declared { needs, .. } = Header::parse(text).declared;
    let declared = needs.unwrap_or_default();
    let names = applications(needed);
    let mut missing: BTreeSet<Grant> = BTreeSet::new();
    let mut open = BTreeSet::new();
    for one in needed {
        let (needs, is_open) = closed(&one.need, &names);
        for need in needs.iter().filter(|need| !declared.iter().any(|grant| grant.covers(root, need, one.looks))) {
            missing.insert(Grant::of(need));
            if is_open {
                open.insert(format!("{}:{}", one.file, one.at.line));
            }
        }
    }
    if missing.is_empty() {
        return None;
    }
    let missing: Vec<Grant> = missing.into_iter().collect();
    let added = line(&missing);
    let open: Vec<String> = open.into_iter().collect();
    Some(Declaration { text: with(text, &added, &open), added, open })
}

/// What an unknown need comes to: a star for the unknown part, and for an application that is handed to a module those
/// that the script itself names.
fn closed(need: &Need, applications: &BTreeSet<String>) -> (Vec<Need>, bool) {
    if unknown_in_text(&need.what).is_none() {
        return (vec![need.clone()], false);
    }
    let starred = without_unknown(&need.what, "*");
    if need.kind == NeedKind::Docker && starred == "*" && !applications.is_empty() {
        let named = applications.iter().map(|name| Need { what: name.clone(), ..need.clone() });
        return (named.collect(), false);
    }
    let starred = match need.kind {
        NeedKind::Http if !starred.contains("://") => "*".to_owned(),
        NeedKind::Read | NeedKind::Write => starred.replace('*', "**"),
        _ => starred,
    };
    (vec![Need { what: starred, ..need.clone() }], true)
}

fn applications(needed: &[Needed]) -> BTreeSet<String> {
    let of_compose = needed.iter().filter(|one| one.call.starts_with("compose."));
    let known = of_compose.filter(|one| one.need.kind == NeedKind::Docker && unknown_in_text(&one.need.what).is_none());
    known.map(|one| one.need.what.clone()).collect()
}

/// The line stands behind the last one of its kind, else behind the header's last line, else at the top.
fn with(text: &str, added: &str, open: &[String]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let header = lines.iter().take_while(|line| line.trim_start().starts_with("//") || line.trim().is_empty()).count();
    let last = |what: &str| lines[..header].iter().rposition(|line| line.trim_start().starts_with(what));
    let at = last("//! @needs").or_else(|| last("//!")).map_or(0, |line| line + 1);
    let mut new = vec![format!("//! @needs {added}")];
    if !open.is_empty() {
        new.insert(0, format!("// A star stands for what only the run knows, in {}: narrow it.", open.join(", ")));
    }
    lines.splice(at..at, new);
    lines.join("\n") + "\n"
}
