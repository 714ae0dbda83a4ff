//! Days on which the clocks are changed, and with it how often something fires.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::zone::moment;
use super::{DstPolicy, Expression, Fires, Zone};

/// A day with no fire although the expression means it, or with more fires than other such days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UnusualDay {
    /// The day, in the zone.
    pub date: Date,
    /// How often it fires on it.
    pub fires: usize,
    /// How often it would, were no clock changed.
    pub usual: usize,
}

/// The unusual days between two moments, in order. Only days near a change of the clocks can be, so only they are looked at.
pub fn unusual_days(expression: &Expression, zone: &Zone, policy: DstPolicy, from: i64, until: i64) -> Vec<UnusualDay> {
    let mut found: Vec<UnusualDay> = Vec::new();
    let mut stretch = zone.stretch_at(from);
    while let Some(next) = zone.following(stretch).filter(|next| next.start < until) {
        let (before, after) = (wall_date(next.start - 1 + stretch.offset), wall_date(next.start + next.offset));
        let mut date = before.yesterday().ok();
        while let Some(day) = date.filter(|day| after.tomorrow().is_ok_and(|last| *day <= last)) {
            if found.last().is_none_or(|last| last.date < day) {
                let (fires, usual) = count(expression, zone, policy, day);
                if (fires == 0 && usual > 0) || fires > usual {
                    found.push(UnusualDay { date: day, fires, usual });
                }
            }
            date = day.tomorrow().ok();
        }
        stretch = next;
    }
    found
}

/// The date that a wall clock shows.
fn wall_date(wall: i64) -> Date {
    TimeZone::UTC.to_datetime(moment(wall)).date()
}

/// How often it fires on that day, and how often it usually would.
fn count(expression: &Expression, zone: &Zone, policy: DstPolicy, day: Date) -> (usize, usize) {
    let next = day.tomorrow().unwrap_or(Date::MAX);
    let start = |date: Date, zone: &TimeZone| {
        date.to_zoned(zone.clone()).map_or(i64::MAX, |midnight| midnight.timestamp().as_second())
    };
    let (from, until) = (start(day, zone.time_zone()), start(next, zone.time_zone()));
    let fires = Fires::after(expression, zone, policy, from - 1).take_while(|at| *at < until).count();
    (fires, expression.walls().count(start(day, &TimeZone::UTC), start(next, &TimeZone::UTC)))
}
