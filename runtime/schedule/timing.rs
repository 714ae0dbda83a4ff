//! When a schedule fires: by a cron expression, every so often, or at certain times.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

use super::definition::invalid;
use super::unusual::{UnusualDay, unusual_days};
use super::{Expression, Fires, Zone};
use crate::failure::Failure;
use crate::project::{DstPolicy, ScheduleEntry};
use crate::units::Span;

/// When something fires.
#[derive(Clone, Debug)]
pub(super) enum Timing {
    /// By a cron expression.
    Cron(Arc<Expression>, DstPolicy),
    /// Every so many seconds, counted from a moment.
    Every { seconds: i64, from: i64 },
    /// At these moments.
    At(Vec<i64>),
}

impl Timing {
    /// Reads `cron`, `every` or `at` of an entry.
    pub(super) fn new(entry: &ScheduleEntry, zone: &Zone) -> Result<Self, Failure> {
        let given = [entry.cron.is_some(), entry.every.is_some(), !entry.at.is_empty()];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(invalid("it takes one of `cron`, `every` and `at`")
                .hint("as in `cron = \"30 2 * * *\"`, `every = \"15m\"` or `at = [\"2026-12-24T18:00\"]`"));
        }
        if let Some(cron) = &entry.cron {
            return cron_timing(cron, entry.dst);
        }
        if let Some(every) = entry.every {
            let seconds = i64::try_from(every.0.as_secs()).unwrap_or(0);
            if seconds == 0 || every.0.subsec_nanos() != 0 {
                return Err(invalid("`every` takes whole seconds, at least one"));
            }
            let first = entry.from.as_ref().and_then(|day| day.parse::<Date>().ok());
            let begin = first.and_then(|day| day.to_zoned(zone.time_zone().clone()).ok());
            return Ok(Self::Every { seconds, from: begin.map_or(0, |begin| begin.timestamp().as_second()) });
        }
        let mut moments = entry.at.iter().map(|text| one_off(text, zone)).collect::<Result<Vec<i64>, _>>()?;
        moments.sort_unstable();
        moments.dedup();
        Ok(Self::At(moments))
    }

    /// The fires behind that second, in order.
    pub(super) fn fires_after<'a>(&'a self, zone: &'a Zone, after: i64) -> Box<dyn Iterator<Item = i64> + 'a> {
        match self {
            Self::Cron(expression, policy) => Box::new(Fires::after(expression, zone, *policy, after)),
            Self::Every { seconds, from } => {
                let next = from + ((after - from).div_euclid(*seconds) + 1).max(0) * seconds;
                Box::new((0..).map(move |number| next + number * seconds))
            }
            Self::At(moments) => Box::new(moments.iter().copied().filter(move |at| *at > after)),
        }
    }

    /// The days of two years that are unusual for an expression.
    pub(super) fn unusual_days(&self, zone: &Zone, from: i64) -> Vec<UnusualDay> {
        match self {
            Self::Cron(expression, policy) => unusual_days(expression, zone, *policy, from, from + TWO_YEARS),
            Self::Every { .. } | Self::At(_) => Vec::new(),
        }
    }
}

/// In seconds.
const TWO_YEARS: i64 = 731 * 24 * 60 * 60;

impl std::fmt::Display for Timing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cron(expression, _) => f.write_str(expression.text()),
            Self::Every { seconds, .. } => write!(f, "every {}", Span::seconds(seconds.cast_unsigned())),
            Self::At(moments) if moments.len() == 1 => f.write_str("once"),
            Self::At(moments) => write!(f, "{} times", moments.len()),
        }
    }
}

/// An expression for a schedule: what cron merely passes over is refused.
fn cron_timing(text: &str, policy: DstPolicy) -> Result<Timing, Failure> {
    let refuse = |problem: super::Problem| {
        let failure = invalid(format!("`cron`: {}", problem.with_caret()));
        problem.hint.into_iter().fold(failure, Failure::hint)
    };
    let expression = Expression::parse(text).map_err(refuse)?;
    match expression.slips().first() {
        Some(slip) => Err(refuse(slip.clone())),
        None => Ok(Timing::Cron(Arc::new(expression), policy)),
    }
}

fn one_off(text: &str, zone: &Zone) -> Result<i64, Failure> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_second());
    }
    let local = text.parse::<DateTime>().ok().and_then(|local| local.to_zoned(zone.time_zone().clone()).ok());
    local.map(|local| local.timestamp().as_second()).ok_or_else(|| {
        invalid(format!("`at`: `{text}` is no time")).hint("write `2026-12-24T18:00`, or with an offset or `Z`")
    })
}
