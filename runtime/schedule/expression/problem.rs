use serde::Serialize;

/// What kind of mistake it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// It cannot be read.
    Syntax,
    /// It can be read, and never fires.
    Never,
}

/// A mistake in an expression, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of mistake.
    pub kind: ProblemKind,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The expression.
    pub expression: String,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are wrong, at least 1.
    pub length: usize,
}

impl Problem {
    /// A mistake at a byte of `text` over so many characters.
    pub(super) fn at(text: &str, place: usize, length: usize, message: impl Into<String>) -> Self {
        let before = text.get(..place).unwrap_or(text).chars().count();
        Self {
            kind: ProblemKind::Syntax,
            message: message.into(),
            hint: None,
            expression: text.to_owned(),
            column: before + 1,
            length: length.max(1),
        }
    }

    /// A mistake of the whole.
    pub(super) fn whole(text: &str, message: impl Into<String>) -> Self {
        Self::at(text, 0, text.chars().count(), message)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn of_kind_never(self) -> Self {
        let message = self.message.trim_start_matches("it never fires: ");
        Self { kind: ProblemKind::Never, message: format!("it never fires: {message}"), ..self }
    }

    /// The message, and the expression with its wrong part underlined.
    pub fn with_caret(&self) -> String {
        let shown = self.expression.replace('\t', " ");
        format!("{}\n  {shown}\n  {}{}", self.message, " ".repeat(self.column - 1), "^".repeat(self.length))
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.with_caret())
    }
}
