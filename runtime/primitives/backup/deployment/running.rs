//! What runs of an application, by its images.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::images::{Name, SavedImage};
use crate::compose::{Application, labels};
use crate::drivers::docker::{Engine, Reference, at_once};
use crate::primitive::{Failure, FailureKind};

/// A container of the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The service.
    pub service: String,
    /// Its name.
    pub container: String,
    /// Does it run?
    pub running: bool,
    /// Its image, as it was named.
    pub image: String,
    /// `sha256:…`, the same on every machine.
    pub image_id: String,
    /// `repository@sha256:…` for each registry that the image is known to be in; none of what was only built here.
    pub digests: Vec<String>,
}

/// Every container of an application, and with `images` what their images are made of.
pub async fn look(
    engine: &Engine,
    model: &Application,
    images: bool,
) -> Result<(Vec<Instance>, Vec<SavedImage>), Failure> {
    let mine = [format!("{}={}", labels::PROJECT, model.name)];
    let is_one_off = |flag: &String| flag.eq_ignore_ascii_case("true");
    let listed = engine.containers(&mine).await?.into_iter();
    let listed = listed.filter(|one| !one.labels.get(labels::ONEOFF).is_some_and(is_one_off));
    let ids: Vec<String> = listed.map(|one| one.id).collect();
    let there = at_once(ids.iter().map(|id| engine.find(id)).collect::<Vec<_>>()).await?;
    let (mut services, mut digests) = (Vec::new(), BTreeMap::new());
    for container in there.into_iter().flatten() {
        let id = container.image_id.clone();
        if !digests.contains_key(&id) {
            let found = engine.image(&id).await?.map(|image| image.digests);
            digests.insert(id.clone(), found);
        }
        let known = digests.get(&id).cloned().flatten();
        if images && known.is_none() {
            let message = format!("the image of container `{}` is not there any more", container.name);
            return Err(Failure::new(FailureKind::NotFound, message).hint("it runs, but it cannot be saved"));
        }
        services.push(Instance {
            service: container.labels.get(labels::SERVICE).cloned().unwrap_or_default(),
            running: container.is_running(),
            container: container.name,
            image: container.image,
            image_id: id,
            digests: known.unwrap_or_default(),
        });
    }
    services.sort_by(|a, b| (&a.service, &a.container).cmp(&(&b.service, &b.container)));
    let images = if images { saved(engine, model, &services).await? } else { Vec::new() };
    Ok((services, images))
}

/// The images of these containers, each once, with the names that the compose files have for them.
async fn saved(engine: &Engine, model: &Application, services: &[Instance]) -> Result<Vec<SavedImage>, Failure> {
    let ids: BTreeSet<&String> = services.iter().map(|one| &one.image_id).collect();
    let (mut saved, mut taken) = (Vec::new(), BTreeSet::new());
    for id in ids {
        let image = engine.layered(id).await?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("the image `{id}` was removed while it was looked at"))
        })?;
        let mut names = Vec::new();
        for one in services.iter().filter(|one| one.image_id == *id) {
            let written = model.services.get(&one.service).map(|service| service.image.as_str());
            // A digest is no name that an engine could be told; one whose name has moved on is called by what it is.
            let named = [one.image.as_str()].into_iter().chain(written).find_map(|name| {
                Reference::parse(name).ok().map(|name| name.to_string()).filter(|name| !name.contains("sha256:"))
            });
            let name = named.filter(|name| taken.insert(name.clone())).unwrap_or_default();
            if !names.iter().any(|known: &Name| known.service == one.service) {
                names.push(Name { service: one.service.clone(), name });
            }
        }
        saved.push(SavedImage { image, names });
    }
    Ok(saved)
}
