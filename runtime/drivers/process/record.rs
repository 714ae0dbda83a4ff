use std::fmt;

use super::End;

/// What a keeper writes down at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// The kernel refused to start the program, for this reason (an `errno`).
    Refused(i32),
    /// The program ran and ended.
    Ended(Ended),
}

/// How a kept program ended, and what is stored of its output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// How many bytes of its standard output were stored.
    pub stdout: u64,
    /// How many bytes of its standard error were stored.
    pub stderr: u64,
    /// Did something it started still hold its output, so that the rest was not read?
    pub held_open: bool,
    /// Was there no room for a part of its output?
    pub incomplete: bool,
}

/// The longest text of a record, in bytes.
pub const LONGEST_RECORD: usize = 128;

impl Record {
    /// Reads what [`Display`](fmt::Display) wrote; the closing period says that nothing is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.trim_end().strip_suffix(" .")?.split(' ').collect();
        let [kind, number, rest @ ..] = words.as_slice() else { return None };
        let number = number.parse().ok()?;
        let end = match *kind {
            "refused" => return Some(Self::Refused(number)),
            "code" => End::Code(number),
            "signal" => End::Signal(number),
            _ => return None,
        };
        let [stdout, stderr, flags @ ..] = rest else { return None };
        Some(Self::Ended(Ended {
            end,
            stdout: stdout.parse().ok()?,
            stderr: stderr.parse().ok()?,
            held_open: flags.contains(&"held_open"),
            incomplete: flags.contains(&"incomplete"),
        }))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "refused {reason}")?,
            Self::Ended(ended) => {
                match ended.end {
                    End::Code(code) => write!(f, "code {code}")?,
                    End::Signal(signal) => write!(f, "signal {signal}")?,
                }
                write!(f, " {} {}", ended.stdout, ended.stderr)?;
                f.write_str(if ended.held_open { " held_open" } else { "" })?;
                f.write_str(if ended.incomplete { " incomplete" } else { "" })?;
            }
        }
        f.write_str(" .")
    }
}
