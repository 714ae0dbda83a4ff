use std::collections::HashSet;
use std::io::{Result, Write};

use serde::Serialize;
use serde_json::Value;

use super::state::{clock, mark, of_call, of_run};
use super::style::Paint;
use super::text::{clean, columns, cut};
use super::{Style, elapsed, failure, outcome, standing};
use crate::journal::{CallRecord, CallState, Interruption, RunRecord, RunState, Source, around};
use crate::primitive::{Effect, Failure};

/// Times stand in a column of their own, but not further right than the eye follows.
const WIDEST: usize = 100;

/// A run with everything there is to show about it.
#[derive(Serialize)]
pub struct Details<'a> {
    /// The run.
    #[serde(flatten)]
    pub run: &'a RunRecord,
    /// When it stood still, and who went on with it.
    pub interruptions: &'a [Interruption],
    /// Its scripts.
    pub sources: &'a [Source],
    /// Its calls.
    pub calls: &'a [CallRecord],
}

/// Shows one run: what it was, its steps with times, and why it failed. With `all`, every call.
pub fn show(out: &mut dyn Write, details: &Details<'_>, all: bool, style: Style) -> Result<()> {
    let Details { run, interruptions, sources, calls } = details;
    header(out, run, interruptions, sources, style)?;
    let rows = rows(calls, all, run.state != RunState::Running);
    if !rows.is_empty() {
        writeln!(out)?;
    }
    for (depth, call) in rows {
        row(out, depth, call, run, style)?;
    }
    if let Some(blocks) = run.undo_blocks {
        let blocks = if blocks == 1 { "1 undo block".to_owned() } else { format!("{blocks} undo blocks") };
        writeln!(out, "\nafter the failure {blocks} ran")?;
    }
    if let Some(reason) = &run.failure {
        writeln!(out)?;
        let text = |path: &str| sources.iter().find(|source| source.path == path).map(|source| source.text.clone());
        failure(out, reason, &run.trace, &text, style)?;
    }
    if let Some(advice) = standing::advice(run) {
        write!(out, "{advice}")?;
    }
    Ok(())
}

fn header(
    out: &mut dyn Write,
    run: &RunRecord,
    interruptions: &[Interruption],
    sources: &[Source],
    style: Style,
) -> Result<()> {
    let heading = format!("run {}: {} on {}", run.id, clean(&run.runbook), clean(&run.environment));
    writeln!(out, "{}", style.paint(Paint::Strong, &heading))?;
    if !run.title.is_empty() {
        writeln!(out, "{}", clean(&run.title))?;
    }
    writeln!(out)?;
    let mut fact = |name: &str, value: &str| writeln!(out, "{}", format!("{name:<12} {value}").trim_end());
    fact("state", &outcome(run, style))?;
    fact("started", &format!("{} by {}", clock(run.started_at), clean(&run.started_by)))?;
    for interruption in interruptions {
        let (state, _) = of_run(interruption.state);
        fact("stood still", &format!("{}, {state}", clock(interruption.at)))?;
        if let Some((at, by)) = &interruption.ended {
            fact("went on", &format!("{} by {}", clock(*at), clean(by)))?;
        }
    }
    if let Some(revision) = &run.revision {
        fact("revision", &clean(revision))?;
    }
    if let Some(from) = run.from_run {
        fact("version of", &format!("run {from}"))?;
    }
    for (place, source) in sources.iter().skip(1).enumerate() {
        fact(if place == 0 { "modules" } else { "" }, &clean(&source.path))?;
    }
    for (place, (name, value)) in run.parameters.as_object().into_iter().flatten().enumerate() {
        fact(if place == 0 { "parameters" } else { "" }, &clean(&format!("{name}: {}", plain(value))))?;
    }
    if run.state == RunState::Ok && !run.result.is_null() {
        fact("result", &cut(&clean(&plain(&run.result)), style.width.saturating_sub(13), style.pick("…", "...")))?;
    }
    Ok(())
}

