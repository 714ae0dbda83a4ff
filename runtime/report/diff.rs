use std::io::{Result, Write};

use serde_json::Value;

use super::runs::runs;
use super::show::plain;
use super::state::of_call;
use super::style::Paint;
use super::text::{clean, cut};
use super::{Style, elapsed};
use crate::journal::{
    Difference, RunState, ScriptChange, ScriptLine, StepChange, StepSide, ValueChange, value_changes,
};

/// Values of a step's result that are shown.
const MOST_VALUES: usize = 6;

/// Shows what is different between two runs: `-` is the first one's, `+` the second one's.
pub fn diff(out: &mut dyn Write, difference: &Difference, style: Style) -> Result<()> {
    let Difference { a, b, .. } = difference;
    runs(out, &[a.clone(), b.clone()], jiff::Timestamp::now(), style)?;
    if difference.is_empty() && difference.steps.is_empty() {
        return writeln!(out, "\nno difference");
    }
    values(out, "run", &difference.run, style)?;
    for change in &difference.scripts {
        script(out, change, (a.id, b.id), style)?;
    }
    values(out, "parameters", &difference.parameters, style)?;
    values(out, "environment", &difference.environment, style)?;
    steps(out, difference, style)?;
    values(out, "result", &difference.result, style)
}

fn heading(out: &mut dyn Write, text: &str, style: Style) -> Result<()> {
    writeln!(out, "\n{}", style.paint(Paint::Strong, text))
}

fn values(out: &mut dyn Write, title: &str, changes: &[ValueChange], style: Style) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    heading(out, title, style)?;
    for ValueChange { path, a, b } in changes {
        for (sign, value) in [('-', a), ('+', b)] {
            if let Some(value) = value {
                signed(out, sign, &named(path, value), style)?;
            }
        }
    }
    Ok(())
}

fn named(path: &str, value: &Value) -> String {
    if path.is_empty() { plain(value) } else { format!("{path}: {}", plain(value)) }
}

fn signed(out: &mut dyn Write, sign: char, text: &str, style: Style) -> Result<()> {
    let paint = if sign == '-' { Paint::Bad } else { Paint::Good };
    writeln!(out, "{}", style.paint(paint, format!("{sign} {}", clean(text)).trim_end()))
}

/// A unified difference, with the run's number where file times usually stand.
fn script(out: &mut dyn Write, change: &ScriptChange, (a, b): (i64, i64), style: Style) -> Result<()> {
    let path = clean(&change.path);
    match (change.in_a, change.in_b) {
        (true, false) => return heading(out, &format!("script {path}: only in run {a}"), style),
        (false, true) => return heading(out, &format!("script {path}: only in run {b}"), style),
        _ => heading(out, &format!("script {path}"), style)?,
    }
    writeln!(out, "--- {path} (run {a})\n+++ {path} (run {b})")?;
    for hunk in &change.hunks {
        let count = |side: fn(&ScriptLine) -> bool| hunk.lines.iter().filter(|line| !side(line)).count();
        let in_a = count(|line| matches!(line, ScriptLine::B(_)));
        let in_b = count(|line| matches!(line, ScriptLine::A(_)));
        // An empty side counts from the line before it, as `diff -u` and `patch` do.
        let (a_line, b_line) = (hunk.a_line - usize::from(in_a == 0), hunk.b_line - usize::from(in_b == 0));
        let place = format!("@@ -{a_line},{in_a} +{b_line},{in_b} @@");
        writeln!(out, "{}", style.paint(Paint::Active, &place))?;
        for line in &hunk.lines {
            let (sign, text, paint) = match line {
                ScriptLine::Both(text) => (' ', text, None),
                ScriptLine::A(text) => ('-', text, Some(Paint::Bad)),
                ScriptLine::B(text) => ('+', text, Some(Paint::Good)),
            };
            let text_line = text.strip_suffix('\n').unwrap_or(text);
            // A script's own escape sequences must not reach a terminal; a pipe gets what `patch` needs.
            let shown = format!("{sign}{}", if style.terminal { clean(text_line) } else { text_line.to_owned() });
            writeln!(out, "{}", paint.map_or_else(|| shown.clone(), |paint| style.paint(paint, &shown)))?;
            if !text.ends_with('\n') {
                writeln!(out, "\\ No newline at end of file")?;
            }
        }
    }
    Ok(())
}

fn steps(out: &mut dyn Write, difference: &Difference, style: Style) -> Result<()> {
    if difference.steps.is_empty() {
        return Ok(());
    }
    heading(out, "steps", style)?;
    let runs = (difference.a.state, difference.b.state);
    for change in &difference.steps {
        let name = change.step.join(style.pick(" › ", " > "));
        match (&change.a, &change.b) {
            (Some(a), Some(b)) => {
                writeln!(out, "~ {}{}", clean(&name), comparison(change, a, b, runs, style))?;
                if change.result_differs {
                    results(out, &value_changes(&a.result, &b.result), style)?;
                }
            }
            (Some(a), None) => signed(out, '-', &format!("{name}: {}", ended(a, runs.0)), style)?,
            (None, Some(b)) => signed(out, '+', &format!("{name}: {}", ended(b, runs.1)), style)?,
            (None, None) => {}
        }
    }
    Ok(())
}

/// What a step returned differently, value by value; a handle such as a release has hundreds.
fn results(out: &mut dyn Write, changes: &[ValueChange], style: Style) -> Result<()> {
    for ValueChange { path, a, b } in changes.iter().take(MOST_VALUES) {
        let path = if path.is_empty() { "returned" } else { path };
        for (sign, value) in [('-', a), ('+', b)] {
            if let Some(value) = value {
                let line =
                    cut(&format!("  {path}: {}", plain(value)), style.width.saturating_sub(2), style.pick("…", "..."));
                signed(out, sign, &line, style)?;
            }
        }
    }
    let more = changes.len().saturating_sub(MOST_VALUES);
    if more > 0 { writeln!(out, "    and {more} more values, all with --json") } else { Ok(()) }
}

/// `: failed in 1.2s`.
fn ended(side: &StepSide, run: RunState) -> String {
    let word = match side.changed {
        Some(false) => "unchanged",
        _ => of_call(side.state, run).0,
    };
    side.milliseconds.map_or_else(|| word.to_owned(), |time| format!("{word} in {}", elapsed(time)))
}

fn comparison(change: &StepChange, a: &StepSide, b: &StepSide, runs: (RunState, RunState), style: Style) -> String {
    let arrow = style.pick(" → ", " -> ");
    if change.state_differs {
        return format!(": {}{arrow}{}", ended(a, runs.0), ended(b, runs.1));
    }
    match (change.time_differs, a.milliseconds, b.milliseconds) {
        (true, Some(a), Some(b)) => format!(": {}{arrow}{}", elapsed(a), elapsed(b)),
        _ => String::new(),
    }
}
