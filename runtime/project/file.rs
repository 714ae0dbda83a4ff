use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::without_schedules::without_schedules;
use super::{
    ApiSection, BackupRepository, Environment, Host, NotifySection, ScheduleEntry, SecretsSection, WebhookEntry,
};
use crate::failure::{Failure, FailureKind};
use crate::units::{ByteSize, Span};

/// The name of the project file.
pub const PROJECT_FILE: &str = "runbook.toml";

/// The environment of a project that has none.
const UNNAMED: &str = "default";

/// How to log in to a registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryLogin {
    /// The user name.
    pub username: String,
    /// The environment variable of the `runbook` process that holds the password or token.
    pub password_env: String,
}

/// `[logs]`: how long the output of runs is kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogRetention {
    /// Months that ended longer ago are dropped.
    pub keep: Span,
    /// Of more than this, the oldest months are dropped.
    pub max_size: ByteSize,
}

impl Default for LogRetention {
    fn default() -> Self {
        Self { keep: Span(Duration::from_secs(400 * 24 * 60 * 60)), max_size: ByteSize(5 << 30) }
    }
}

/// `[runs]`: how long runs are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunRetention {
    /// Those that began longer ago are dropped.
    pub keep: Span,
    /// Of more than so many of a runbook on an environment, the oldest are dropped; any number when left out.
    pub most: Option<u64>,
    /// While the run log takes more than this, the oldest are dropped; any size when left out.
    pub max_size: Option<ByteSize>,
    /// `[runs.of."RUNBOOK"]`: for one runbook, by its path.
    pub of: BTreeMap<String, RunbookRetention>,
}

/// What is another for one runbook.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunbookRetention {
    /// As in `[runs]`.
    pub keep: Option<Span>,
    /// As in `[runs]`.
    pub most: Option<u64>,
}

impl Default for RunRetention {
    fn default() -> Self {
        Self { keep: LogRetention::default().keep, most: None, max_size: None, of: BTreeMap::new() }
    }
}

/// `[service]`: how much `runbook serve` does at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceLimits {
    /// Runs at the same time.
    pub runs: usize,
    /// Runs at the same time on one environment; as many as there may be where it is not named.
    pub runs_on: BTreeMap<String, usize>,
    /// Memory that the process of a run may ask the system for; any amount when left out.
    pub memory: Option<ByteSize>,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self { runs: 4, runs_on: BTreeMap::new(), memory: None }
    }
}

/// What `runbook.toml` says.
#[derive(Clone, Debug, Default)]
pub struct ProjectFile {
    /// `[project] name`, else the folder's name.
    pub name: String,
    /// `[project] default_env`.
    pub default_environment: Option<String>,
    /// `[env.NAME]`, by name.
    pub environments: BTreeMap<String, Environment>,
    /// `[registry."host:port"]`, by address.
    pub registries: BTreeMap<String, RegistryLogin>,
    /// `[host.NAME]`, by name.
    pub hosts: BTreeMap<String, Host>,
    /// `[logs]`.
    pub logs: LogRetention,
    /// `[runs]`.
    pub runs: RunRetention,
    /// `[schedule.NAME]`, by name.
    pub schedules: BTreeMap<String, ScheduleEntry>,
    /// `[service]`.
    pub service: ServiceLimits,
    /// `[secrets]`.
    pub secrets: SecretsSection,
    /// `[notify]`.
    pub notify: NotifySection,
    /// `[api]`; none where the service is not to be asked.
    pub api: Option<ApiSection>,
    /// `[webhook.NAME]`, by name.
    pub webhooks: BTreeMap<String, WebhookEntry>,
    /// `[backup.NAME]`, by name.
    pub backups: BTreeMap<String, BackupRepository>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    project: Head,
    #[serde(default)]
    env: BTreeMap<String, Map<String, Value>>,
    #[serde(default)]
    registry: BTreeMap<String, RegistryLogin>,
    #[serde(default)]
    host: BTreeMap<String, Host>,
    #[serde(default)]
    logs: LogRetention,
    #[serde(default)]
    runs: RunRetention,
    #[serde(default)]
    schedule: BTreeMap<String, ScheduleEntry>,
    #[serde(default)]
    service: ServiceLimits,
    #[serde(default)]
    secrets: SecretsSection,
    #[serde(default)]
    notify: NotifySection,
    api: Option<ApiSection>,
    #[serde(default)]
    webhook: BTreeMap<String, WebhookEntry>,
    #[serde(default)]
    backup: BTreeMap<String, BackupRepository>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: Option<String>,
    default_env: Option<String>,
}

