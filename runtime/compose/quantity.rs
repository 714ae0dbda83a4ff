//! Sizes, durations and numbers as compose files write them, and as Go prints them.

use serde::{Serialize, Serializer};

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// Parses `1h30m`, `1.5s`, `2d`, `1w`; a number alone is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut nanoseconds = 0_f64;
        if rest.is_empty() {
            return None;
        }
        if rest == "0" {
            return Some(Self::default());
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let number: f64 = rest[..end].parse().ok()?;
            let after = rest[end..].trim_start();
            let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
            let unit = match after[..letters].to_lowercase().as_str() {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3_600e9,
                "d" => 86_400e9,
                "w" => 604_800e9,
                _ => return None,
            };
            nanoseconds += number * unit;
            rest = after[letters..].trim_start();
        }
        std::time::Duration::try_from_secs_f64(nanoseconds / 1e9).ok().map(|rounded| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            // not negative, and in range as `rounded` shows
            let exact = nanoseconds as u128;
            Self(u64::try_from(exact).map_or(rounded, std::time::Duration::from_nanos))
        })
    }
}

/// As Go prints it: `1m30s`, `1h0m0s`, `1.5s`, `500ms`.
impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nanoseconds = self.0.as_nanos();
        let fraction = |value: u128, unit: u128| {
            let digits = unit.ilog10() as usize;
            let text = format!("{}.{:0digits$}", value / unit, value % unit);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match nanoseconds {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanoseconds}ns"),
            1_000..1_000_000 => write!(f, "{}µs", fraction(nanoseconds, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", fraction(nanoseconds, 1_000_000)),
            _ => {
                let minutes = nanoseconds / 60_000_000_000;
                let seconds = fraction(nanoseconds % 60_000_000_000, 1_000_000_000);
                match (minutes / 60, minutes % 60) {
                    (0, 0) => write!(f, "{seconds}s"),
                    (0, minutes) => write!(f, "{minutes}m{seconds}s"),
                    (hours, minutes) => write!(f, "{hours}h{minutes}m{seconds}s"),
                }
            }
        }
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A size in bytes: `512m`, `2 GB`, `1024`; the units are binary whatever their spelling, as everywhere in Docker.
pub(super) fn bytes(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].strip_prefix(' ').unwrap_or(&text[end..]).to_ascii_lowercase();
    let power = match unit.trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    #[allow(clippy::cast_possible_truncation)] // Docker truncates likewise
    Some((number * f64::from(1024).powi(power)) as i64)
}

/// The number that is left when 32 bits of it are kept, printed without the digits that are noise.
pub(super) fn single_precision(number: f64) -> f64 {
    #[allow(clippy::cast_possible_truncation)] // the point
    let single = number as f32;
    single.to_string().parse().unwrap_or(number)
}

/// Writes a size as the text that Compose writes: `"536870912"`.
#[allow(clippy::trivially_copy_pass_by_ref)] // the signature serde asks for
pub(super) fn as_text<S: Serializer>(bytes: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(bytes)
}

/// Writes a number without `.0` when it is whole.
#[allow(clippy::trivially_copy_pass_by_ref, clippy::cast_possible_truncation)] // the signature serde asks for; checked to be whole
pub(super) fn as_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("1.5s", "1.5s"),
            ("500ms", "500ms"),
            ("2d", "48h0m0s"),
            ("1m30s", "1m30s"),
            ("0s", "0s"),
            ("1500us", "1.5ms"),
        ] {
            assert_eq!(Duration::parse(text).map(|duration| duration.to_string()), Some(printed.into()), "{text}");
        }
        assert_eq!(Duration::parse("30"), None);
        assert_eq!(Duration::parse("soon"), None);
    }

    #[test]
    fn sizes_are_binary_whatever_the_unit_is_called() {
        for (text, number) in [("1024", 1024), ("512m", 512 << 20), ("1G", 1 << 30), ("1gb", 1 << 30), ("1.5k", 1536)] {
            assert_eq!(bytes(text), Some(number), "{text}");
        }
        assert_eq!(bytes("2 gigs"), None);
    }
}
