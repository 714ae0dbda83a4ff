//! What those who ask the service may know of the project.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::places;
use super::super::schedule::Registry;
use crate::failure::Failure;
use crate::project::{BackupRepository, ProjectFile, WebhookEntry};
use crate::schedule::Definition;
use crate::secrets::{Sources, redactor_as_far_as_known};
use crate::serve::api::Surroundings;
use crate::serve::{Project, version_of};

/// The project at this folder, read anew each time: it may say something else by now.
pub(super) struct Here {
    pub(super) root: PathBuf,
    pub(super) served: Arc<Served>,
}

/// The schedules that the service goes by. Thousands of them are not read at each question again, and are in memory once.
#[derive(Default)]
pub(super) struct Served(Mutex<Option<Reading>>);

struct Reading {
    definitions: Arc<BTreeMap<String, Definition>>,
    files: Arc<[PathBuf]>,
    version: u64,
}

impl Served {
    /// Notes that the service goes by these from now on.
    pub(super) fn note(&self, project: &Project) {
        let (definitions, files) = (project.definitions.clone(), project.files.clone());
        let version = version_of(&files);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Reading { definitions, files, version });
    }

    /// Those of the last reading; none when a file has changed since.
    fn present(&self) -> Option<Arc<BTreeMap<String, Definition>>> {
        let reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let present = reading.as_ref().filter(|reading| version_of(&reading.files) == reading.version);
        present.map(|reading| reading.definitions.clone())
    }
}

impl Here {
    fn definitions(&self) -> Result<Arc<BTreeMap<String, Definition>>, Failure> {
        match self.served.present() {
            Some(definitions) => Ok(definitions),
            None => Ok(Arc::new(Registry::load(&self.root)?.definitions)),
        }
    }
}

impl Surroundings for Here {
    fn words(
        &self,
        runbook: &str,
        environment: Option<&str>,
        parameters: &Map<String, Value>,
    ) -> Result<Vec<String>, Failure> {
        Registry::load(&self.root)?.words_of(runbook, environment, parameters)
    }

    fn schedules(&self) -> Result<Value, Failure> {
        let definitions = self.definitions()?;
        let now = Timestamp::now().as_second();
        let line = |definition: &Definition| {
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
        Ok(definitions.values().map(line).collect())
    }

    fn gaps(&self, accounted: &[(String, i64)], until: i64) -> Result<usize, Failure> {
        let definitions = self.definitions()?;
        let is_gap = |(name, accounted): &&(String, i64)| {
            let next = definitions.get(name).and_then(|definition| definition.fires_after(*accounted).next());
            next.is_some_and(|next| next <= until)
        };
        Ok(accounted.iter().filter(is_gap).count())
    }

    fn backups(&self) -> Result<BTreeMap<String, BackupRepository>, Failure> {
        Ok(ProjectFile::load(&self.root)?.backups)
    }

    fn webhook(&self, name: &str) -> Result<Option<WebhookEntry>, Failure> {
        Ok(ProjectFile::load(&self.root)?.webhooks.get(name).cloned())
    }

    fn webhook_key(&self, webhook: &WebhookEntry) -> Result<String, Failure> {
        let project = places::project_in(self.root.clone(), webhook.env.as_deref())?;
        Ok(Sources::of(&project)?.get(&webhook.key.secret)?.text.expose().to_owned())
    }

    fn redact(&self, environment: Option<&str>, text: &mut String) {
        if let Ok(project) = places::project_in(self.root.clone(), environment) {
            redactor_as_far_as_known(&project).redact(text);
        }
    }
}
