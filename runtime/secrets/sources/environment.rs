use std::env::VarError;

use super::{SecretText, Source};
use crate::failure::{Failure, FailureKind};

/// The environment variables of this process.
pub(super) struct Variables {
    prefix: String,
}

impl Variables {
    /// Those whose name is a secret's with this before it.
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }
}

impl Source for Variables {
    fn label(&self) -> String {
        match self.prefix.as_str() {
            "" => "the environment variables of this process".to_owned(),
            prefix => format!("the environment variables `{prefix}…` of this process"),
        }
    }

    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        let variable = format!("{}{name}", self.prefix);
        match std::env::var(&variable) {
            Ok(value) => Ok(Some(SecretText::new(value))),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => {
                Err(Failure::new(FailureKind::Invalid, format!("the environment variable `{variable}` is not text")))
            }
        }
    }

    /// Without a prefix nobody can tell which variables are secrets.
    fn names(&self) -> Result<Vec<String>, Failure> {
        if self.prefix.is_empty() {
            return Ok(Vec::new());
        }
        let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Ok(variables.filter_map(|name| name.strip_prefix(&self.prefix).map(str::to_owned)).collect())
    }

    fn how_to_set(&self, name: &str) -> String {
        format!("set the environment variable `{}{name}` where `runbook` is started", self.prefix)
    }
}