/// What to show, in order, with how deep it stands.
///
/// Steps, calls outside of steps, and whatever did not end well, unless everything is asked for. Branches of a
/// `parallel` are kept together although their calls started in turns.
fn rows(calls: &[CallRecord], all: bool, over: bool) -> Vec<(usize, &CallRecord)> {
    let steps: HashSet<&str> = calls.iter().filter(|call| call.is_step()).map(|call| call.path.as_str()).collect();
    let wanted = |call: &&CallRecord| {
        let is_done = call.state == CallState::Done || (call.state == CallState::Started && !over);
        let is_inside = around(&call.path).skip(1).any(|path| steps.contains(path));
        let is_arranging = call.effect == Effect::Flow && !call.is_step() && call.name != "lock";
        all || call.is_step() || !is_done || !(is_inside || is_arranging)
    };
    let mut shown: Vec<&CallRecord> = calls.iter().filter(wanted).collect();
    shown.sort_by_cached_key(|call| order(&call.path, calls));
    let paths: HashSet<&str> = shown.iter().map(|call| call.path.as_str()).collect();
    let depth = |call: &CallRecord| around(&call.path).skip(1).filter(|path| paths.contains(path)).count();
    shown.into_iter().map(|call| (depth(call), call)).collect()
}

/// Paths by number; behind the script's own calls the undo blocks and then the always blocks, in the order they ran in.
fn order(path: &str, calls: &[CallRecord]) -> Vec<usize> {
    let number = |part: &str| part.parse().unwrap_or(usize::MAX);
    let parts = path.split('.');
    let kind = match path.split('.').next() {
        Some("undo") => 1,
        Some("always") => 2,
        _ => return std::iter::once(0).chain(parts.map(number)).collect(),
    };
    let block: Vec<&str> = parts.clone().take(2).collect();
    let block = block.join(".");
    let began = calls.iter().position(|call| call.path == block).unwrap_or(usize::MAX);
    [kind, began].into_iter().chain(parts.skip(2).map(number)).collect()
}

fn row(out: &mut dyn Write, depth: usize, call: &CallRecord, run: &RunRecord, style: Style) -> Result<()> {
    let width = style.width.min(WIDEST);
    let indent = "  ".repeat(depth.min(width / 8));
    let said_below = |failure: &Failure| run.failure.as_ref().is_some_and(|other| other.message == failure.message);
    let time = call.milliseconds.map(elapsed).unwrap_or_default();
    let note = match (&call.failure, &call.note, call.state) {
        (Some(failure), ..) if said_below(failure) => String::new(),
        (Some(failure), ..) => clean(&failure.message),
        (None, Some(note), _) => clean(note),
        (None, None, CallState::Done) => String::new(),
        (None, None, state) => of_call(state, run.state).0.to_owned(),
    };
    let note = if note.is_empty() { note } else { format!("{}{note}", style.pick(" — ", " - ")) };
    let ellipsis = style.pick("…", "...");
    let room = width.saturating_sub(indent.len() + 2 + columns(&time) + 2);
    let title = cut(&clean(&call.title), room.saturating_sub(columns(&note).min(room / 5 * 3)), ellipsis);
    let note = cut(&note, room.saturating_sub(columns(&title)), ellipsis);
    let gap = (width.saturating_sub(indent.len() + 2 + columns(&title) + columns(&note) + columns(&time))).max(2);
    let title = if call.is_step() { style.paint(Paint::Strong, &title) } else { title };
    let line = format!(
        "{indent}{} {title}{}{}{}",
        mark(call, run.state, style),
        style.paint(Paint::Faint, &note),
        " ".repeat(gap),
        style.paint(Paint::Faint, &time)
    );
    writeln!(out, "{}", line.trim_end())
}

/// A value as people write it: strings without quotes, the rest as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
