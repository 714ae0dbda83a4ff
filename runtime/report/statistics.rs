use std::io::{Result, Write};

use super::Style;
use super::state::{clock, of_run};
use super::style::Paint;
use super::table::{Cell, Column, table};
use super::text::clean;
use super::units::elapsed;
use crate::journal::RunbookStatistics;

const COLUMNS: [Column; 8] = [
    Column::cuttable("RUNBOOK", 12),
    Column::cuttable("ENV", 4),
    Column::number("RUNS"),
    Column::number("OK"),
    Column::number("MEDIAN"),
    Column::number("P95"),
    Column::text("LAST OK"),
    Column::text("LAST"),
];

/// Says how runs went, a line for each runbook and environment.
pub fn statistics(out: &mut dyn Write, found: &[RunbookStatistics], style: Style) -> Result<()> {
    let rows: Vec<Vec<Cell>> = found
        .iter()
        .map(|one| {
            let time = |took: Option<u64>| took.map_or_else(|| "-".to_owned(), elapsed);
            let success = one.success.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
            let good = one.success.is_some_and(|share| share >= 0.95);
            let last_ok = one.last_ok.map_or_else(|| "never".to_owned(), |(_, at)| clock(at)[..16].to_owned());
            let (last, paint) = one.last.map_or(("-", Paint::Faint), of_run);
            vec![
                (clean(&one.runbook), None),
                (clean(&one.environment), None),
                (one.runs.to_string(), None),
                (success, Some(if good { Paint::Good } else { Paint::Warning })),
                (time(one.median), None),
                (time(one.p95), None),
                (last_ok, None),
                (last.to_owned(), Some(paint)),
            ]
        })
        .collect();
    table(out, &COLUMNS, &rows, style)
}
