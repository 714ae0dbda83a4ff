use std::fmt;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// Which snapshots of a job stay. A snapshot stays when any rule says so; without rules all of them do.
///
/// The rules are those of `restic forget`: times are told as the clock of the snapshot's own time zone has them, and everything
/// is relative to the newest snapshot, so that a job that no longer runs loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// That many of the newest.
    pub last: u32,
    /// The newest of each of that many hours that have any.
    pub hourly: u32,
    /// The same for days.
    pub daily: u32,
    /// The same for weeks, which begin on Mondays.
    pub weekly: u32,
    /// The same for months.
    pub monthly: u32,
    /// The same for years.
    pub yearly: u32,
    /// All that are not older than that.
    pub within: Option<Reach>,
    /// The newest of each hour, as far back as that.
    pub within_hourly: Option<Reach>,
    /// The same for days.
    pub within_daily: Option<Reach>,
    /// The same for weeks.
    pub within_weekly: Option<Reach>,
    /// The same for months.
    pub within_monthly: Option<Reach>,
    /// The same for years.
    pub within_yearly: Option<Reach>,
    /// Those with any of these tags.
    pub tags: Vec<String>,
}

/// How far back, by the calendar: `1y6m`, `30d`, `36h`. `m` is months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    years: i32,
    months: i32,
    days: i32,
    hours: i32,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// When the snapshot was made.
    pub time: &'a Zoned,
    /// Its tags.
    pub tags: &'a [String],
    /// Was it proven to be good?
    pub verified: bool,
}

/// What becomes of a snapshot, and by which rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The rules that keep it; none for one to be forgotten.
    pub kept_by: Vec<String>,
    /// Of one to be forgotten, why each rule does not keep it.
    pub dropped_by: Vec<String>,
}

impl Verdict {
    /// Does it stay?
    pub fn is_kept(&self) -> bool {
        !self.kept_by.is_empty()
    }
}

/// A rule while snapshots pass by, the newest first.
struct Pass {
    name: &'static str,
    bucket: Bucket,
    limit: Limit,
    /// What the last one was kept for.
    last: Option<i64>,
}

enum Limit {
    /// So many in all, and so many left.
    Count(u32, u32),
    /// How far back, and when that is.
    Reach(Reach, Timestamp),
}

impl Pass {
    /// Does the rule keep it? If not: why.
    fn keeps(&mut self, time: &Zoned, number: usize) -> Result<(), String> {
        let (name, this) = (self.name, (self.bucket)(time, number));
        match &mut self.limit {
            Limit::Reach(reach, from) if time.timestamp() <= *from => {
                return Err(format!("{name}: older than {reach}"));
            }
            _ if self.last == Some(this) => return Err(format!("{name}: a newer one is kept for the same time")),
            Limit::Count(count, 0) => return Err(format!("{name}: {count} newer ones are kept")),
            Limit::Count(_, left) => *left -= 1,
            Limit::Reach(..) => {}
        }
        self.last = Some(this);
        Ok(())
    }
}

/// What snapshots have in common of which one is enough.
type Bucket = fn(&Zoned, usize) -> i64;

