//! `$VAR` and `${VAR…}` in values, as Compose reads them.

use std::collections::BTreeSet;

use super::node::{Content, Node, Path};
use super::problem::{Problem, Problems};

/// Defaults inside defaults.
const DEPTH_LIMIT: usize = 20;

/// Why a text cannot be substituted.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// `${VAR:?message}` and the variable has no value.
    Required { variable: String, message: String },
    /// `${` without a name or without its end.
    Malformed { at: String },
}

/// Replaces the variables of a text. `unset` is told the name of each variable that has no value and no default.
pub fn substitute(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    unset: &mut dyn FnMut(&str),
) -> Result<String, Fault> {
    nested(text, lookup, unset, 0)
}

fn nested(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    unset: &mut dyn FnMut(&str),
    depth: usize,
) -> Result<String, Fault> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inside) = after.strip_prefix('{') {
            let malformed = || Fault::Malformed { at: excerpt(&rest[dollar..]) };
            let end = closing_brace(inside).ok_or_else(malformed)?;
            let expression = &inside[..end];
            let (name, operator) = expression.split_at(name_length(expression));
            if name.is_empty() || depth == DEPTH_LIMIT {
                return Err(malformed());
            }
            out.push_str(&braced(name, operator, lookup, unset, depth)?.ok_or_else(malformed)?);
            rest = &inside[end + 1..];
        } else {
            let (name, tail) = after.split_at(name_length(after));
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&value_or_blank(name, lookup, unset));
            }
            rest = tail;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Substitutes every text below a node. What cannot be substituted becomes invalid, and a problem.
pub fn tree(
    node: &mut Node,
    path: &Path,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &Problems,
    warned: &mut BTreeSet<String>,
) {
    match &mut node.content {
        Content::Text(text) if text.contains('$') => {
            let mut unset = |name: &str| {
                if warned.insert(name.to_owned()) {
                    let message = format!("the variable `{name}` is not set, so it is replaced by nothing");
                    problems.warn(Problem::at(&node.mark, path, message));
                }
            };
            match substitute(text, lookup, &mut unset) {
                Ok(new) => *text = new,
                Err(fault) => {
                    problems.error(explain(fault, node, path));
                    node.content = Content::Invalid;
                }
            }
        }
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                tree(item, &path.index(index), lookup, problems, warned);
            }
        }
        Content::Map(map) => {
            for entry in &mut map.0 {
                tree(&mut entry.value, &path.key(&entry.key), lookup, problems, warned);
            }
        }
        _ => {}
    }
}

fn explain(fault: Fault, node: &Node, path: &Path) -> Problem {
    match fault {
        Fault::Required { variable, message } if message.is_empty() => {
            Problem::at(&node.mark, path, format!("the variable `{variable}` is required and has no value"))
                .hint(format!("set {variable} in the environment file"))
        }
        Fault::Required { variable, message } => {
            Problem::at(&node.mark, path, format!("the variable `{variable}` is required and has no value: {message}"))
                .hint(format!("set {variable} in the environment file"))
        }
        Fault::Malformed { at } => Problem::at(&node.mark, path, format!("`{at}` is not a variable"))
            .hint("write `${NAME}`, or `$${` for the text itself"),
    }
}

/// `None` when the operator is not one.
fn braced(
    name: &str,
    operator: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    unset: &mut dyn FnMut(&str),
    depth: usize,
) -> Result<Option<String>, Fault> {
    if operator.is_empty() {
        return Ok(Some(value_or_blank(name, lookup, unset)));
    }
    let (needs_text, operator) = match operator.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, operator),
    };
    let value = lookup(name);
    let present = value.as_ref().is_some_and(|value| !needs_text || !value.is_empty());
    let argument = operator.get(1..).unwrap_or_default();
    Ok(Some(match (operator.chars().next(), present) {
        (Some('-'), false) | (Some('+'), true) => nested(argument, lookup, unset, depth + 1)?,
        (Some('-' | '?'), true) | (Some('+'), false) => value.unwrap_or_default(),
        (Some('?'), false) => {
            let message = nested(argument, lookup, unset, depth + 1)?;
            return Err(Fault::Required { variable: name.to_owned(), message });
        }
        _ => return Ok(None),
    }))
}

fn value_or_blank(name: &str, lookup: &dyn Fn(&str) -> Option<String>, unset: &mut dyn FnMut(&str)) -> String {
    lookup(name).unwrap_or_else(|| {
        unset(name);
        String::new()
    })
}

fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Where the brace that is already open is closed, nested ones counted.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 1;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(30) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
