//! The engine's errors in the words of this program.

use rustic_core::{ErrorKind, RusticError};

use crate::failure::{Failure, FailureKind};

/// What the engine complains about; `what` completes the sentence "cannot …".
pub fn failure(what: &str, error: &RusticError) -> Failure {
    if error.is_incorrect_password() {
        return Failure::new(
            FailureKind::Unauthorized,
            format!("cannot {what}: the password is not that of the repository"),
        );
    }
    let shown = error.display_log();
    // The first line says what, the rest is for its authors.
    let lines = shown.lines().map(str::trim).filter(|line| !line.is_empty());
    let text: Vec<&str> = lines.take(4).collect();
    Failure::new(FailureKind::System, format!("cannot {what}: {}", text.join(" ")))
}

/// One of this program's own on its way through the engine.
pub fn passed(failure: &Failure) -> Box<RusticError> {
    RusticError::new(ErrorKind::InputOutput, "{why}").attach_context("why", failure.message.clone())
}
