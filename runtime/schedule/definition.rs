//! A schedule that can be computed with: what a project file says, read and found right.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::Expression;
use super::timing::Timing;
use super::zone::{Zone, moment};
use crate::failure::{Failure, FailureKind};
use crate::project::ScheduleEntry;

/// A schedule.
#[derive(Clone, Debug)]
pub struct Definition {
    name: String,
    jitter: i64,
    said: Arc<Said>,
}

/// What is said of it, which others may say as well.
#[derive(Clone, Debug)]
struct Said {
    entry: ScheduleEntry,
    timing: Timing,
    zone: Zone,
    days: Days,
}

/// What schedules say alike. Of thousands many do, and it is in memory once then.
#[derive(Default)]
pub struct Alike {
    said: HashMap<String, Arc<Said>>,
    expressions: HashMap<String, Arc<Expression>>,
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
        Ok(Self { name: name.to_owned(), jitter, said: Arc::new(Said { entry, timing, zone, days }) })
    }

    /// Has in common with others what it says like them.
    pub fn share(&mut self, alike: &mut Alike) {
        if let Timing::Cron(expression, _) = &mut Arc::make_mut(&mut self.said).timing {
            let known = alike.expressions.entry(expression.text().to_owned());
            *expression = known.or_insert_with(|| expression.clone()).clone();
        }
        let known = alike.said.entry(self.said.entry.written());
        self.said = known.or_insert_with(|| self.said.clone()).clone();
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says.
    pub fn entry(&self) -> &ScheduleEntry {
        &self.said.entry
    }

    /// The runbook, relative to the project.
    pub fn runbook(&self) -> &str {
        self.said.entry.runbook.as_deref().unwrap_or_default()
    }

    /// When it fires, in words: `30 2 * * *`, `every 15m`.
    pub fn when(&self) -> String {
        self.said.timing.to_string()
    }

    /// Its time zone.
    pub fn zone(&self) -> &Zone {
        &self.said.zone
    }

    /// How many seconds after its time it begins.
    pub fn jitter(&self) -> i64 {
        self.jitter
    }

    /// The fires behind that second, in order.
    pub fn fires_after(&self, after: i64) -> impl Iterator<Item = i64> + '_ {
        let last = self.said.days.last;
        let date = |at: i64| self.said.zone.time_zone().to_datetime(moment(at)).date();
        let fires =
            self.said.timing.fires_after(&self.said.zone, self.begin().map_or(after, |begin| after.max(begin - 1)));
        let fires =
            fires.map(move |at| (at, date(at))).take_while(move |(_, day)| last.is_none_or(|last| *day <= last));
        fires.filter(|(_, day)| self.said.days.allow(*day)).map(|(at, _)| at)
    }

    /// Its coming fires as the clocks of its zone show them, for people.
    pub fn coming(&self, from: i64, most: usize) -> String {
        let shown = |at: i64| {
            let form = if at % 60 == 0 { "%a %Y-%m-%d %H:%M %:z" } else { "%a %Y-%m-%d %H:%M:%S %:z" };
            moment(at).to_zoned(self.said.zone.time_zone().clone()).strftime(form).to_string()
        };
        let coming: Vec<String> = self.fires_after(from).take(most).map(shown).collect();
        if coming.is_empty() { "no more".to_owned() } else { coming.join(", ") }
    }

    /// The days of two years from that second on that are unusual for its expression.
    pub fn unusual_days(&self, from: i64) -> Vec<super::UnusualDay> {
        self.said.timing.unusual_days(&self.said.zone, from)
    }

    /// When its first day begins.
    fn begin(&self) -> Option<i64> {
        let midnight = self.said.days.first?.to_zoned(self.said.zone.time_zone().clone()).ok()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    fn definition(name: &str, cron: &str, env: &str) -> Definition {
        let entry = ScheduleEntry {
            runbook: Some("backup.rhai".into()),
            cron: Some(cron.into()),
            env: Some(env.into()),
            jitter: Some(Span::seconds(3_600)),
            ..ScheduleEntry::default()
        };
        Definition::new(name, entry).unwrap()
    }

    #[test]
    fn what_schedules_say_alike_is_in_memory_once_and_nothing_else() {
        let mut alike = Alike::default();
        let told = [("one", "0 3 * * *", "prod"), ("two", "0 3 * * *", "prod"), ("three", "0 3 * * *", "test")];
        let [one, two, three] = told.map(|(name, cron, env)| {
            let mut definition = definition(name, cron, env);
            definition.share(&mut alike);
            definition
        });
        assert!(Arc::ptr_eq(&one.said, &two.said) && !Arc::ptr_eq(&one.said, &three.said));
        assert_eq!((one.name(), two.name(), three.entry().env.as_deref()), ("one", "two", Some("test")));
        assert_ne!(one.jitter(), two.jitter());
        let (Timing::Cron(here, _), Timing::Cron(there, _)) = (&one.said.timing, &three.said.timing) else { panic!() };
        assert!(Arc::ptr_eq(here, there));
    }
}