impl Keep {
    /// Does it say anything?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What becomes of each snapshot of one job, in whatever order they are given. The newest always stays, and so does the last
    /// one that was proven to be good.
    pub fn decide(&self, job: &[Candidate<'_>]) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::default(); job.len()];
        if self.is_empty() {
            for verdict in &mut verdicts {
                verdict.kept_by.push("no rules".to_owned());
            }
            return verdicts;
        }
        let mut newest_first: Vec<usize> = (0..job.len()).collect();
        newest_first.sort_by(|a, b| job[*b].time.timestamp().cmp(&job[*a].time.timestamp()));
        let Some(latest) = newest_first.first().map(|place| job[*place].time) else { return verdicts };
        let last_verified = newest_first.iter().copied().find(|place| job[*place].verified);
        let mut passes = self.passes(latest);
        for (number, place) in newest_first.into_iter().enumerate() {
            let Candidate { time, tags, .. } = job[place];
            let Verdict { kept_by, dropped_by } = &mut verdicts[place];
            if number == 0 {
                kept_by.push("the newest".to_owned());
            }
            if last_verified == Some(place) {
                kept_by.push("the last verified".to_owned());
            }
            kept_by.extend(tags.iter().find(|tag| self.tags.contains(tag)).map(|tag| format!("tag {tag}")));
            for pass in &mut passes {
                match pass.keeps(time, number) {
                    Ok(()) => kept_by.push(pass.name.to_owned()),
                    Err(why) => dropped_by.push(why),
                }
            }
            if !kept_by.is_empty() {
                dropped_by.clear();
            } else if dropped_by.is_empty() {
                dropped_by.push("tags: it has none of these".to_owned());
            }
        }
        verdicts
    }

    /// The rules there are.
    fn passes(&self, latest: &Zoned) -> Vec<Pass> {
        let counted = self.counted().filter(|(_, count, _)| *count > 0).map(|(name, count, bucket)| Pass {
            name,
            bucket,
            limit: Limit::Count(count, count),
            last: None,
        });
        let reaching = self.reaching().filter_map(|(name, reach, bucket)| {
            let reach = reach?;
            Some(Pass { name, bucket, limit: Limit::Reach(reach, reach.before(latest)), last: None })
        });
        counted.chain(reaching).collect()
    }

    fn counted(&self) -> impl Iterator<Item = (&'static str, u32, Bucket)> {
        [
            ("last", self.last, each as Bucket),
            ("hourly", self.hourly, hour),
            ("daily", self.daily, day),
            ("weekly", self.weekly, week),
            ("monthly", self.monthly, month),
            ("yearly", self.yearly, year),
        ]
        .into_iter()
    }

    fn reaching(&self) -> impl Iterator<Item = (&'static str, Option<Reach>, Bucket)> {
        [
            ("within", self.within, each as Bucket),
            ("within_hourly", self.within_hourly, hour),
            ("within_daily", self.within_daily, day),
            ("within_weekly", self.within_weekly, week),
            ("within_monthly", self.within_monthly, month),
            ("within_yearly", self.within_yearly, year),
        ]
        .into_iter()
    }
}

fn each(_: &Zoned, number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn hour(time: &Zoned, number: usize) -> i64 {
    day(time, number) * 100 + i64::from(time.hour())
}

fn day(time: &Zoned, number: usize) -> i64 {
    month(time, number) * 100 + i64::from(time.day())
}

/// A week belongs to the year in which its Thursday is: the last days of December may be in the first week of the next.
fn week(time: &Zoned, _: usize) -> i64 {
    let week = time.date().iso_week_date();
    i64::from(week.year()) * 100 + i64::from(week.week())
}

fn month(time: &Zoned, number: usize) -> i64 {
    year(time, number) * 100 + i64::from(time.month())
}

fn year(time: &Zoned, _: usize) -> i64 {
    i64::from(time.year())
}

impl Reach {
    /// Parses `1y6m30d12h`; every unit may be left out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is not a stretch of time: write `30d`, `1y6m` or `36h`, where `m` is months");
        let (mut reach, mut rest) = (Self::default(), text);
        if rest.is_empty() {
            return Err(problem());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?;
            let number: u16 = rest[..digits].parse().map_err(|_| problem())?;
            let place = match rest.as_bytes()[digits] {
                b'y' => &mut reach.years,
                b'm' => &mut reach.months,
                b'd' => &mut reach.days,
                b'h' => &mut reach.hours,
                _ => return Err(problem()),
            };
            *place = number.into();
            rest = &rest[digits + 1..];
        }
        Ok(reach)
    }

    /// That long before a time. The day that a month does not have is one of the next month, as for `restic`: a month before
    /// 31 March is 3 March. What no calendar has is before everything.
    fn before(self, time: &Zoned) -> Timestamp {
        self.try_before(time).unwrap_or(Timestamp::MIN)
    }

    fn try_before(self, time: &Zoned) -> Option<Timestamp> {
        let months = i32::from(time.year()) * 12 + i32::from(time.month()) - 1 - (self.years * 12 + self.months);
        let (year, month) = (i16::try_from(months.div_euclid(12)).ok()?, i8::try_from(months.rem_euclid(12) + 1).ok()?);
        let days = i32::from(time.day()) - 1 - self.days;
        let date = Date::new(year, month, 1).ok()?.checked_add(days.days()).ok()?;
        let zoned = date.to_datetime(time.time()).to_zoned(time.time_zone().clone()).ok()?;
        zoned.timestamp().checked_sub(self.hours.hours()).ok()
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        units.iter().filter(|(count, _)| *count > 0).try_for_each(|(count, unit)| write!(f, "{count}{unit}"))
    }
}

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
