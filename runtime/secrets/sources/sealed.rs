use std::sync::OnceLock;

use super::{SecretText, Source};
use crate::failure::Failure;
use crate::project::Project;
use crate::secrets::sealed::{Identity, Opened, Store, file_of};

/// The sealed values in the repository: `secrets/ENVIRONMENT.toml`.
pub(super) struct Sealed {
    environment: String,
    /// `None` when the environment has no such file.
    opened: Option<Opened>,
    identity: OnceLock<Identity>,
}

impl Sealed {
    /// Reads and verifies the file of the project's environment. No identity is needed before the first value.
    pub(super) fn open(project: &Project) -> Result<Self, Failure> {
        let environment = project.environment().name.clone();
        let opened = Store::of(project.root(), project.file())?.open(&environment)?;
        Ok(Self { environment, opened, identity: OnceLock::new() })
    }

    fn identity(&self) -> Result<&Identity, Failure> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let identity = Identity::require()?;
        Ok(self.identity.get_or_init(|| identity))
    }
}

impl Source for Sealed {
    fn label(&self) -> String {
        let file = file_of(&self.environment);
        if self.opened.is_some() { format!("`{file}`") } else { format!("`{file}`, which is not there") }
    }

    fn get(&self, name: &str) -> Result<Option<SecretText>, Failure> {
        match &self.opened {
            Some(opened) if opened.value(name).is_some() => opened.get(name, self.identity()?),
            _ => Ok(None),
        }
    }

    fn names(&self) -> Result<Vec<String>, Failure> {
        Ok(self.opened.as_ref().map(Opened::names).unwrap_or_default())
    }

    fn how_to_set(&self, name: &str) -> String {
        format!("runbook secret set {name} --env {}", self.environment)
    }
}
