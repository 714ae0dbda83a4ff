//! Volumes.

use std::collections::{BTreeMap, HashMap};

use bollard::errors::Error;
use bollard::models;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::errors::failure;
use super::inspect::sorted;
use crate::failure::{Failure, FailureKind};

/// What a volume should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSpec {
    /// Its name; empty lets the engine make one up.
    pub name: String,
    /// The driver; empty is `local`.
    pub driver: String,
    /// Options of the driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// A volume of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// Options of the driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Where its files are on the engine's machine.
    pub mountpoint: String,
}

impl Engine {
    /// Volumes that carry all these labels, written `name` or `name=value`, by name.
    pub async fn volumes(&self, labels: &[String]) -> Result<Vec<Volume>, Failure> {
        let mut options = ListVolumesOptionsBuilder::default();
        if !labels.is_empty() {
            options = options.filters(&HashMap::from([("label", labels.to_vec())]));
        }
        let listed = self.api().await?.list_volumes(Some(options.build())).await;
        let listed = listed.map_err(|error| failure(self.address(), "list volumes", error))?;
        let mut volumes: Vec<Volume> = listed.volumes.unwrap_or_default().into_iter().map(volume).collect();
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(volumes)
    }

    /// The volume of that name, or `None`.
    pub async fn volume(&self, name: &str) -> Result<Option<Volume>, Failure> {
        match self.api().await?.inspect_volume(name).await {
            Ok(answer) => Ok(Some(volume(answer))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failure(self.address(), format!("inspect volume `{name}`"), error)),
        }
    }

    /// Creates a volume. A name that is taken is a conflict: the engine would hand out the present one, other labels and all.
    pub async fn create_volume(&self, spec: &VolumeSpec) -> Result<Volume, Failure> {
        let what = format!("create volume `{}`", spec.name);
        if !spec.name.is_empty() && self.volume(&spec.name).await?.is_some() {
            return Err(Failure::new(FailureKind::Conflict, format!("cannot {what}: there is one of that name")));
        }
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let map = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone().into_iter().collect());
        let request = models::VolumeCreateRequest {
            name: text(&spec.name),
            driver: text(&spec.driver),
            driver_opts: map(&spec.driver_options),
            labels: map(&spec.labels),
            ..Default::default()
        };
        let created = self.api().await?.create_volume(request).await;
        created.map(volume).map_err(|error| failure(self.address(), &what, error))
    }

    /// Removes a volume and the data in it. `false` when there was none; a conflict while a container uses it.
    pub async fn remove_volume(&self, name: &str) -> Result<bool, Failure> {
        let options = RemoveVolumeOptionsBuilder::default().build();
        match self.api().await?.remove_volume(name, Some(options)).await {
            Ok(()) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(failure(self.address(), format!("remove volume `{name}`"), error)),
        }
    }
}

fn volume(answer: models::Volume) -> Volume {
    Volume {
        name: answer.name,
        driver: answer.driver,
        driver_options: sorted(Some(answer.options)),
        labels: sorted(Some(answer.labels)),
        mountpoint: answer.mountpoint,
    }
}
