use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::resource::{FileObject, Model, Network, Volume};
use super::service::Service;

/// A project as its compose files describe it, normalized.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    /// The project's name.
    pub name: String,
    /// The project's folder.
    pub directory: PathBuf,
    /// The compose files, absolute, in the order in which they were merged.
    pub files: Vec<PathBuf>,
    /// The environment file that was read for variables.
    pub env_file: Option<PathBuf>,
    /// Every file that was read: the compose files with those they include and extend, and files of variables and labels.
    pub read: BTreeSet<PathBuf>,
    /// The services whose profiles are active.
    pub services: BTreeMap<String, Service>,
    /// The services whose profiles are not.
    pub disabled: BTreeMap<String, Service>,
    /// Networks by their keys, the implied `default` included.
    pub networks: BTreeMap<String, Network>,
    /// Volumes by their keys.
    pub volumes: BTreeMap<String, Volume>,
    /// Configs by their keys.
    pub configs: BTreeMap<String, FileObject>,
    /// Secrets by their keys.
    pub secrets: BTreeMap<String, FileObject>,
    /// Models by their keys.
    pub models: BTreeMap<String, Model>,
    /// Top-level `x-…` values.
    pub extensions: BTreeMap<String, Value>,
    /// Are files of this machine none of the engine's? Then what they hold travels, and is not mounted. For whoever knows
    /// the engine to say.
    pub travels: bool,
    /// The variables that the files were read with: those asked for, over those of the environment file.
    pub variables: BTreeMap<String, String>,
    /// What is odd and not wrong: unset variables, keys without effect.
    pub warnings: Vec<Problem>,
}

impl Application {
    /// The networks that an active service uses and that the project owns or expects.
    pub fn used_networks(&self) -> BTreeMap<&str, &Network> {
        let used: BTreeSet<&str> =
            self.services.values().flat_map(|service| service.networks.keys().map(String::as_str)).collect();
        used.into_iter().filter_map(|key| self.networks.get(key).map(|network| (key, network))).collect()
    }

    /// The volumes that an active service mounts.
    pub fn used_volumes(&self) -> BTreeMap<&str, &Volume> {
        let mounts = self.services.values().flat_map(|service| &service.volumes);
        let used: BTreeSet<&str> =
            mounts.filter(|mount| mount.kind == "volume").map(|mount| mount.source.as_str()).collect();
        used.into_iter().filter_map(|key| self.volumes.get(key).map(|volume| (key, volume))).collect()
    }

    /// The same application with only these services and those they depend on; a disabled one that is named becomes active.
    ///
    /// The error is the name that no service has.
    pub fn only(&self, names: &[String]) -> Result<Self, String> {
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        let mut open: Vec<(String, bool)> = names.iter().map(|name| (name.clone(), true)).collect();
        while let Some((name, required)) = open.pop() {
            match self.services.get(&name).or_else(|| self.disabled.get(&name)) {
                Some(service) if wanted.insert(name.clone()) => {
                    open.extend(service.depends_on.iter().map(|(name, on)| (name.clone(), on.required)));
                }
                None if required => return Err(name),
                _ => {}
            }
        }
        let mut all = self.disabled.clone();
        all.extend(self.services.clone());
        let (services, disabled) = all.into_iter().partition(|(name, _)| wanted.contains(name));
        Ok(Self { services, disabled, ..self.clone() })
    }

    /// What the active services ask for and would not get here, in the order of services: their containers are not made.
    ///
    /// The files are right all the same, and load; [`Service::unmet`] and [`super::Build::unmet`] say it of one service.
    pub fn unmet(&self) -> Vec<&Problem> {
        self.services.values().flat_map(|service| &service.unmet).collect()
    }

    /// What `config` prints, as data: the active services and all networks, volumes, configs and secrets.
    pub fn to_json(&self) -> Value {
        let mut top: BTreeMap<String, Value> =
            BTreeMap::from([("name".to_owned(), json!(self.name)), ("services".to_owned(), json!(self.services))]);
        let sections = [
            ("networks", json!(self.networks)),
            ("volumes", json!(self.volumes)),
            ("secrets", json!(self.secrets)),
            ("configs", json!(self.configs)),
            ("models", json!(self.models)),
        ];
        for (key, section) in sections {
            if section.as_object().is_some_and(|section| !section.is_empty()) {
                top.insert(key.to_owned(), section);
            }
        }
        top.extend(self.extensions.clone());
        Value::Object(top.into_iter().collect::<Map<_, _>>())
    }
}
