use std::io::{IsTerminal, Result, Write};

use serde::Serialize;

use super::style::{Paint, Style};

/// Whether something that a run needs is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is.
    Ok,
    /// Runs can go on, but somebody should look.
    Warn,
    /// It is not, and runs that need it fail.
    Missing,
}

/// One thing that was looked at on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// What: `Docker engine`.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What was found: `20.10.24, API 1.41`.
    pub found: String,
    /// The commands that mend it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fix: Vec<String>,
}

impl Condition {
    /// Something that is as it should be.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, found: found.into(), fix: Vec::new() }
    }

    /// Something that somebody should look at.
    pub fn warn(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Warn, ..Self::ok(name, found) }
    }

    /// Something needed that is not there.
    pub fn missing(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state: State::Missing, ..Self::ok(name, found) }
    }

    /// Adds a command, or another way, to mend it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }
}

/// Writes a line per condition, what mends it below, and a last line that sums up.
pub fn conditions(out: &mut dyn Write, all: &[Condition], style: Style) -> Result<()> {
    // The style was made for standard error; this goes to standard output, which may be a file.
    let style = Style { color: style.color && std::io::stdout().is_terminal(), ..style };
    let width = all.iter().map(|condition| condition.name.chars().count()).max().unwrap_or_default();
    for condition in all {
        let (word, paint) = match condition.state {
            State::Ok => ("ok     ", Paint::Good),
            State::Warn => ("warn   ", Paint::Warning),
            State::Missing => ("missing", Paint::Bad),
        };
        writeln!(out, "{}  {:width$}  {}", style.paint(paint, word), condition.name, condition.found)?;
        for fix in &condition.fix {
            writeln!(out, "{:9}{:width$}  {}", "", "", style.paint(Paint::Active, &format!("-> {fix}")))?;
        }
    }
    let count = |state| all.iter().filter(|condition| condition.state == state).count();
    let summary = match (count(State::Missing), count(State::Warn)) {
        (0, 0) => "nothing is missing".to_owned(),
        (0, warnings) => format!("nothing is missing, {warnings} to look at"),
        (missing, 0) => format!("{missing} missing"),
        (missing, warnings) => format!("{missing} missing, {warnings} to look at"),
    };
    writeln!(out, "\n{}", style.paint(Paint::Strong, &summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_is_a_line_and_its_cure_stands_below() {
        let all = [
            Condition::ok("git", "2.39.5"),
            Condition::missing("Docker engine", "nobody listens there").fix("sudo systemctl start docker"),
        ];
        let mut out = Vec::new();
        conditions(&mut out, &all, Style::plain()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ok       git            2.39.5\n\
             missing  Docker engine  nobody listens there\n                        -> sudo systemctl start docker\n\
             \n1 missing\n"
        );
    }
}
