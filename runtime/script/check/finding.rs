//! Putting findings together.

use super::tree::At;
use crate::failure::{Finding, Fix, Severity};

/// An error at a place; its file and length are filled in when it is reported.
pub(super) fn error(code: &'static str, at: At, message: impl Into<String>) -> Finding {
    Finding {
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

/// A warning at a place.
pub(super) fn warning(code: &'static str, at: At, message: impl Into<String>) -> Finding {
    Finding { severity: Severity::Warning, ..error(code, at, message) }
}

/// What a finding can be given besides its message.
pub(super) trait Details: Sized {
    /// What to do about it.
    fn hint(self, hint: impl Into<String>) -> Self;
    /// A replacement of the marked characters.
    fn replace(self, replacement: impl Into<String>) -> Self;
    /// How many characters are marked; without it, the token at the place.
    fn length(self, length: usize) -> Self;
    /// "did you mean", as a hint and as a replacement of the marked name.
    fn did_you_mean(self, name: Option<&str>) -> Self;
}

impl Details for Finding {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn replace(mut self, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { replacement: replacement.into() });
        self
    }

    fn length(mut self, length: usize) -> Self {
        self.length = length;
        self
    }

    fn did_you_mean(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.hint(format!("did you mean `{name}`?")).replace(name),
            None => self,
        }
    }
}
