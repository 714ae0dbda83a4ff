//! Which variables the compose files name, and which of them have no value.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

use crate::primitives::compose::app::App;
use crate::primitives::schema::Variables;

/// `$NAME` and `${NAME…}`; what follows the name inside the braces decides whether a value is needed.
#[allow(clippy::expect_used)] // a literal that every test run compiles
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$(?:\$|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>[^}]*)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*))")
        .expect("a valid expression")
});

/// The variables that have no value and no default, each with its first place. Those that are empty on purpose are only
/// odd.
pub(super) fn unset(app: &App<'_>, files: &[PathBuf], values: &Variables, empty: &mut Vec<String>) -> Vec<String> {
    let (mut problems, mut seen) = (Vec::new(), BTreeSet::new());
    for file in files {
        let shown = app.shown(file);
        for (line, name) in needed(&std::fs::read_to_string(file).unwrap_or_default()) {
            if name == "COMPOSE_PROJECT_NAME" || !seen.insert(name.clone()) {
                continue;
            }
            match values.of.get(&name) {
                None => problems.push(format!("{shown}:{line}: the variable `{name}` is not set and has no default")),
                Some((value, place)) if value.is_empty() => {
                    empty.push(format!("{place}: `{name}` is empty, and {shown}:{line} uses it"));
                }
                Some(_) => {}
            }
        }
    }
    problems
}

/// Line and name of every reference that needs a value.
fn needed(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = without_comment(line);
        for reference in REFERENCE.captures_iter(code) {
            let operator = reference.name("operator").map_or("", |operator| operator.as_str());
            // A default (`-`, `:-`) or a value instead (`+`) needs none; `?` is an error that loading tells.
            if !operator.is_empty() {
                continue;
            }
            if let Some(name) = reference.name("braced").or_else(|| reference.name("plain")) {
                found.push((index + 1, name.as_str().to_owned()));
            }
        }
    }
    found
}

/// A `#` at the start of a line or after a space begins a comment. Inside quotes it does not.
fn without_comment(line: &str) -> &str {
    let (mut quote, mut before) = (None, ' ');
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return &line[..at],
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        before = c;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_need_a_value_are_found_with_their_lines() {
        let text =
            "a: ${ONE}\n# b: ${COMMENT}\nc: \"$TWO # ${THREE}\" # ${NO}\nd: $${FOUR} ${FIVE:-5} ${SIX?} ${SEVEN+x}\n";
        let found: Vec<(usize, String)> = needed(text);
        let expected = [(1, "ONE"), (3, "TWO"), (3, "THREE")];
        assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    }
}
