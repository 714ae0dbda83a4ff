use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Reads a TOML file of ours; what is wrong is told with line and column, counted from 1.
pub(super) fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let failure = Failure::in_toml(file, text, &error);
        if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
            return failure.hint(format!(
                "two people changed it: `git checkout --theirs {file}`, then make your own change again"
            ));
        }
        failure.hint(format!("it is changed with `runbook secret` only; `git log -p {file}` shows who did otherwise"))
    })
}
