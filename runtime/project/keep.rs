use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::Deserialize;

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
}

/// What snapshots have in common of which one is enough.
type Bucket = fn(&Zoned, usize) -> i64;

impl Keep {
    /// Does it say anything?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// For each snapshot of one job, in whatever order they are given, which rules keep it; none for one to be forgotten.
    pub fn decide(&self, job: &[Candidate<'_>]) -> Vec<Vec<String>> {
        if self.is_empty() {
            return job.iter().map(|_| vec!["no rules".to_owned()]).collect();
        }
        let mut newest_first: Vec<usize> = (0..job.len()).collect();
        newest_first.sort_by(|a, b| job[*b].time.timestamp().cmp(&job[*a].time.timestamp()));
        let mut reasons = vec![Vec::new(); job.len()];
        let Some(latest) = newest_first.first().map(|place| job[*place].time) else { return reasons };

        let mut counted: Vec<_> = self.counted().map(|(name, count, bucket)| (name, count, bucket, None)).collect();
        let mut reaching: Vec<_> = self.reaching().map(|(name, to, bucket)| (name, to, bucket, None)).collect();
        for (number, place) in newest_first.into_iter().enumerate() {
            let Candidate { time, tags } = job[place];
            let kept = &mut reasons[place];
            if number == 0 {
                kept.push("the newest".to_owned());
            }
            kept.extend(tags.iter().find(|tag| self.tags.contains(tag)).map(|tag| format!("tag {tag}")));
            for (name, left, bucket, last) in &mut counted {
                let this = bucket(time, number);
                if *left > 0 && *last != Some(this) {
                    (*left, *last) = (*left - 1, Some(this));
                    kept.push((*name).to_owned());
                }
            }
            for (name, reach, bucket, last) in &mut reaching {
                let this = bucket(time, number);
                if reach.is_some_and(|reach| time.timestamp() > reach.before(latest)) && *last != Some(this) {
                    *last = Some(this);
                    kept.push((*name).to_owned());
                }
            }
        }
        reasons
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

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
