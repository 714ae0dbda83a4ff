//! Time zones as stretches of time with one offset from UTC.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A zone of the time zone database, by its name.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// From one change of the clocks to the next. All in seconds; moments since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub start: i64,
    /// `i64::MAX` when no change is known.
    pub end: i64,
    /// Wall clock minus UTC.
    pub offset: i64,
}

impl Zone {
    /// Looks the zone up in the system's database, which is read anew after some minutes.
    pub fn named(name: &str) -> Result<Self, String> {
        match TimeZone::get(name) {
            Ok(zone) => Ok(Self { name: name.to_owned(), zone }),
            Err(_) if TimeZone::get("Europe/Berlin").is_err() => {
                Err("this machine has no time zone database: install the package `tzdata`".into())
            }
            Err(_) => Err(format!("there is no time zone `{name}`: write one like `Europe/Berlin` or `UTC`")),
        }
    }

    /// The file of the system's database with its rules.
    pub fn file(&self) -> PathBuf {
        let folder = std::env::var_os("TZDIR").unwrap_or_else(|| "/usr/share/zoneinfo".into());
        Path::new(&folder).join(&self.name)
    }

    /// Reads the rules of all zones anew from now on.
    pub fn read_anew() {
        jiff::tz::db().reset();
    }

    /// The zone of this machine.
    pub fn system() -> Self {
        let zone = TimeZone::system();
        Self { name: zone.iana_name().unwrap_or("UTC").to_owned(), zone }
    }

    /// Its name, as `Europe/Berlin`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The zone for calendar questions.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The stretch in which that second lies.
    pub(super) fn stretch_at(&self, second: i64) -> Stretch {
        let offset = self.offset_at(second);
        // Strictly before the next second: a change at this very second counts.
        let changes = self.zone.preceding(moment(second + 1)).map(|change| change.timestamp().as_second());
        let start = { changes }.find(|change| self.offset_at(change - 1) != offset).unwrap_or(i64::MIN);
        Stretch { start, end: self.end_of(second, offset), offset }
    }

    /// The stretch that begins where that one ends.
    pub(super) fn following(&self, stretch: Stretch) -> Option<Stretch> {
        (stretch.end != i64::MAX).then(|| {
            let offset = self.offset_at(stretch.end);
            Stretch { start: stretch.end, end: self.end_of(stretch.end, offset), offset }
        })
    }

    fn end_of(&self, second: i64, offset: i64) -> i64 {
        let changes = self.zone.following(moment(second)).map(|change| change.timestamp().as_second());
        // Changes of a name alone go on for ever.
        { changes }.take(400).find(|change| self.offset_at(*change) != offset).unwrap_or(i64::MAX)
    }

    fn offset_at(&self, second: i64) -> i64 {
        i64::from(self.zone.to_offset(moment(second)).seconds())
    }
}

/// The moment of that second, or the nearest there is.
pub(super) fn moment(second: i64) -> Timestamp {
    let (least, most) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second.clamp(least, most)).unwrap_or(Timestamp::MAX)
}
