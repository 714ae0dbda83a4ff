//! The lines that move: calls that run, and what they are doing.

use jiff::Timestamp;

use super::super::text::cut;
use super::super::{Style, bytes, elapsed};
use super::line;
use super::tree::{Call, Item};
use super::view::View;
use crate::primitive::Progress;

/// Totals below this count things, not bytes.
const COUNTED: u64 = 10_000;

/// How many items of one call are shown at once.
const ITEMS: usize = 8;

/// The columns of a progress bar.
const BAR: usize = 20;

/// Lines, each with whether something in it still moves, and how many were left out.
#[derive(Default)]
struct Rows {
    lines: Vec<(String, bool)>,
    left_out: usize,
}

impl View {
    /// The open part of the tree, cut to the terminal's height: what has ended makes room for what runs.
    pub(super) fn moving_tree(&self, now: Timestamp) -> Vec<String> {
        let mut rows = Rows::default();
        for root in self.tree.roots() {
            self.rows(root, &self.indent(root), now, &mut rows);
        }
        let Rows { mut lines, mut left_out } = rows;
        let limit = self.height.saturating_sub(2).max(4);
        while lines.len() > limit {
            let Some(oldest) = lines.iter().position(|(_, moving)| !moving) else { break };
            lines.remove(oldest);
            left_out += 1;
        }
        lines.truncate(limit);
        let mut lines: Vec<String> = lines.into_iter().map(|(line, _)| line).collect();
        if left_out > 0 {
            lines.insert(0, format!("  {} {left_out} more lines", self.style.pick("…", "...")));
        }
        lines
    }

    /// One line for each call that runs and has none running inside, for where the tree itself is already written.
    pub(super) fn moving_calls(&self, now: Timestamp) -> Vec<String> {
        let mut leaves = Vec::new();
        for root in self.tree.roots() {
            self.leaves(root, &mut leaves);
        }
        let narrow = Style { verbosity: super::super::Verbosity::Normal, ..self.style };
        let lines = leaves.iter().filter_map(|path| self.tree.get(path));
        let limit = self.height.saturating_sub(2).max(4);
        lines.take(limit).map(|call| line::running(call, "", &doing(call, self.style), now, narrow)).collect()
    }

    /// The paths of the calls that run and have none running inside.
    pub(super) fn leaves(&self, path: &str, leaves: &mut Vec<String>) {
        let Some(call) = self.tree.get(path).filter(|call| call.end.is_none() && self.shows(path)) else { return };
        let before = leaves.len();
        for item in &call.items {
            if let Item::Call(path) = item {
                self.leaves(path, leaves);
            }
        }
        if leaves.len() == before {
            leaves.push(path.to_owned());
        }
    }

    fn rows(&self, path: &str, indent: &str, now: Timestamp, rows: &mut Rows) {
        let Some(call) = self.tree.get(path).filter(|_| self.shows(path)) else { return };
        let moving = call.end.is_none();
        let text = if moving {
            line::running(call, indent, &doing(call, self.style), now, self.style)
        } else {
            line::finished(call, indent, self.style)
        };
        rows.lines.push((text, moving));
        let inside = format!("{indent}  ");
        if moving {
            for item in call.progress.iter().filter(|item| is_listed(item)).take(ITEMS) {
                let text = format!("{inside}{}: {}", item.item, item.doing);
                rows.lines.push((self.narrow(&text), moving));
            }
        } else if let Some(first) = call.end.as_ref().and_then(|end| end.problem.first()) {
            rows.lines.push((self.narrow(&format!("{inside}{first}")), moving));
        }
        let skipped = call.items.len().saturating_sub(self.height);
        rows.left_out += skipped;
        for item in call.items.iter().skip(skipped) {
            match item {
                Item::Call(path) => self.rows(path, &inside, now, rows),
                Item::Line(stream, text) => {
                    let text = line::logged(*stream, text, &inside, Style { color: false, ..self.style });
                    rows.lines.push((self.narrow(&text), false));
                }
            }
        }
    }

    fn narrow(&self, text: &str) -> String {
        cut(text, self.style.columns(), self.style.pick("…", "..."))
    }
}

/// Items with a total are added up in the bar; the others stand below the call.
fn is_listed(item: &Progress) -> bool {
    item.total.is_none() && !item.item.is_empty()
}

/// What a call is doing: its own words, a bar over everything that has a total, and how long it still takes.
pub(super) fn doing(call: &Call, style: Style) -> String {
    let own = call.progress.iter().find(|item| item.item.is_empty()).map_or("", |item| item.doing.as_str());
    let (mut current, mut total) = (0, 0);
    for item in &call.progress {
        if let Some(of) = item.total.filter(|of| *of > 0) {
            total += of;
            current += item.current.unwrap_or(0).min(of);
        }
    }
    if total == 0 {
        let so_far = call.progress.iter().find(|item| item.item.is_empty()).and_then(|item| item.current);
        return so_far.map_or_else(|| own.to_owned(), |so_far| format!("{own} {}", bytes(so_far)));
    }
    let counted = call.progress.iter().find(|item| item.total.is_some() && !item.doing.is_empty());
    let own = if own.is_empty() { counted.map_or("", |item| item.doing.as_str()) } else { own };
    let amount = if total < COUNTED { format!("{current}/{total}") } else { transferred(current, total) };
    let longest = call.progress.iter().filter_map(|item| item.seconds_left).max();
    let left = longest.map_or_else(String::new, |seconds| format!(", {} left", elapsed(seconds * 1000)));
    format!("{own} {} {amount}{left}", bar(current, total, style)).trim_start().to_owned()
}

/// `90.0 of 120.0 MiB`: the unit once when it is the same.
fn transferred(current: u64, total: u64) -> String {
    let (current, total) = (bytes(current), bytes(total));
    let unit = total.rsplit(' ').next().unwrap_or_default();
    format!("{} of {total}", current.strip_suffix(unit).unwrap_or(&current).trim_end())
}

fn bar(current: u64, total: u64, style: Style) -> String {
    let done = usize::try_from(current.saturating_mul(BAR as u64) / total.max(1)).unwrap_or(0).min(BAR);
    let (full, empty) = (style.pick("━", "#"), style.pick("╌", "."));
    format!("{}{}", full.repeat(done), empty.repeat(BAR - done))
}
