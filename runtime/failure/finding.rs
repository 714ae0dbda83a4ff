use std::collections::BTreeMap;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The run would fail there, or do something that nobody can have meant; it is not started.
    Error,
    /// Worth a look; the run starts.
    Warning,
}

/// A text that repairs a finding when it replaces the marked characters.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Fix {
    /// What to put there.
    pub replacement: String,
}

/// Something wrong with a script, known before it runs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The name of the lint, in kebab case.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// The file, as the program calls it: relative to the project, or `std/…`.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are marked, at least 1.
    pub length: usize,
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
    /// A replacement of the marked characters, when one is known.
    pub fix: Option<Fix>,
    /// The environment it holds for, when several were checked.
    pub environment: Option<String>,
}

/// Everything that was found, with the texts it was found in.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Sorted by file, the runbook's own first, and place.
    pub findings: Vec<Finding>,
    /// The texts of all files of the program, by path.
    pub files: BTreeMap<String, String>,
}

impl Findings {
    /// Is there anything that must stop a run?
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Adds what was found in another program; what both found (in a module they share) stays once.
    pub fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        for finding in other.findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }
}

/// A lint as people read about it.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The name in kebab case, as findings carry it.
    pub code: &'static str,
    /// What it finds, in one sentence.
    pub summary: &'static str,
    /// Why it matters and what to do.
    pub help: &'static str,
}
