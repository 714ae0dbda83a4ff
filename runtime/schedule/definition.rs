//! A schedule that can be computed with: what a project file says, read and found right.

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::timing::Timing;
use super::zone::{Zone, moment};
use crate::failure::{Failure, FailureKind};
use crate::project::ScheduleEntry;

/// A schedule.
#[derive(Clone, Debug)]
pub struct Definition {
    name: String,
    entry: ScheduleEntry,
    timing: Timing,
    zone: Zone,
    days: Days,
    jitter: i64,
}

/// The days on which it may fire.
#[derive(Clone, Debug, Default)]
struct Days {
    first: Option<Date>,
    last: Option<Date>,
    left_out: Vec<Date>,
    /// Month and day, of every year.
    left_out_yearly: Vec<(i8, i8)>,
}

impl Definition {
    /// Reads what an entry says. Fails, with what to write instead, before anything was registered.
    pub fn new(name: &str, entry: ScheduleEntry) -> Result<Self, Failure> {
        Self::read(name, entry)
            .map_err(|failure| Failure { message: format!("schedule `{name}`: {}", failure.message), ..failure })
    }

    fn read(name: &str, entry: ScheduleEntry) -> Result<Self, Failure> {
        if entry.runbook.is_none() {
            return Err(
                invalid("`runbook` is missing").hint("say which runbook runs, as in `runbook = \"backup.rhai\"`")
            );
        }
        let zone = match &entry.zone {
            Some(name) => Zone::named(name).map_err(|message| invalid(format!("`zone`: {message}")))?,
            None => Zone::system(),
        };
        let timing = Timing::new(&entry, &zone)?;
        let days = Days::new(&entry)?;
        let jitter = entry.jitter.map_or(0, |span| share_of(name, span.0.as_secs()));
        Ok(Self { name: name.to_owned(), entry, timing, zone, days, jitter })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says.
    pub fn entry(&self) -> &ScheduleEntry {
        &self.entry
    }

    /// The runbook, relative to the project.
    pub fn runbook(&self) -> &str {
        self.entry.runbook.as_deref().unwrap_or_default()
    }

    /// When it fires, in words: `30 2 * * *`, `every 15m`.
    pub fn when(&self) -> String {
        self.timing.to_string()
    }

    /// Its time zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// How many seconds after its time it begins.
    pub fn jitter(&self) -> i64 {
        self.jitter
    }

    /// The fires behind that second, in order.
    pub fn fires_after(&self, after: i64) -> impl Iterator<Item = i64> + '_ {
        let last = self.days.last;
        let date = |at: i64| self.zone.time_zone().to_datetime(moment(at)).date();
        let fires = self.timing.fires_after(&self.zone, self.begin().map_or(after, |begin| after.max(begin - 1)));
        let fires =
            fires.map(move |at| (at, date(at))).take_while(move |(_, day)| last.is_none_or(|last| *day <= last));
        fires.filter(|(_, day)| self.days.allow(*day)).map(|(at, _)| at)
    }

    /// Its coming fires as the clocks of its zone show them, for people.
    pub fn coming(&self, from: i64, most: usize) -> String {
        let shown = |at: i64| {
            let form = if at % 60 == 0 { "%a %Y-%m-%d %H:%M %:z" } else { "%a %Y-%m-%d %H:%M:%S %:z" };
            moment(at).to_zoned(self.zone.time_zone().clone()).strftime(form).to_string()
        };
        let coming: Vec<String> = self.fires_after(from).take(most).map(shown).collect();
        if coming.is_empty() { "no more".to_owned() } else { coming.join(", ") }
    }

    /// The days of two years from that second on that are unusual for its expression.
    pub fn unusual_days(&self, from: i64) -> Vec<super::UnusualDay> {
        self.timing.unusual_days(&self.zone, from)
    }

    /// When its first day begins.
    fn begin(&self) -> Option<i64> {
        let midnight = self.days.first?.to_zoned(self.zone.time_zone().clone()).ok()?;
        Some(midnight.timestamp().as_second())
    }
}

impl Days {
    fn new(entry: &ScheduleEntry) -> Result<Self, Failure> {
        let day = |key: &str, text: &String| {
            let hint = "write a day as `2026-12-25`";
            text.parse::<Date>().map_err(|_| invalid(format!("`{key}`: `{text}` is no day")).hint(hint))
        };
        let bound = |key: &str, text: &Option<String>| text.as_ref().map(|text| day(key, text)).transpose();
        let (first, last) = (bound("from", &entry.from)?, bound("until", &entry.until)?);
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            return Err(invalid(format!("`until` is {last}, before `from`, which is {first}")));
        }
        let mut days = Self { first, last, ..Self::default() };
        for text in &entry.except {
            // In a leap year every day of the others is there too.
            match (text.len() == 5).then(|| format!("2024-{text}").parse::<Date>()) {
                Some(Ok(date)) => days.left_out_yearly.push((date.month(), date.day())),
                _ => days.left_out.push(day("except", text)?),
            }
        }
        Ok(days)
    }

    fn allow(&self, day: Date) -> bool {
        self.first.is_none_or(|first| first <= day)
            && !self.left_out.contains(&day)
            && !self.left_out_yearly.contains(&(day.month(), day.day()))
    }
}

/// A part of so many seconds that is always the same for the same name, and different for most others.
fn share_of(name: &str, seconds: u64) -> i64 {
    let hash = Sha256::digest(name.as_bytes());
    let number = hash.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    i64::try_from(number % seconds.saturating_add(1)).unwrap_or(0)
}

pub(super) fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Invalid, message)
}
