//! The engine itself.

use std::time::Duration;

use bollard::query_parameters::ListContainersOptionsBuilder;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::errors::failure;
use crate::failure::Failure;

/// What kind of engine this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// The engine's version, as in `20.10.24`.
    pub version: String,
    /// The API version spoken with it, as in `1.41`.
    pub api_version: String,
    /// As in `overlay2`.
    pub storage_driver: String,
    /// As in `Debian GNU/Linux 12 (bookworm)`.
    pub operating_system: String,
    /// As in `x86_64`.
    pub architecture: String,
    /// The machine's name.
    pub name: String,
    /// Where it keeps its data.
    pub root: String,
    /// Processors.
    pub processors: i64,
    /// Memory in bytes.
    pub memory: i64,
}

/// What the engine's data takes, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUsage {
    /// How many images.
    pub images: usize,
    /// Their sizes added up. Layers that several share count for each, so this is an upper bound.
    pub images_size: i64,
    /// The part of it that images no container was made from take.
    pub reclaimable_size: i64,
    /// How many containers, in whatever state.
    pub containers: usize,
    /// What they wrote outside their volumes.
    pub containers_size: i64,
    /// How many volumes. The engine does not say how large they are without measuring each.
    pub volumes: usize,
}

/// How long an engine may take to say that it is there.
const WORD: Duration = Duration::from_secs(10);

impl Engine {
    /// Is it there?
    pub async fn answers(&self) -> bool {
        let asked = async { self.api().await?.ping().await.map_err(|error| failure(self.address(), "ask it", error)) };
        matches!(tokio::time::timeout(WORD, asked).await, Ok(Ok(_)))
    }

    /// What kind of engine this is.
    pub async fn info(&self) -> Result<EngineInfo, Failure> {
        let info = self.api().await?.info().await;
        let info = info.map_err(|error| failure(self.address(), "ask the engine about itself", error))?;
        Ok(EngineInfo {
            version: info.server_version.unwrap_or_default(),
            api_version: self.api_version().await?,
            storage_driver: info.driver.unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            architecture: info.architecture.unwrap_or_default(),
            name: info.name.unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default(),
            processors: info.ncpu.unwrap_or_default(),
            memory: info.mem_total.unwrap_or_default(),
        })
    }

    /// Who it is: no other engine says the same.
    pub async fn identity(&self) -> Result<String, Failure> {
        let info = self.api().await?.info().await;
        let info = info.map_err(|error| failure(self.address(), "ask the engine about itself", error))?;
        Ok(info.id.unwrap_or_default())
    }

    /// What the engine's data takes. Added up from the lists: the engine's own sum changed its shape between versions.
    pub async fn disk_usage(&self) -> Result<DiskUsage, Failure> {
        let images = self.images().await?;
        let options = ListContainersOptionsBuilder::default().all(true).size(true).build();
        let containers = self.api().await?.list_containers(Some(options)).await;
        let containers = containers.map_err(|error| failure(self.address(), "list containers", error))?;
        let used = |id: &String| containers.iter().any(|container| container.image_id.as_ref() == Some(id));
        Ok(DiskUsage {
            images: images.len(),
            images_size: images.iter().map(|image| image.size).sum(),
            reclaimable_size: images.iter().filter(|image| !used(&image.id)).map(|image| image.size).sum(),
            containers: containers.len(),
            containers_size: containers.iter().filter_map(|container| container.size_rw).sum(),
            volumes: self.volumes(&[]).await?.len(),
        })
    }
}
