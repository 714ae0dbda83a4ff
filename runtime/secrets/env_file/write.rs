use std::collections::{BTreeMap, BTreeSet};

use super::forms::form_for;
use super::{Assignment, Dialect, Rules};

/// What a file is to hold.
#[derive(Clone)]
pub struct Contents<'a> {
    /// Who has to read the same values; at least one.
    pub dialects: &'a [Dialect],
    /// Names and values, in the order of the file.
    pub values: &'a [(String, String)],
    /// Comment lines at the top, without `#`.
    pub comment: &'a str,
}

/// The longest `NAME=value` in bytes, with the zero byte after it, that Linux hands to a program (`MAX_ARG_STRLEN`).
const LONGEST: usize = 128 << 10;

impl Contents<'_> {
    /// The whole file, or why which variables cannot be in it.
    pub fn whole(&self) -> Result<String, Vec<String>> {
        let mut text: String = self.comment.lines().map(comment_line).collect();
        let mut problems = self.comment_problems();
        for (name, value) in self.values {
            match self.line(name, value) {
                Ok(line) => text.push_str(&line),
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.prove(&text, &[]).map(|()| text)
    }

    /// The old file with these variables in it: its other variables, comments and order stay, and so does the line of a
    /// variable that has its value already.
    pub fn merged(&self, old: &str) -> Result<String, Vec<String>> {
        let mut problems = Vec::new();
        let found = self.dialects[0]
            .read(old)
            .map_err(|fault| vec![format!("line {} of the file as it is: {}", fault.line, fault.message)])?;
        let mut lines: Vec<Option<String>> = old.split_inclusive('\n').map(|line| Some(line.to_owned())).collect();
        let mut added = String::new();
        for (name, value) in self.values {
            let line = match self.line(name, value) {
                Ok(line) => line,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let places: Vec<&Assignment> = found.iter().filter(|found| found.name == *name).collect();
            match places.last() {
                None => added.push_str(&line),
                Some(last) if last.value == *value => {}
                Some(last) => {
                    for place in &places {
                        lines[place.lines.clone()].fill(None);
                    }
                    lines[last.lines.start] = Some(line);
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut text: String = lines.into_iter().flatten().collect();
        if !text.is_empty() && !text.ends_with('\n') && !added.is_empty() {
            text.push('\n');
        }
        text.push_str(&added);
        self.prove(&text, &found).map(|()| text)
    }

    /// `NAME=value` in a form that every reader reads as this value.
    fn line(&self, name: &str, value: &str) -> Result<String, String> {
        let rules = || self.dialects.iter().map(|dialect| dialect.rules());
        if let Some((why, program)) = rules().find_map(|rules| Some((rules.refuses_name(name)?, rules.program()))) {
            return Err(format!("`{name}` cannot be a variable of {program}: {why}"));
        }
        if value.contains('\0') {
            return Err(format!("`{name}` holds a zero byte, which no environment can"));
        }
        if name.len() + value.len() + 2 > LONGEST {
            return Err(format!("`{name}` is longer than 128 KiB, which Linux hands to no program"));
        }
        form_for(self.dialects, name, value).map(|form| format!("{name}={form}\n")).ok_or_else(|| {
            let reasons: Vec<String> = rules()
                .filter_map(|rules| Some(format!("{}: {}", rules.program(), rules.refuses_value(name, value)?)))
                .collect();
            if reasons.is_empty() {
                let programs: Vec<&str> = rules().map(Rules::program).collect();
                format!("`{name}` has a value that cannot be written so that {} read it", programs.join(" and "))
            } else {
                format!("`{name}` has a value that cannot be written for {}", reasons.join("; and for "))
            }
        })
    }

    /// Reads the text back with the rules of every dialect: these values are in it, and no variable but theirs and those of
    /// `others`.
    fn prove(&self, text: &str, others: &[Assignment]) -> Result<(), Vec<String>> {
        let own = self.values.iter().map(|(name, _)| name.as_str());
        let known: BTreeSet<&str> = own.chain(others.iter().map(|other| other.name.as_str())).collect();
        let mut problems = Vec::new();
        for dialect in self.dialects {
            let program = dialect.rules().program();
            let found = match dialect.read(text) {
                Ok(found) => found,
                Err(fault) => {
                    problems.push(format!("line {} cannot be read by {program}: {}", fault.line, fault.message));
                    continue;
                }
            };
            let found: BTreeMap<&str, &str> =
                found.iter().map(|found| (found.name.as_str(), found.value.as_str())).collect();
            for (name, value) in self.values {
                if found.get(name.as_str()) != Some(&value.as_str()) {
                    problems.push(format!("`{name}` would be read back as another value by {program}"));
                }
            }
            for name in found.keys().filter(|name| !known.contains(*name)) {
                problems.push(format!("`{name}` would be read by {program} although nobody wrote it"));
            }
            for other in others.iter().filter(|other| !found.contains_key(other.name.as_str())) {
                problems.push(format!("`{}` would be lost", other.name));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// A backslash at the end of a comment hides the next line from older versions of systemd.
    fn comment_problems(&self) -> Vec<String> {
        let is_wrong = |line: &&str| line.trim_end().ends_with('\\') || line.contains(|c: char| c.is_control());
        let wrong = self.comment.lines().filter(is_wrong);
        wrong
            .map(|line| format!("the comment line {line:?} has a control character or ends with a backslash"))
            .collect()
    }
}

fn comment_line(line: &str) -> String {
    format!("# {line}").trim_end().to_owned() + "\n"
}
