//! Images the engine has.

use std::collections::BTreeMap;

use bollard::errors::Error;
use bollard::models::{ImageInspect, ImageSummary};
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use serde::{Deserialize, Serialize};

use super::errors::failure;
use super::inspect::sorted;
use super::{Engine, Reference};
use crate::failure::Failure;

/// An image of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Its id: `sha256:…`. The same everywhere, but not the registry's digest.
    pub id: String,
    /// `name:tag`, all of them.
    pub tags: Vec<String>,
    /// `name@sha256:…` for each registry it was pulled from or pushed to.
    pub digests: Vec<String>,
    /// Bytes, layers shared with others included.
    pub size: i64,
    /// When it was built, RFC 3339, or seconds since 1970 in a list.
    pub created: String,
    /// When the engine last gave it a name, RFC 3339: for one that was pulled, when that was. Only when inspected.
    pub tagged: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports it says it listens on: `80/tcp`. Only when inspected.
    pub exposed: Vec<String>,
    /// `NAME=value`. Only when inspected.
    pub env: Vec<String>,
    /// Paths it declares as volumes. Only when inspected.
    pub volumes: Vec<String>,
    /// Operating system and architecture: `linux/amd64`. Only when inspected.
    pub platform: String,
}

impl Image {
    /// The digest in this reference's repository: `sha256:…`.
    pub fn digest_in(&self, reference: &Reference) -> Option<&str> {
        let name = reference.name();
        self.digests
            .iter()
            .filter_map(|digest| digest.split_once('@'))
            .find(|(of, _)| *of == name)
            .map(|(_, digest)| digest)
    }
}

impl Engine {
    /// The image of that name or id, or `None`.
    pub async fn image(&self, name: &str) -> Result<Option<Image>, Failure> {
        match self.api().await?.inspect_image(name).await {
            Ok(answer) => Ok(Some(inspected(answer))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failure(self.address(), format!("inspect image `{name}`"), error)),
        }
    }

    /// All images, newest first; intermediate ones of builds left out.
    pub async fn images(&self) -> Result<Vec<Image>, Failure> {
        let options = ListImagesOptionsBuilder::default().digests(true).build();
        let listed = self.api().await?.list_images(Some(options)).await;
        let mut listed = listed.map_err(|error| failure(self.address(), "list images", error))?;
        listed.sort_by_key(|image| std::cmp::Reverse(image.created));
        Ok(listed.into_iter().map(summary).collect())
    }

    /// Gives an image another name. `false` when it had it already.
    pub async fn tag(&self, image: &str, name: &Reference) -> Result<bool, Failure> {
        let source = self.image(image).await?;
        let present = self.image(&name.to_string()).await?;
        if let (Some(source), Some(present)) = (&source, &present)
            && source.id == present.id
        {
            return Ok(false);
        }
        let options = TagImageOptionsBuilder::default().repo(&name.name()).tag(name.version()).build();
        let tagged = self.api().await?.tag_image(image, Some(options)).await;
        tagged.map_err(|error| failure(self.address(), format!("tag image `{image}` as `{name}`"), error))?;
        Ok(true)
    }

    /// Takes a name away, and the image with its last name. `false` when there was none of that name.
    pub async fn remove_image(&self, image: &str, force: bool) -> Result<bool, Failure> {
        let options = RemoveImageOptionsBuilder::default().force(force).build();
        match self.api().await?.remove_image(image, Some(options), None).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(failure(self.address(), format!("remove image `{image}`"), error)),
        }
    }
}

fn inspected(answer: ImageInspect) -> Image {
    let config = answer.config.unwrap_or_default();
    let mut exposed = config.exposed_ports.unwrap_or_default();
    exposed.sort();
    Image {
        id: answer.id.unwrap_or_default(),
        tags: answer.repo_tags.unwrap_or_default(),
        digests: answer.repo_digests.unwrap_or_default(),
        size: answer.size.unwrap_or_default(),
        created: answer.created.unwrap_or_default(),
        tagged: answer.metadata.and_then(|metadata| metadata.last_tag_time).unwrap_or_default(),
        labels: sorted(config.labels),
        exposed,
        env: config.env.unwrap_or_default(),
        volumes: config.volumes.unwrap_or_default(),
        platform: format!("{}/{}", answer.os.unwrap_or_default(), answer.architecture.unwrap_or_default()),
    }
}

fn summary(answer: ImageSummary) -> Image {
    let real = |names: Vec<String>| names.into_iter().filter(|name| !name.starts_with("<none>")).collect();
    Image {
        id: answer.id,
        tags: real(answer.repo_tags),
        digests: real(answer.repo_digests),
        size: answer.size,
        created: answer.created.to_string(),
        labels: sorted(Some(answer.labels)),
        ..Image::default()
    }
}
