use std::io::{Result, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Style;
use super::style::Paint;
use super::table::{Cell, Column, table};
use super::text::clean;
use crate::journal::{Notice, NoticeState};

const COLUMNS: [Column; 5] = [
    Column::text("WHEN"),
    Column::cuttable("CHANNEL", 6),
    Column::text("STATE"),
    Column::cuttable("WHAT", 20),
    Column::cuttable("PROBLEM", 10),
];

/// Lists notifications, one line each.
pub fn notices(out: &mut dyn Write, notices: &[Notice], style: Style) -> Result<()> {
    let rows: Vec<Vec<Cell>> = notices
        .iter()
        .map(|notice| {
            let at = Timestamp::from_second(notice.created).unwrap_or(Timestamp::MIN);
            let at = at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string();
            let (state, paint) = match notice.state {
                NoticeState::Waiting if notice.attempt > 0 => ("to retry", Paint::Warning),
                NoticeState::Waiting => ("waiting", Paint::Active),
                NoticeState::Sent => ("sent", Paint::Good),
                NoticeState::GivenUp => ("given up", Paint::Bad),
            };
            vec![
                (at, None),
                (clean(&notice.channel), None),
                (state.to_owned(), Some(paint)),
                (clean(notice.message["summary"].as_str().unwrap_or_default()), None),
                (clean(notice.problem.as_deref().unwrap_or("-")), None),
            ]
        })
        .collect();
    table(out, &COLUMNS, &rows, style)
}
