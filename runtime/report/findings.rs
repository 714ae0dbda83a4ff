//! What `check` found: with source lines and carets for people, as JSON and as SARIF for programs.

mod sarif;

use std::io::{Result, Write};
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::Style;
use crate::failure::{Finding, Findings, Severity};

pub use sarif::findings_sarif;

/// Shows findings to a person: file, line and column, the source line with a caret, what to do, and a count.
pub fn findings(out: &mut dyn Write, report: &Findings, style: Style) -> Result<()> {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(style.width).decor_style(DecorStyle::Ascii);
    for finding in &report.findings {
        let source = report.files.get(&finding.file).map_or("", String::as_str);
        writeln!(out, "{}\n", renderer.render(&[group(finding, source)]).trim_end())?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "{}", summary(report))?;
    }
    Ok(())
}

/// Findings as one JSON object: `findings`, `errors`, `warnings`, and the version of this form.
pub fn findings_json(report: &Findings) -> Value {
    let (errors, warnings) = counts(report);
    json!({ "version": 1, "errors": errors, "warnings": warnings, "findings": report.findings })
}

fn group<'a>(finding: &'a Finding, source: &'a str) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = match &finding.environment {
        Some(environment) => format!("{} (environment `{environment}`)", finding.message),
        None => finding.message.clone(),
    };
    let group = level.primary_title(title).id(finding.code);
    let group = match marked(finding, source) {
        Some(span) => {
            let snippet = Snippet::source(source).path(&finding.file);
            group.element(snippet.annotation(AnnotationKind::Primary.span(span)))
        }
        None => group.element(Origin::path(&finding.file).line(finding.line).char_column(finding.column)),
    };
    group.elements(finding.hints.iter().map(|hint| Level::HELP.with_name("hint").message(hint)))
}

/// The bytes a finding marks; `None` when the text has no such place.
fn marked(finding: &Finding, source: &str) -> Option<Range<usize>> {
    let line = source.split_inclusive('\n').nth(finding.line.checked_sub(1)?)?;
    let start: usize = source.split_inclusive('\n').take(finding.line - 1).map(str::len).sum();
    let line = line.trim_end_matches(['\n', '\r']);
    let offset = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(offset, _)| offset);
    let from = offset(finding.column.saturating_sub(1));
    let to = offset(finding.column.saturating_sub(1) + finding.length).max(from);
    Some(start + from..start + to)
}

fn counts(report: &Findings) -> (usize, usize) {
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    (errors, report.findings.len() - errors)
}

fn summary(report: &Findings) -> String {
    let count = |number: usize, noun: &str| match number {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{number} {noun}s")),
    };
    let (errors, warnings) = counts(report);
    let counts: Vec<String> = [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    counts.join(", ")
}
