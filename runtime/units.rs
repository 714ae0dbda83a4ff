//! Durations and sizes as scripts write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A duration as scripts write it: `"90s"`, `"1h30m"`, `"250ms"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// Whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Parses `"90s"`, `"1h30m"`, `"250ms"`, `"2d"`; a number alone is refused because its unit is a guess.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem =
            || format!("`{text}` is not a duration: write a number with a unit, as in \"90s\", \"5m\" or \"1h30m\"");
        let mut rest = text.trim();
        let mut total = Duration::ZERO;
        if rest.is_empty() {
            return Err(problem());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(problem)?;
            let number: f64 = rest[..digits].parse().map_err(|_| problem())?;
            let after = &rest[digits..];
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let unit = match &after[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(problem()),
            };
            let part = Duration::try_from_secs_f64(number * unit).map_err(|_| problem())?;
            total = total.checked_add(part).ok_or_else(problem)?;
            rest = &after[letters..];
        }
        Ok(Self(total))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (total, millis) = (self.0.as_secs(), self.0.subsec_millis());
        let (hours, minutes, seconds) = (total / 3_600, total / 60 % 60, total % 60);
        match (hours, minutes, seconds, millis) {
            (0, 0, 0, ms) => write!(f, "{ms}ms"),
            (0, 0, s, 0) => write!(f, "{s}s"),
            (0, 0, s, ms) => write!(f, "{s}.{}s", ms / 100),
            (0, m, 0, _) => write!(f, "{m}m"),
            (0, m, s, _) => write!(f, "{m}m{s}s"),
            (h, 0, 0, _) => write!(f, "{h}h"),
            (h, m, _, _) => write!(f, "{h}h{m}m"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = value
            .as_str()
            .ok_or_else(|| D::Error::custom(format!("must be a duration like \"90s\", got {}", describe(&value))))?;
        Self::parse(text).map_err(D::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A size in bytes as scripts write it: `"2GiB"`, `"500MB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Parses `"2GiB"` (1024³) and `"2GB"` (1000³) alike strictly; a number alone is bytes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let problem = || format!("`{text}` is not a size: write a number with a unit, as in \"2GiB\" or \"500MB\"");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let number: f64 = text[..digits].parse().map_err(|_| problem())?;
        let unit: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(problem()),
        };
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Ok(Self((number * unit as f64) as u64))
    }
}

impl std::fmt::Display for ByteSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        #[allow(clippy::cast_precision_loss)]
        let bytes = self.0 as f64;
        for (unit, size) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] {
            let scale = f64::from(2u32).powi(size);
            if bytes >= scale {
                return write!(f, "{:.1} {unit}", bytes / scale);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match &value {
            serde_json::Value::String(text) => Self::parse(text).map_err(D::Error::custom),
            serde_json::Value::Number(number) if number.is_u64() => Ok(Self(number.as_u64().unwrap_or_default())),
            other => Err(D::Error::custom(format!("must be a size like \"2GiB\", got {}", describe(other)))),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The permissions of a file as scripts write them: `"0600"`, `"755"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl FileMode {
    /// Parses three or four octal digits; a number is refused because `600` and `0o600` look alike and differ.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits);
        mode.map(Self)
            .ok_or_else(|| format!("`{text}` is not a file mode: write three or four octal digits, as in \"0600\""))
    }

    /// The permissions of a file that was looked at.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777)
    }

    /// Is it for its owner alone?
    pub fn is_private(self) -> bool {
        self.0.is_multiple_of(0o100)
    }
}

impl std::fmt::Display for FileMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl<'de> Deserialize<'de> for FileMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = value
            .as_str()
            .ok_or_else(|| D::Error::custom(format!("must be a mode like \"0600\", got {}", describe(&value))))?;
        Self::parse(text).map_err(D::Error::custom)
    }
}

/// What a value is, in words.
fn describe(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "nothing",
        serde_json::Value::Bool(_) => "a bool",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(Span::parse("1h30m").unwrap().0, Duration::from_secs(5_400));
        assert_eq!(Span::parse("250ms").unwrap().0, Duration::from_millis(250));
        assert_eq!(Span::parse("1.5s").unwrap().0, Duration::from_millis(1_500));
        for wrong in ["", "90", "s", "5 parsecs", "-1s", "1h30"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_tell_binary_from_decimal_units() {
        assert_eq!(ByteSize::parse("2GiB").unwrap().0, 2 << 30);
        assert_eq!(ByteSize::parse("500MB").unwrap().0, 500_000_000);
        assert_eq!(ByteSize::parse("42").unwrap().0, 42);
        assert!(ByteSize::parse("2 gigs").is_err());
        assert_eq!(ByteSize(3 << 29).to_string(), "1.5 GiB");
    }

    #[test]
    fn file_modes_are_octal_digits() {
        assert_eq!(FileMode::parse("0640").unwrap().0, 0o640);
        assert_eq!(FileMode::parse("755").unwrap().to_string(), "0755");
        assert!(FileMode(0o600).is_private() && !FileMode(0o640).is_private());
        for wrong in ["", "6", "0800", "rw-r--r--", "+600", "00600"] {
            assert!(FileMode::parse(wrong).is_err(), "{wrong}");
        }
    }
}
