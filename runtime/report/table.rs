//! Rows in columns that fit the width there is.

use std::io::{Result, Write};

use super::Style;
use super::style::Paint;
use super::text::{columns, cut};

/// Columns between two columns.
const GAP: usize = 2;

/// How a column is set.
#[derive(Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    right: bool,
    /// The width down to which its texts may be cut; none for texts that are never cut.
    least: Option<usize>,
}

impl Column {
    /// Words, never cut.
    pub(super) const fn text(title: &'static str) -> Self {
        Self { title, right: false, least: None }
    }

    /// Numbers, set flush right and never cut.
    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, right: true, least: None }
    }

    /// Words that may be cut, but not below `least` columns.
    pub(super) const fn cuttable(title: &'static str, least: usize) -> Self {
        Self { title, right: false, least: Some(least) }
    }
}

/// A text and its colour.
pub(super) type Cell = (String, Option<Paint>);

/// Writes the rows under their titles; when they are too wide, the widest column that may be cut gives way first.
pub(super) fn table(out: &mut dyn Write, set: &[Column], rows: &[Vec<Cell>], style: Style) -> Result<()> {
    let widths = widths(set, rows, style.width);
    let titles: Vec<Cell> = set.iter().map(|column| (column.title.to_owned(), Some(Paint::Strong))).collect();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for (place, ((column, width), (text, paint))) in set.iter().zip(&widths).zip(row).enumerate() {
            let text = cut(text, *width, style.pick("…", "..."));
            let space = " ".repeat(width - columns(&text));
            let text = paint.map_or_else(|| text.clone(), |paint| style.paint(paint, &text));
            let gap = if place == 0 { "" } else { &" ".repeat(GAP) };
            line.push_str(&if column.right { format!("{gap}{space}{text}") } else { format!("{gap}{text}{space}") });
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn widths(set: &[Column], rows: &[Vec<Cell>], limit: usize) -> Vec<usize> {
    let widest = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(|(text, _)| columns(text)).max();
    let mut widths: Vec<usize> = (0..set.len()).map(|place| widest(place).unwrap_or(0)).collect();
    for (width, column) in widths.iter_mut().zip(set) {
        *width = (*width).max(columns(column.title));
    }
    let gaps = GAP * set.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        let can_give = |(place, width): &(usize, &usize)| set[*place].least.is_some_and(|least| **width > least);
        let Some(place) =
            widths.iter().enumerate().filter(can_give).max_by_key(|(_, width)| **width).map(|(place, _)| place)
        else {
            break;
        };
        widths[place] -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: usize) -> String {
        let set = [Column::number("RUN"), Column::cuttable("RUNBOOK", 8), Column::text("STATE")];
        let row =
            |run: &str, runbook: &str, state: &str| [run, runbook, state].map(|text| (text.to_owned(), None)).to_vec();
        let rows = [row("12", "operations/deploy.rhai", "ok"), row("7", "größe.rhai", "failed")];
        let mut out = Vec::new();
        table(&mut out, &set, &rows, Style { width, ..Style::plain() }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_line_up() {
        let expected = "\
RUN  RUNBOOK                 STATE
 12  operations/deploy.rhai  ok
  7  größe.rhai              failed
";
        assert_eq!(shown(80), expected);
    }

    #[test]
    fn what_may_be_cut_gives_way_down_to_its_least_width() {
        assert_eq!(shown(28), "RUN  RUNBOOK          STATE\n 12  operations/dep…  ok\n  7  größe.rhai       failed\n");
        assert_eq!(shown(5), "RUN  RUNBOOK   STATE\n 12  operati…  ok\n  7  größe.r…  failed\n");
    }
}
