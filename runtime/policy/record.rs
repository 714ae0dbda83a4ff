use serde::{Deserialize, Serialize};

use super::{Budget, Declared, Grant, Narrowing, PolicyFile, Rules, line};
use crate::project::Environment;

/// What counted for a run, as its journal keeps it: so that it can be seen afterwards who changed what and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Is the environment protected?
    pub protected: bool,
    /// `@needs`; `None` when the runbook declares nothing.
    pub declared: Option<String>,
    /// SHA-256 of `policy.toml`; `None` when there is none.
    pub file: Option<String>,
    /// What that grants here.
    pub allowed: Option<String>,
    /// What that denies here.
    pub denied: Option<String>,
    /// What the command line took away.
    pub narrowing: Narrowing,
    /// What the run may do at most.
    pub budget: Budget,
}

impl Record {
    pub(super) fn of(
        environment: &Environment,
        declared: &Declared,
        rules: Option<&Rules>,
        file: Option<&PolicyFile>,
        narrowing: &Narrowing,
        budget: Budget,
    ) -> Self {
        let shown = |grants: &[Grant]| line(grants);
        Self {
            protected: environment.protected,
            declared: declared.needs.as_deref().map(shown),
            file: file.map(|file| file.digest.clone()),
            allowed: rules.map(|rules| shown(&rules.allow)),
            denied: rules.map(|rules| shown(&rules.deny)),
            narrowing: narrowing.clone(),
            budget,
        }
    }
}
