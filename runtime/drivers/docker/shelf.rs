//! What is in a volume, without a process: a container that mounts it is made and never started.

use std::collections::{BTreeMap, HashMap};

use bollard::query_parameters::ListContainersOptionsBuilder;

use super::errors::failure;
use super::inspect::summary;
use super::{BuildRequest, ContainerSpec, ContainerSummary, Engine, Mount, MountKind, Reference};
use crate::failure::{Failure, FailureKind};

/// Where the volume is in that container.
pub const SHELF: &str = "/volume";
/// An image with nothing in it, for an engine that has no other.
const EMPTY: &str = "runbook/empty:1";

impl Engine {
    /// Containers that have a volume, running or not, by name.
    pub async fn users_of_volume(&self, volume: &str) -> Result<Vec<ContainerSummary>, Failure> {
        let filters = HashMap::from([("volume", vec![volume.to_owned()])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let listed = self.api().await?.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| failure(self.address(), "list containers", error))?;
        let mut containers: Vec<ContainerSummary> = listed.into_iter().map(summary).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    /// Makes a container that is never started and has the volume at [`SHELF`]. Returns its id; whoever asked for it removes it.
    pub async fn make_shelf(
        &self,
        name: &str,
        volume: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        // Left by a process that was killed.
        self.remove(name, false).await?;
        let mut images = self.images().await?;
        images.retain(|image| !image.tags.is_empty());
        images.sort_by(|a, b| (a.size, &a.tags).cmp(&(b.size, &b.tags)));
        for image in images {
            match self.create(&spec_of(name, volume, labels, &image.id)).await {
                // Removed in the meantime.
                Err(failure) if failure.kind == FailureKind::NotFound => {}
                made => return made,
            }
        }
        self.make_empty_image().await?;
        self.create(&spec_of(name, volume, labels, EMPTY)).await
    }

    async fn make_empty_image(&self) -> Result<(), Failure> {
        let folder = std::env::temp_dir().join(format!("runbook-empty-{}", std::process::id()));
        let failed = |error: std::io::Error| Failure::system("make a folder for an image", &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let written = std::fs::write(folder.join("Dockerfile"), "FROM scratch\nLABEL dev.runbook.empty=1\n");
        let request =
            BuildRequest { folder: folder.clone(), tags: vec![Reference::parse(EMPTY)?], ..BuildRequest::default() };
        let built = match written {
            Ok(()) => self.build(&request, &mut |_| {}).await.map(drop),
            Err(error) => Err(failed(error)),
        };
        let _ = std::fs::remove_dir_all(&folder);
        built
    }
}

fn spec_of(name: &str, volume: &str, labels: &BTreeMap<String, String>, image: &str) -> ContainerSpec {
    ContainerSpec {
        name: name.to_owned(),
        image: image.to_owned(),
        // Nothing of it is ever run, but the engine wants to know what would be.
        entrypoint: Some(vec!["/never-started".into()]),
        command: Some(Vec::new()),
        labels: labels.clone(),
        network_mode: Some("none".into()),
        mounts: vec![Mount {
            kind: MountKind::Volume,
            source: volume.to_owned(),
            target: SHELF.to_owned(),
            no_copy: true,
            ..Mount::default()
        }],
        ..ContainerSpec::default()
    }
}
