//! Questions at the terminal.

use std::io::IsTerminal;
use std::sync::Arc;

use crate::drivers::prompt::Prompt;
use crate::failure::{Failure, FailureKind};
use crate::report::Console;

/// Asks on the console.
pub(super) struct Terminal(pub(super) Arc<Console>);

impl Terminal {
    /// Is there a person to ask?
    pub(super) fn is_there() -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }
}

impl Prompt for Terminal {
    fn confirm(&self, question: &str, abandoned: &dyn Fn() -> bool) -> Result<Option<bool>, Failure> {
        let answer = self.0.ask(&format!("{question} [y/N]"), abandoned).unwrap_or_default();
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(Some(true)),
            "" | "n" | "no" => Ok(Some(false)),
            other => Err(Failure::new(FailureKind::Refused, format!("`{other}` is neither yes nor no"))),
        }
    }

    fn type_name(&self, question: &str, name: &str, abandoned: &dyn Fn() -> bool) -> Result<Option<bool>, Failure> {
        let answer = self.0.ask(&format!("{question} Type `{name}` to go on:"), abandoned).unwrap_or_default();
        Ok(Some(answer.trim() == name))
    }
}
