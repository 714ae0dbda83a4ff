use serde::de::DeserializeOwned;

use crate::failure::{Failure, FailureKind};

/// Reads a TOML file of ours; what is wrong is told with line and column, counted from 1.
pub(super) fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let message = error.message().trim_end().replace('\n', ", ");
        let failure = Failure::new(FailureKind::Invalid, format!("{file}:{line}:{column}: {message}"));
        if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
            return failure.hint(format!(
                "two people changed it: `git checkout --theirs {file}`, then make your own change again"
            ));
        }
        failure.hint(format!("it is changed with `runbook secret` only; `git log -p {file}` shows who did otherwise"))
    })
}
