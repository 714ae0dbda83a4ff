//! The times on a wall clock at which an expression is due. The only file that knows the crate `cron`.
//!
//! The crate means something else by the same text (it counts days of the week from 1, always wants both kinds of days to
//! fit), and goes wrong where clocks are changed. So it never sees what a person wrote, only lists of values, and never a
//! zone: wall-clock time is handed to it as if it were UTC.

use std::str::FromStr;

use chrono::DateTime;

use super::expression::Fields;

/// Seconds since 1970-01-01 00:00:00 on the wall clock.
pub(super) type WallSecond = i64;

/// The wall-clock times of an expression.
#[derive(Clone, Debug)]
pub(super) struct WallTimes {
    /// One, or two of which either is enough.
    schedules: Vec<cron::Schedule>,
}

impl WallTimes {
    pub(super) fn new(fields: &Fields) -> Result<Self, String> {
        let every = || Some("*".to_owned());
        let days = list(fields.days.iter(), 31);
        // The crate counts from 1.
        let weekdays = list(fields.weekdays.iter().map(|day| day + 1), 7);
        let day_pairs =
            if fields.day_in_both { vec![(days, weekdays)] } else { vec![(days, every()), (every(), weekdays)] };
        let (minutes, hours, months) =
            (list(fields.minutes.iter(), 60), list(fields.hours.iter(), 24), list(fields.months.iter(), 12));
        // A field without values fires never, and is nothing the crate could read.
        let texts = day_pairs.into_iter().filter_map(|(days, weekdays)| {
            let parts = [minutes.clone()?, hours.clone()?, days?, months.clone()?, weekdays?];
            Some(format!("0 {}", parts.join(" ")))
        });
        let schedules = texts.map(|text| {
            cron::Schedule::from_str(&text).map_err(|error| format!("it cannot be computed with: {error}"))
        });
        Ok(Self { schedules: schedules.collect::<Result<_, _>>()? })
    }

    /// How many there are from that second on, before the other.
    pub(super) fn count(&self, from: WallSecond, until: WallSecond) -> usize {
        std::iter::successors(self.after(from - 1), |second| self.after(*second)).take_while(|at| *at < until).count()
    }

    /// The first one behind that second, until the year 2100.
    pub(super) fn after(&self, second: WallSecond) -> Option<WallSecond> {
        let time = DateTime::from_timestamp(second, 0)?;
        self.schedules.iter().filter_map(|schedule| schedule.after(&time).next()).map(|found| found.timestamp()).min()
    }
}

/// The values with commas; none when there are none. All of them are a star: of those the crate keeps no list.
fn list(values: impl Iterator<Item = u32>, all: usize) -> Option<String> {
    let words: Vec<String> = values.map(|value| value.to_string()).collect();
    if words.len() == all { Some("*".to_owned()) } else { (!words.is_empty()).then(|| words.join(",")) }
}
