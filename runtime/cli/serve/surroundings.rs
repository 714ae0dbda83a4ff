//! What those who ask the service may know of the project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::places;
use super::super::schedule::Registry;
use crate::failure::Failure;
use crate::project::{BackupRepository, ProjectFile, WebhookEntry};
use crate::secrets::{Sources, redactor_as_far_as_known};
use crate::serve::api::Surroundings;

/// The project at this folder, read anew each time: it may say something else by now.
pub(super) struct Here(pub(super) PathBuf);

impl Surroundings for Here {
    fn words(
        &self,
        runbook: &str,
        environment: Option<&str>,
        parameters: &Map<String, Value>,
    ) -> Result<Vec<String>, Failure> {
        Registry::load(&self.0)?.words_of(runbook, environment, parameters)
    }

    fn schedules(&self) -> Result<Value, Failure> {
        let registry = Registry::load(&self.0)?;
        let now = Timestamp::now().as_second();
        let line = |definition: &crate::schedule::Definition| {
            let next = definition.fires_after(now).next().and_then(|at| Timestamp::from_second(at).ok());
            json!({
                "name": definition.name(),
                "when": definition.when(),
                "zone": definition.zone().name(),
                "next": next,
                "runbook": definition.runbook(),
                "env": definition.entry().env,
            })
        };
        Ok(registry.definitions.values().map(line).collect())
    }

    fn gaps(&self, accounted: &[(String, i64)], until: i64) -> Result<usize, Failure> {
        let definitions = Registry::load(&self.0)?.definitions;
        let is_gap = |(name, accounted): &&(String, i64)| {
            let next = definitions.get(name).and_then(|definition| definition.fires_after(*accounted).next());
            next.is_some_and(|next| next <= until)
        };
        Ok(accounted.iter().filter(is_gap).count())
    }

    fn backups(&self) -> Result<BTreeMap<String, BackupRepository>, Failure> {
        Ok(ProjectFile::load(&self.0)?.backups)
    }

    fn webhook(&self, name: &str) -> Result<Option<WebhookEntry>, Failure> {
        Ok(ProjectFile::load(&self.0)?.webhooks.get(name).cloned())
    }

    fn webhook_key(&self, webhook: &WebhookEntry) -> Result<String, Failure> {
        let project = places::project_in(self.0.clone(), webhook.env.as_deref())?;
        Ok(Sources::of(&project)?.get(&webhook.key.secret)?.text.expose().to_owned())
    }

    fn redact(&self, environment: Option<&str>, text: &mut String) {
        if let Ok(project) = places::project_in(self.0.clone(), environment) {
            redactor_as_far_as_known(&project).redact(text);
        }
    }
}
