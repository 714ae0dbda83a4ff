use std::io::{Result, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Style;
use super::state::{duration, of_run};
use super::table::{Column, table};
use super::text::clean;
use crate::journal::RunRecord;

const COLUMNS: [Column; 7] = [
    Column::number("RUN"),
    Column::cuttable("RUNBOOK", 12),
    Column::cuttable("ENV", 4),
    Column::text("STATE"),
    Column::text("STARTED"),
    Column::number("TIME"),
    Column::cuttable("BY", 5),
];

/// Lists runs, one line each.
pub fn runs(out: &mut dyn Write, runs: &[RunRecord], now: Timestamp, style: Style) -> Result<()> {
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let (state, paint) = of_run(run.state);
            let started = run.started_at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
            vec![
                (run.id.to_string(), None),
                (clean(&run.runbook), None),
                (clean(&run.environment), None),
                (state.to_owned(), Some(paint)),
                (started, None),
                (duration(run, now), None),
                (clean(&run.started_by), None),
            ]
        })
        .collect();
    table(out, &COLUMNS, &rows, style)
}
