//! The reference page lists every lint there is, and no other.

use std::path::Path;

use runbook::script::check::RULES;

#[test]
fn the_reference_lists_every_lint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/check.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, lints) = page.split_once("## Lints").unwrap();
    let rows: Vec<&str> = lints.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        RULES.iter().map(|rule| format!("| `{}` | {} {} |", rule.code, rule.summary, rule.help)).collect();
    assert!(rows == expected, "the table of docs/reference/check.md should be:\n{}", expected.join("\n"));
}

#[test]
fn lints_are_in_the_order_of_their_names() {
    let names: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}
