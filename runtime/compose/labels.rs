//! Names and labels by which Compose, and tools around it, recognise what belongs to a project.

use std::collections::BTreeMap;

use super::application::Application;
use super::resource::{Network, Volume};
use super::service::Service;

/// The project's name, on everything.
pub const PROJECT: &str = "com.docker.compose.project";
/// The service's key.
pub const SERVICE: &str = "com.docker.compose.service";
/// Which of the service's containers, counted from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// `True` for a container of `run`, else `False`.
pub const ONEOFF: &str = "com.docker.compose.oneoff";
/// See [`Service::config_hash`].
pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// The id of the image that the container was made from.
pub const IMAGE: &str = "com.docker.compose.image";
/// `db:service_healthy:false,…`
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// The project's folder.
pub const WORKING_DIRECTORY: &str = "com.docker.compose.project.working_dir";
/// The compose files, separated by commas.
pub const CONFIG_FILES: &str = "com.docker.compose.project.config_files";
/// The environment file.
pub const ENVIRONMENT_FILE: &str = "com.docker.compose.project.environment_file";
/// Who made it; Compose writes its own version.
pub const VERSION: &str = "com.docker.compose.version";
/// The network's key.
pub const NETWORK: &str = "com.docker.compose.network";
/// The volume's key.
pub const VOLUME: &str = "com.docker.compose.volume";
/// The service's configuration as it was applied, for [`super::difference`]; not a label of Compose's.
pub const CONFIG: &str = "runbook.compose.config";

/// Which container of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instance {
    /// One that serves, counted from 1.
    Replica(u64),
    /// One that runs a command and ends; the text makes its name unique.
    OneOff(String),
}

impl Service {
    /// The container's name: `container_name`, else `PROJECT-SERVICE-1`; `PROJECT-SERVICE-run-…` for a one-off.
    pub fn name_of(&self, project: &str, instance: &Instance) -> String {
        match instance {
            Instance::OneOff(unique) => format!("{project}-{}-run-{unique}", self.name),
            Instance::Replica(_) if !self.container_name.is_empty() => self.container_name.clone(),
            Instance::Replica(number) => format!("{project}-{}-{number}", self.name),
        }
    }

    /// The names of a container in one of its networks: its own, the service's, and those the file adds there. A one-off has only its own.
    pub fn aliases(&self, network: &str, container: &str, instance: &Instance) -> Vec<String> {
        let mut aliases = vec![container.to_owned()];
        if matches!(instance, Instance::Replica(_)) {
            aliases.push(self.name.clone());
            let written = self.networks.get(network).and_then(Option::as_ref);
            aliases.extend(written.map(|attachment| attachment.aliases.clone()).unwrap_or_default());
        }
        let mut seen = Vec::new();
        aliases.retain(|alias| {
            !seen.contains(alias) && {
                seen.push(alias.clone());
                true
            }
        });
        aliases
    }

    /// All labels of a container: the file's, and those by which Compose recognises it. `image` is the id of its image.
    pub fn labels_of(&self, application: &Application, instance: &Instance, image: &str) -> BTreeMap<String, String> {
        let files: Vec<String> = application.files.iter().map(|file| file.display().to_string()).collect();
        let dependencies: Vec<String> =
            self.depends_on.iter().map(|(name, on)| format!("{name}:{}:{}", on.condition.name(), on.restart)).collect();
        let (number, oneoff) = match instance {
            Instance::Replica(number) => (*number, "False"),
            Instance::OneOff(_) => (1, "True"),
        };
        let mut labels = self.labels.clone();
        labels.extend(
            [
                (PROJECT, application.name.clone()),
                (SERVICE, self.name.clone()),
                (NUMBER, number.to_string()),
                (ONEOFF, oneoff.to_owned()),
                (CONFIG_HASH, self.config_hash()),
                (IMAGE, image.to_owned()),
                (DEPENDS_ON, dependencies.join(",")),
                (WORKING_DIRECTORY, application.directory.display().to_string()),
                (CONFIG_FILES, files.join(",")),
                (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
            ]
            .map(|(label, value)| (label.to_owned(), value)),
        );
        if let Some(file) = &application.env_file {
            labels.insert(ENVIRONMENT_FILE.to_owned(), file.display().to_string());
        }
        labels
    }
}

impl Network {
    /// All labels of the network.
    pub fn labels_of(&self, application: &Application, key: &str) -> BTreeMap<String, String> {
        resource_labels(&self.labels, application, (NETWORK, key), self.config_hash())
    }
}

impl Volume {
    /// All labels of the volume.
    pub fn labels_of(&self, application: &Application, key: &str) -> BTreeMap<String, String> {
        resource_labels(&self.labels, application, (VOLUME, key), self.config_hash())
    }
}

fn resource_labels(
    own: &BTreeMap<String, String>,
    application: &Application,
    (kind, key): (&str, &str),
    hash: String,
) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    labels.extend(
        [
            (PROJECT, application.name.clone()),
            (kind, key.to_owned()),
            (CONFIG_HASH, hash),
            (VERSION, env!("CARGO_PKG_VERSION").to_owned()),
        ]
        .map(|(label, value)| (label.to_owned(), value)),
    );
    labels
}
