//! How a call reads as one line.

use jiff::Timestamp;
use serde_json::Value;

use super::super::style::Paint;
use super::super::text::{clean, columns, cut};
use super::super::{Style, Verbosity, elapsed};
use super::tree::{Call, Kind};
use crate::journal::CallState;
use crate::primitive::LogStream;

/// Times stand in a column of their own, but not further right than the eye follows.
const WIDEST: usize = 100;

/// What a call did, readable without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Began.
    Open,
    /// Went well.
    Done,
    /// Found everything as it should be.
    Unchanged,
    /// Failed.
    Failed,
    /// Was told to stop.
    Cancelled,
}

impl Mark {
    pub(super) fn of(call: &Call) -> Self {
        match call.end.as_ref().map(|end| (end.state, end.changed)) {
            None | Some((CallState::Started, _)) => Self::Open,
            Some((CallState::Done, Some(false))) => Self::Unchanged,
            Some((CallState::Done, _)) => Self::Done,
            Some((CallState::Failed, _)) => Self::Failed,
            Some((CallState::Cancelled, _)) => Self::Cancelled,
        }
    }

    pub(super) fn show(self, style: Style) -> String {
        match self {
            Self::Open => style.paint(Paint::Active, style.pick("▸", ">")),
            Self::Done => style.paint(Paint::Good, style.pick("✓", "+")),
            Self::Unchanged => style.paint(Paint::Faint, "="),
            Self::Failed => style.paint(Paint::Bad, style.pick("✗", "x")),
            Self::Cancelled => style.paint(Paint::Warning, "-"),
        }
    }
}

/// `  ✓ compose.pull shop — 2 pulled                     8.1s`, never wider than the style allows.
///
/// `indent` is everything before the mark; it is not cut.
pub(super) fn finished(call: &Call, indent: &str, style: Style) -> String {
    let end = call.end.as_ref();
    let note = end.map_or_else(String::new, |end| match (&end.note, end.state, end.changed) {
        (_, CallState::Cancelled, _) => "cancelled".into(),
        (Some(note), ..) => clean(note),
        (None, _, Some(false)) => "unchanged".into(),
        (None, ..) => String::new(),
    });
    let time = end.map(|end| elapsed(end.milliseconds));
    row(indent, &Mark::of(call).show(style), call, &note, &time.unwrap_or_default(), style)
}

/// The line above what happens inside a call.
pub(super) fn opened(call: &Call, indent: &str, style: Style) -> String {
    row(indent, &Mark::Open.show(style), call, "", "", style)
}

/// A call that runs: what it is doing, and for how long.
pub(super) fn running(call: &Call, indent: &str, doing: &str, now: Timestamp, style: Style) -> String {
    let milliseconds = u64::try_from(now.duration_since(call.started).as_millis()).unwrap_or(0);
    let frames: &[&str] = if style.unicode {
        &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]
    } else {
        &["|", "/", "-", "\\"]
    };
    let frame = usize::try_from(milliseconds / 100).unwrap_or(0) % frames.len();
    row(indent, &style.paint(Paint::Active, frames[frame]), call, doing, &elapsed(milliseconds), style)
}

/// A call that runs, where nothing is redrawn.
pub(super) fn waiting(call: &Call, indent: &str, doing: &str, now: Timestamp, style: Style) -> String {
    let milliseconds = u64::try_from(now.duration_since(call.started).as_millis()).unwrap_or(0);
    let doing = if doing.is_empty() { "still running" } else { doing };
    row(indent, &style.paint(Paint::Active, "~"), call, doing, &elapsed(milliseconds), style)
}

/// A line of `info`, `warn` or of a command.
pub(super) fn logged(stream: LogStream, line: &str, indent: &str, style: Style) -> String {
    let line = clean(line);
    match stream {
        LogStream::Info => format!("{indent}info: {line}"),
        LogStream::Warn => format!("{indent}{}: {line}", style.paint(Paint::Warning, "warning")),
        LogStream::Stdout | LogStream::Stderr => format!("{indent}{}", style.paint(Paint::Faint, &format!("| {line}"))),
    }
    .trim_end()
    .to_owned()
}

/// `tag: v1.4.2, keep: 7`.
pub(super) fn parameters(parameters: &Value) -> Option<String> {
    let shown = parameters.as_object()?.iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name}: {}", clean(&value))
    });
    let shown: Vec<String> = shown.collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// `command: ["alembic","upgrade"], timeout: "5m"`; closures and the handle itself say nothing.
pub(super) fn arguments(arguments: &Value) -> Option<String> {
    let shown: Vec<String> = arguments
        .as_object()?
        .iter()
        .filter(|(name, value)| *name != "on" && value.as_str() != Some("|| …"))
        .map(|(name, value)| format!("{name}: {}", clean(&value.to_string())))
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

fn row(indent: &str, mark: &str, call: &Call, note: &str, time: &str, style: Style) -> String {
    let verbose = style.verbosity == Verbosity::Verbose;
    let width = if verbose { usize::MAX } else { style.columns().min(WIDEST) };
    let ellipsis = style.pick("…", "...");
    let dash = style.pick(" — ", " - ");
    let time_room = if time.is_empty() { 0 } else { columns(time) + 2 };
    let room = width.saturating_sub(columns(indent) + 2 + time_room);
    let note_room = if note.is_empty() { 0 } else { (columns(dash) + columns(note)).min(room / 5 * 3) };
    let title = cut(&call.title, room - note_room, ellipsis);
    let note = if note.is_empty() {
        String::new()
    } else {
        let free = room.saturating_sub(columns(&title) + columns(dash));
        format!("{dash}{}", cut(note, free, ellipsis))
    };
    let used = columns(indent) + 2 + columns(&title) + columns(&note);
    let gap = style.columns().min(WIDEST).saturating_sub(used + columns(time)).max(2);
    let title = if call.kind == Kind::Call { title } else { style.paint(Paint::Strong, &title) };
    let line = format!("{indent}{mark} {title}{}", style.paint(Paint::Faint, &note));
    if time.is_empty() {
        return line;
    }
    format!("{line}{}{}", " ".repeat(gap), style.paint(Paint::Faint, time))
}
