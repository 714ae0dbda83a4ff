use std::io::{Result, Write};

use jiff::tz::TimeZone;

use super::Style;
use super::style::Paint;
use super::text::{clean, columns, cut};
use crate::journal::LogLine;
use crate::primitive::LogStream;

/// Columns for the name of a step: longer ones are cut.
const STEP: usize = 20;

/// Writes log lines for people: when, in which step, what. A line is never cut.
pub struct LogLines {
    style: Style,
    /// Do lines of several runs come together?
    many_runs: bool,
    /// How wide the names of steps have been so far.
    widest: usize,
}

impl LogLines {
    /// Lines of one run, or of many with the run's number and the date before each.
    pub fn new(many_runs: bool, style: Style) -> Self {
        Self { style, many_runs, widest: 0 }
    }

    /// Writes one line.
    pub fn write(&mut self, out: &mut dyn Write, line: &LogLine) -> Result<()> {
        let format = if self.many_runs { "%Y-%m-%d %H:%M:%S" } else { "%H:%M:%S" };
        let time = line.at.to_zoned(TimeZone::system()).strftime(format).to_string();
        let run = if self.many_runs { format!("{:>4}  ", line.run) } else { String::new() };
        let step = cut(&clean(line.step.as_deref().unwrap_or_default()), STEP, self.style.pick("…", "..."));
        self.widest = self.widest.max(columns(&step));
        let space = " ".repeat(self.widest - columns(&step));
        let mark = match line.stream {
            LogStream::Stdout | LogStream::Info => " ",
            LogStream::Stderr | LogStream::Warn => "!",
        };
        let text = clean(&line.line);
        let text = if line.stream == LogStream::Warn { self.style.paint(Paint::Warning, &text) } else { text };
        let (faint, mark) = (self.style.paint(Paint::Faint, &time), self.style.paint(Paint::Warning, mark));
        writeln!(out, "{}", format!("{run}{faint}  {step}{space} {mark} {text}").trim_end())
    }
}
