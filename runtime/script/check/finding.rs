use super::tree::At;

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fix {
    /// What to put there.
    pub replacement: String,
}

/// Something wrong with a script.
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
    /// What to do about it, one sentence each.
    pub hints: Vec<String>,
    /// A replacement of the marked characters, when one is known.
    pub fix: Option<Fix>,
    /// The environment it holds for, when several were checked.
    pub environment: Option<String>,
}

impl Finding {
    pub(super) fn error(code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            file: String::new(),
            line: at.line,
            column: at.column,
            length: 0,
            message: message.into(),
            hints: Vec::new(),
            fix: None,
            environment: None,
        }
    }

    pub(super) fn warning(code: &'static str, at: At, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, at, message) }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// "did you mean", as a hint and as a replacement of the marked name.
    pub(super) fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.hint(format!("did you mean `{name}`?")).replace(name),
            None => self,
        }
    }

    pub(super) fn replace(mut self, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { replacement: replacement.into() });
        self
    }

    pub(super) fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }
}
