use std::io::{Result, Write};

use super::Style;
use super::table::{Column, table};
use super::text::clean;

/// Rows of plain texts under their titles; the last column gives way where there is no room.
pub fn listing<const N: usize>(
    out: &mut dyn Write,
    titles: [&'static str; N],
    rows: &[[String; N]],
    style: Style,
) -> Result<()> {
    let set: Vec<Column> = titles
        .iter()
        .enumerate()
        .map(|(place, title)| if place + 1 == N { Column::cuttable(title, 12) } else { Column::text(title) })
        .collect();
    let rows: Vec<_> = rows.iter().map(|row| row.iter().map(|text| (clean(text), None)).collect()).collect();
    table(out, &set, &rows, style)
}
