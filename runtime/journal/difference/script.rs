use serde::Serialize;

use crate::journal::Source;

/// Unchanged lines shown before and after a change.
const CONTEXT: usize = 3;
/// Pairs of lines up to which the shortest difference is looked for: 2,000 changed lines on both sides, and 16 MiB.
const LARGEST_TABLE: usize = 4_000_000;

/// A script or module that two runs do not share.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptChange {
    /// Its path.
    pub path: String,
    /// Has run `a` got it?
    pub in_a: bool,
    /// Has run `b` got it?
    pub in_b: bool,
    /// Where the texts differ; empty when only one has it.
    pub hunks: Vec<Hunk>,
}

/// A stretch of lines with changes in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hunk {
    /// Its first line in `a`, from 1.
    pub a_line: usize,
    /// Its first line in `b`, from 1.
    pub b_line: usize,
    /// Its lines.
    pub lines: Vec<ScriptLine>,
}

/// A line of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "in", content = "text", rename_all = "snake_case")]
pub enum ScriptLine {
    /// In both.
    Both(String),
    /// Only in `a`.
    A(String),
    /// Only in `b`.
    B(String),
}

/// The scripts that differ: those of `a` in their order, then those that only `b` has.
pub(super) fn changes(a: &[Source], b: &[Source]) -> Vec<ScriptChange> {
    let find = |sources: &[Source], path: &str| sources.iter().find(|source| source.path == path).cloned();
    let only_in_b = b.iter().filter(|source| find(a, &source.path).is_none());
    let mut changes = Vec::new();
    for path in a.iter().chain(only_in_b).map(|source| source.path.clone()) {
        let (in_a, in_b) = (find(a, &path), find(b, &path));
        let hunks = match (&in_a, &in_b) {
            (Some(a), Some(b)) if a.text == b.text => continue,
            (Some(a), Some(b)) => hunks(&a.text, &b.text),
            _ => Vec::new(),
        };
        changes.push(ScriptChange { path, in_a: in_a.is_some(), in_b: in_b.is_some(), hunks });
    }
    changes
}

/// The differing stretches of two texts.
fn hunks(a: &str, b: &str) -> Vec<Hunk> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split_inclusive('\n').collect(), b.split_inclusive('\n').collect());
    let lines = edits(&a, &b);
    let is_change = |line: &ScriptLine| !matches!(line, ScriptLine::Both(_));
    let mut hunks: Vec<Hunk> = Vec::new();
    let (mut a_line, mut b_line, mut place) = (1, 1, 0);
    while let Some(first) = lines[place..].iter().position(is_change).map(|offset| place + offset) {
        let start = first.saturating_sub(CONTEXT).max(place);
        let mut end = first + 1;
        // Two changes with less than two contexts between them share a hunk.
        while let Some(gap) = lines[end..].iter().position(is_change).filter(|gap| *gap <= 2 * CONTEXT) {
            end += gap + 1;
        }
        let end = (end + CONTEXT).min(lines.len());
        advance(&lines[place..start], &mut a_line, &mut b_line);
        hunks.push(Hunk { a_line, b_line, lines: lines[start..end].to_vec() });
        advance(&lines[start..end], &mut a_line, &mut b_line);
        place = end;
    }
    hunks
}

fn advance(lines: &[ScriptLine], a_line: &mut usize, b_line: &mut usize) {
    for line in lines {
        *a_line += usize::from(!matches!(line, ScriptLine::B(_)));
        *b_line += usize::from(!matches!(line, ScriptLine::A(_)));
    }
}

/// The whole of both texts, line by line, with as few changes as possible.
fn edits(a: &[&str], b: &[&str]) -> Vec<ScriptLine> {
    let before = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a_rest, b_rest) = (&a[before..], &b[before..]);
    let after = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (a_middle, b_middle) = (&a_rest[..a_rest.len() - after], &b_rest[..b_rest.len() - after]);
    let both = |lines: &[&str]| lines.iter().map(|line| ScriptLine::Both((*line).to_owned())).collect::<Vec<_>>();
    let mut lines = both(&a[..before]);
    lines.extend(shortest(a_middle, b_middle));
    lines.extend(both(&a_rest[a_rest.len() - after..]));
    lines
}

/// The lines of both with as few changes as possible: a table of the longest common part from every pair of places on.
fn shortest(a: &[&str], b: &[&str]) -> Vec<ScriptLine> {
    let (a_line, b_line) = (|x: usize| ScriptLine::A(a[x].to_owned()), |y: usize| ScriptLine::B(b[y].to_owned()));
    if a.len().saturating_mul(b.len()) > LARGEST_TABLE {
        return (0..a.len()).map(a_line).chain((0..b.len()).map(b_line)).collect();
    }
    let width = b.len() + 1;
    let mut common = vec![0u32; (a.len() + 1) * width];
    for x in (0..a.len()).rev() {
        for y in (0..b.len()).rev() {
            common[x * width + y] = if a[x] == b[y] {
                common[(x + 1) * width + y + 1] + 1
            } else {
                common[(x + 1) * width + y].max(common[x * width + y + 1])
            };
        }
    }
    let (mut x, mut y) = (0, 0);
    let mut lines = Vec::new();
    while x < a.len() || y < b.len() {
        if x < a.len() && y < b.len() && a[x] == b[y] {
            lines.push(ScriptLine::Both(a[x].to_owned()));
            (x, y) = (x + 1, y + 1);
        } else if y == b.len() || (x < a.len() && common[(x + 1) * width + y] >= common[x * width + y + 1]) {
            lines.push(a_line(x));
            x += 1;
        } else {
            lines.push(b_line(y));
            y += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &str, b: &str) -> Vec<String> {
        let mut shown = Vec::new();
        for hunk in hunks(a, b) {
            shown.push(format!("@{},{}", hunk.a_line, hunk.b_line));
            shown.extend(hunk.lines.iter().map(|line| match line {
                ScriptLine::Both(text) => format!(" {}", text.trim_end()),
                ScriptLine::A(text) => format!("-{}", text.trim_end()),
                ScriptLine::B(text) => format!("+{}", text.trim_end()),
            }));
        }
        shown
    }

    #[test]
    fn a_changed_line_is_shown_with_three_lines_around_it() {
        let a = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let b = a.replace('5', "five");
        assert_eq!(shown(a, &b), ["@2,2", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"]);
    }

    #[test]
    fn changes_far_apart_stand_in_hunks_of_their_own() {
        let a = (1..=30).map(|n| n.to_string()).collect::<Vec<_>>().join("\n") + "\n";
        let b = format!("0\n{}", a.replace("30\n", ""));
        assert_eq!(shown(&a, &b), ["@1,1", "+0", " 1", " 2", " 3", "@27,28", " 27", " 28", " 29", "-30"]);
    }

    #[test]
    fn a_missing_last_line_end_is_a_difference() {
        assert_eq!(shown("a\nb", "a\nb\n"), ["@1,1", " a", "-b", "+b"]);
    }

    #[test]
    fn the_fewest_changes_are_found() {
        let lines = |text: &str| text.chars().flat_map(|c| [c, '\n']).collect::<String>();
        let (a, b) = (lines("abcabba"), lines("cbabac"));
        let changes = shown(&a, &b).iter().filter(|line| line.starts_with(['-', '+'])).count();
        assert_eq!(changes, 5);
    }
}
