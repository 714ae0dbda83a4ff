use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A time of the week in which runs may begin: `Mon-Fri 08:00-18:00 Europe/Berlin`.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    days: Vec<Weekday>,
    from: Time,
    /// Not any more part of it; before `from` it is on the next day.
    until: Time,
    zone: TimeZone,
    written: String,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    /// Reads days (all of them when left out), times and a time zone (UTC when left out); the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let is_time = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
        let Some(at) = words.iter().position(is_time) else {
            return Err(format!("`{text}` names no time: write it like `Mon-Fri 08:00-18:00 Europe/Berlin`"));
        };
        let rest = words.split_off(at);
        let days = if words.is_empty() { DAYS.map(|(_, day)| day).to_vec() } else { days(&words.concat())? };
        let (from, until) = rest[0].split_once('-').ok_or_else(|| format!("`{}` is no span of time", rest[0]))?;
        let zone = match rest[1..] {
            [] => TimeZone::UTC,
            [name] => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
            _ => return Err(format!("`{}` is more than days, times and a time zone", rest[1..].join(" "))),
        };
        Ok(Self { days, from: time(from)?, until: time(until)?, zone, written: text.to_owned() })
    }

    /// Is the moment in it?
    pub fn is_open(&self, now: Timestamp) -> bool {
        let here = now.to_zoned(self.zone.clone());
        let (day, time) = (here.weekday(), here.time());
        if self.from < self.until {
            return self.days.contains(&day) && self.from <= time && time < self.until;
        }
        let began_today = self.days.contains(&day) && self.from <= time;
        began_today || (self.days.contains(&day.previous()) && time < self.until)
    }

    /// When it opens next, as far as a week tells.
    pub fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let here = now.to_zoned(self.zone.clone());
        (0..=7).find_map(|days| {
            let date = here.date().checked_add(Span::new().days(days)).ok()?;
            let opens = date.to_datetime(self.from).to_zoned(self.zone.clone()).ok()?.timestamp();
            (self.days.contains(&date.weekday()) && opens > now).then_some(opens)
        })
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn days(text: &str) -> Result<Vec<Weekday>, String> {
    let mut days = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first)?, day(last)?);
        days.push(at);
        while at != last {
            at = at.next();
            days.push(at);
        }
    }
    Ok(days)
}

fn day(text: &str) -> Result<Weekday, String> {
    let wanted = text.to_lowercase();
    let found = DAYS.iter().find(|(name, _)| wanted.len() >= 3 && wanted.starts_with(name));
    found
        .map(|(_, day)| *day)
        .ok_or_else(|| format!("`{text}` is no day: the days are Mon, Tue, Wed, Thu, Fri, Sat, Sun"))
}

fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("`{text}` is no time of the day: write it like 08:00");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let (hours, minutes) = (hours.parse::<i8>().map_err(|_| wrong())?, minutes.parse::<i8>().map_err(|_| wrong())?);
    // The end of a day is the beginning of the next.
    let hours = if (hours, minutes) == (24, 0) { 0 } else { hours };
    Time::new(hours, minutes, 0, 0).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(window: &str, now: &str) -> bool {
        Window::parse(window).unwrap().is_open(now.parse().unwrap())
    }

    #[test]
    fn a_window_is_a_time_of_the_week_where_it_says() {
        let hours = "Mon-Fri 08:00-18:00 Europe/Berlin";
        assert!(open(hours, "2026-07-06T06:00:00Z"), "eight in the morning of a Monday in summer");
        assert!(!open(hours, "2026-01-05T06:00:00Z"), "and seven in winter");
        assert!(!open(hours, "2026-07-06T16:00:00Z") && open(hours, "2026-07-06T15:59:59Z"));
        assert!(!open(hours, "2026-07-05T10:00:00Z"), "a Sunday");
        assert!(open("00:00-24:00", "2026-07-05T23:59:00Z"));
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let night = "Fri 22:00-04:00";
        assert!(open(night, "2026-07-03T22:00:00Z") && open(night, "2026-07-04T03:59:00Z"));
        assert!(!open(night, "2026-07-04T22:00:00Z") && !open(night, "2026-07-03T03:00:00Z"));
        assert!(open("Sat, Sun 10:00-11:00", "2026-07-05T10:30:00Z"));
    }

    #[test]
    fn the_next_opening_is_told() {
        let window = Window::parse("Mon 08:00-09:00").unwrap();
        let opens = window.opens("2026-07-06T08:30:00Z".parse().unwrap());
        assert_eq!(opens, Some("2026-07-13T08:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_window_says_why() {
        for (text, why) in [
            ("weekdays", "names no time"),
            ("Foo 08:00-09:00", "`Foo` is no day"),
            ("Mon 8-9", "`8` is no time"),
            ("Mon 08:00-25:00", "`25:00` is no time"),
            ("Mon 08:00", "is no span of time"),
            ("Mon 08:00-09:00 Europe/Atlantis", "there is no time zone"),
        ] {
            let message = Window::parse(text).unwrap_err();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
