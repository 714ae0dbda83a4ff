use std::io::{Result, Write};

use super::style::Paint;
use super::text::clean_lines;
use super::{Style, snippet};
use crate::failure::{Evidence, Failure};
use crate::primitive::Site;

/// Renders a failure: what failed, where in the script, what was seen, what to do next. Nothing in it is ever cut.
///
/// `trace` are the places in the script, innermost first, empty for an error that has none; `sources` gives the text of
/// a script by the name the places use.
pub fn failure(
    out: &mut dyn Write,
    failure: &Failure,
    trace: &[Site],
    sources: &dyn Fn(&str) -> Option<String>,
    style: Style,
) -> Result<()> {
    let label = style.paint(Paint::Bad, "error");
    writeln!(out, "{label}: {}", indented(&clean_lines(&failure.message), "       "))?;
    let places = snippet(trace, sources, style);
    if !places.is_empty() {
        writeln!(out, "{places}")?;
    }
    for item in &failure.evidence {
        writeln!(out)?;
        evidence(out, item, "", style)?;
    }
    if !failure.hints.is_empty() {
        writeln!(out)?;
    }
    for hint in &failure.hints {
        let label = style.paint(Paint::Active, "hint");
        writeln!(out, "{label}: {}", indented(&clean_lines(hint), "      "))?;
    }
    Ok(())
}

/// A title and its text, indented below it.
pub(super) fn evidence(out: &mut dyn Write, item: &Evidence, indent: &str, style: Style) -> Result<()> {
    writeln!(out, "{indent}{}:", style.paint(Paint::Strong, &clean_lines(&item.title)))?;
    let text = clean_lines(&item.text);
    let text = if text.is_empty() { "(nothing)" } else { &text };
    text.lines().try_for_each(|line| writeln!(out, "{}", format!("{indent}  {line}").trim_end()))
}

/// Continuation lines start below the first one's text.
fn indented(text: &str, indent: &str) -> String {
    text.replace('\n', &format!("\n{indent}"))
}