/// The nearest folder at or above `start` that holds a project file.
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|folder| folder.join(PROJECT_FILE).is_file()).map(Path::to_path_buf)
}

impl ProjectFile {
    /// Reads the project file in `root`; without one, the project is named after the folder and has no environments.
    pub fn load(root: &Path) -> Result<Self, Failure> {
        Self::read(root, Self::parse)
    }

    /// The same, but for the schedules: they are not even looked at, where that can be.
    pub fn load_without_schedules(root: &Path) -> Result<Self, Failure> {
        let file = Self::read(root, |text, folder_name| {
            let rest = without_schedules(text).and_then(|rest| Self::parse(&rest, folder_name).ok());
            rest.map_or_else(|| Self::parse(text, folder_name), Ok)
        })?;
        Ok(Self { schedules: BTreeMap::new(), ..file })
    }

    fn read(root: &Path, parse: impl FnOnce(&str, &str) -> Result<Self, Failure>) -> Result<Self, Failure> {
        let path = root.join(PROJECT_FILE);
        let folder_name =
            || root.file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy().into_owned());
        if !path.is_file() {
            return Ok(Self { name: folder_name(), ..Self::default() });
        }
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?;
        parse(&text, &folder_name())
    }

    /// Parses the text of a project file; the error names line and column.
    pub fn parse(text: &str, folder_name: &str) -> Result<Self, Failure> {
        let parsed: Text = toml::from_str(text).map_err(|error| Failure::in_toml(PROJECT_FILE, text, &error))?;
        let wrong = |why: String| Failure::new(FailureKind::Invalid, format!("{PROJECT_FILE}: {why}"));
        let environments: BTreeMap<String, Environment> = parsed
            .env
            .into_iter()
            .map(|(name, values)| {
                let protected = values.get("protected").and_then(Value::as_bool).unwrap_or(false);
                (name.clone(), Environment { name, protected, values })
            })
            .collect();
        if let Some(default) = parsed.project.default_env.as_ref().filter(|name| !environments.contains_key(*name)) {
            return Err(wrong(format!("`default_env` names `{default}`, but there is no [env.{default}]")));
        }
        if let Some(problem) = parsed.secrets.problem(&environments.keys().collect::<Vec<_>>()) {
            return Err(wrong(problem));
        }
        if let Some(problem) = parsed.notify.problem(&environments.keys().collect::<Vec<_>>()) {
            return Err(wrong(problem));
        }
        for (name, repository) in &parsed.backup {
            repository.place().map_err(|why| wrong(format!("[backup.{name}]: {why}")))?;
        }
        Ok(Self {
            name: parsed.project.name.unwrap_or_else(|| folder_name.to_owned()),
            default_environment: parsed.project.default_env,
            environments,
            registries: parsed.registry,
            hosts: parsed.host,
            logs: parsed.logs,
            runs: parsed.runs,
            schedules: parsed.schedule,
            service: parsed.service,
            secrets: parsed.secrets,
            notify: parsed.notify,
            api: parsed.api,
            webhooks: parsed.webhook,
            backups: parsed.backup,
        })
    }

    /// The environment of that name; without a name the default one, or the only one.
    pub fn environment(&self, name: Option<&str>) -> Result<Environment, Failure> {
        let names = || self.environments.keys().cloned().collect::<Vec<_>>().join(", ");
        if name == Some(UNNAMED) && self.environments.is_empty() {
            return Ok(Environment::named(UNNAMED));
        }
        match name.or(self.default_environment.as_deref()) {
            Some(name) => self.environments.get(name).cloned().ok_or_else(|| {
                let failure =
                    Failure::new(FailureKind::NotFound, format!("there is no environment `{name}` in {PROJECT_FILE}"));
                if self.environments.is_empty() {
                    failure.hint(format!("add [env.{name}] to {PROJECT_FILE}"))
                } else {
                    failure.hint(format!("the environments are {}", names()))
                }
            }),
            None => match self.environments.values().next() {
                None => Ok(Environment::named(UNNAMED)),
                Some(only) if self.environments.len() == 1 => Ok(only.clone()),
                Some(_) => Err(Failure::new(FailureKind::Argument, "which environment?")
                    .hint(format!("pass --env with one of {}", names()))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_table_is_not_told_by_the_name_of_a_type() {
        for text in
            ["[secrets]\nsources = [\"env\"]\n", "[backup]\nmain = \"x\"\n", "secrets = 1\n", "[schedule]\nx = 1\n"]
        {
            let error = ProjectFile::parse(text, "shop").map(|_| ()).unwrap_err().message;
            assert!(error.contains(", expected a table"), "{error}");
            assert!(!error.contains("struct") && !error.contains("enum"), "{error}");
        }
    }
}
