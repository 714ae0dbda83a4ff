use std::io::{Result, Write};

use jiff::tz::TimeZone;

use super::Style;
use super::table::{Column, table};
use super::text::clean;
use crate::journal::{Deed, What};

/// None is cut: it is evidence.
const COLUMNS: [Column; 5] =
    [Column::text("WHEN"), Column::number("RUN"), Column::text("BY"), Column::text("ENV"), Column::text("WHAT")];

/// Lists what people did and had done, one line each.
pub fn audit(out: &mut dyn Write, deeds: &[Deed], style: Style) -> Result<()> {
    let rows: Vec<_> = deeds
        .iter()
        .map(|deed| {
            let at = deed.at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
            let what = match &deed.what {
                What::Secret { name, call, sink, .. } => format!("{name} to {call}, {sink}"),
                What::Decision { path, decision } => format!("{decision} call {path}"),
                What::Cancel => "asked the run to stop".to_owned(),
                What::ScriptReplaced => "went on with another text of the scripts".to_owned(),
                What::PolicyChanged { before, now } => {
                    let (before, now) = (short(before.as_deref()), short(now.as_deref()));
                    format!("first run with another policy.toml: {before} → {now}")
                }
            };
            let cells = [at, deed.run.to_string(), clean(&deed.by), clean(&deed.environment)];
            cells.into_iter().chain([clean(&what)]).map(|cell| (cell, None)).collect()
        })
        .collect();
    table(out, &COLUMNS, &rows, style)
}

/// The first digits of a hash.
fn short(digest: Option<&str>) -> &str {
    digest.map_or("none", |all| all.get(..12).unwrap_or(all))
}
