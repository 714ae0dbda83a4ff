//! What runs of an application at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compose::labels;
use crate::drivers::docker::{
    Container, ContainerSpec, Image, Network, NetworkSpec, Reference, Volume, VolumeSpec, at_once,
};
use crate::primitive::{Failure, FailureKind, handle};
use crate::primitives::compose::app::{App, Existing};
use crate::primitives::compose::confidential;
use crate::primitives::compose::differs::is_bookkeeping;
use crate::primitives::compose::namespaces::Namespaces;
use crate::primitives::compose::short;

use super::history;

/// A release: the content of its handle, and of its record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Snapshot {
    /// The project.
    pub project: String,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The number of the record, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i64>,
    /// The number of the release that was brought back, when that is how this one came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored: Option<i64>,
    /// By service, for people and scripts.
    pub services: BTreeMap<String, ServiceImage>,
    /// Every container, so that it can be made again.
    pub containers: Vec<Recorded>,
    /// The project's networks.
    pub networks: Vec<NetworkSpec>,
    /// The project's volumes.
    pub volumes: Vec<VolumeSpec>,
    /// How long services took, where this release changed them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timings: BTreeMap<String, Timing>,
    /// What was seen of the images, by id; no part of the record.
    #[serde(skip)]
    pub images: BTreeMap<String, Image>,
}

/// Networks and volumes that carry the project's label.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labelled {
    networks: Vec<Network>,
    volumes: Vec<Volume>,
}

impl Labelled {
    /// Asks for all of them.
    pub async fn find(app: &App<'_>) -> Result<Self, Failure> {
        let mine = [format!("{}={}", labels::PROJECT, app.name())];
        let (networks, volumes) = tokio::try_join!(app.engine.networks(&mine), app.engine.volumes(&mine))?;
        Ok(Self { networks, volumes })
    }
}

/// How long a service took to change, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timing {
    /// From its start until it passed its gate.
    pub start: u64,
    /// From the question to stop until the old container had stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<u64>,
}

impl Timing {
    /// Two times that were measured.
    pub fn new(start: Duration, stop: Option<Duration>) -> Self {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self { start: milliseconds(start), stop: stop.map(milliseconds) }
    }
}

/// The image of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceImage {
    /// As it was named.
    pub image: String,
    /// `sha256:…`
    pub image_id: String,
    /// `repository@sha256:…`; `None` for what was built on the engine.
    pub digest: Option<String>,
}

/// A container, so that it can be made again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recorded {
    /// The service.
    pub service: String,
    /// Which of its containers.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Its image.
    #[serde(flatten)]
    pub image: ServiceImage,
    /// Did it run?
    pub running: bool,
    /// What it is created from.
    pub spec: ContainerSpec,
}

impl Snapshot {
    /// The fields that tell how everything is made again.
    pub const CREATION: [&str; 3] = ["containers", "networks", "volumes"];

    /// Looks at what runs now.
    pub fn take(app: &App<'_>) -> Result<Self, Failure> {
        let snapshot = app.look("looking at what runs", found(app))?;
        snapshot.mask(app);
        Ok(snapshot)
    }

    /// The same of what was looked at already; of the images some may be known by id.
    pub fn seen(
        app: &App<'_>,
        existing: &Existing,
        labelled: Labelled,
        images: BTreeMap<String, Image>,
    ) -> Result<Self, Failure> {
        let snapshot = app.look("looking at what runs", described(app, existing, labelled, images))?;
        snapshot.mask(app);
        Ok(snapshot)
    }

    /// Keeps what the containers' variables hold out of everything that is shown.
    fn mask(&self, app: &App<'_>) {
        for recorded in &self.containers {
            let variables = recorded.spec.env.iter().filter_map(|variable| variable.split_once('='));
            confidential::mask(app.context, variables);
        }
    }

    /// Reads a `release` handle, and what it names; it must be of this project.
    pub fn of(app: &App<'_>, release: Option<&Value>) -> Result<Self, Failure> {
        let release = release.cloned().unwrap_or_default();
        let snapshot: Self = serde_json::from_value(release)
            .map_err(|error| Failure::new(FailureKind::Argument, format!("the release handle is damaged: {error}")))?;
        if snapshot.project == app.name() {
            let snapshot = match snapshot.number.filter(|_| snapshot.containers.is_empty()) {
                Some(number) => Self { number: Some(number), ..history::content(&history::numbered(app, number)?) },
                None => snapshot,
            };
            snapshot.mask(app);
            return Ok(snapshot);
        }
        let (theirs, ours) = (&snapshot.project, app.name());
        Err(Failure::new(FailureKind::Argument, format!("this is a release of `{theirs}`, not of `{ours}`")))
    }

    /// The `release` handle.
    pub fn handle(&self) -> Value {
        handle("release", json!(self))
    }

    /// `api sha256:3f2a91c0b7de, db sha256:…`
    pub fn shown(&self) -> String {
        let of = |(service, image): (&String, &ServiceImage)| {
            let digest = image.digest.as_deref().and_then(|digest| digest.rsplit_once('@')).map(|(_, digest)| digest);
            format!("{service} {}", short(digest.unwrap_or(&image.image_id)))
        };
        self.services.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// Do both describe the same containers?
    pub fn is_same(&self, other: &Self) -> bool {
        let of = |snapshot: &Self| -> BTreeMap<(String, u64), Value> {
            let key = |recorded: &Recorded| (recorded.service.clone(), recorded.number);
            snapshot.containers.iter().map(|recorded| (key(recorded), fingerprint(&recorded.spec))).collect()
        };
        of(self) == of(other)
    }

    /// In what the running containers deviate from this release: images, and whether they run at all.
    pub fn deviations(&self, now: &Self) -> Vec<String> {
        let find = |recorded: &Recorded| {
            now.containers.iter().find(|other| (&other.service, other.number) == (&recorded.service, recorded.number))
        };
        let mut found = Vec::new();
        for wanted in &self.containers {
            let name = &wanted.name;
            match find(wanted) {
                None => found.push(format!("{name} is missing")),
                Some(other) if !same_image(&wanted.image, &other.image) => found.push(format!(
                    "{name} runs {}, recorded is {}",
                    short(&other.image.image_id),
                    short(&wanted.image.image_id)
                )),
                Some(other) if wanted.running && !other.running => found.push(format!("{name} does not run")),
                Some(_) => {}
            }
        }
        let known: BTreeSet<(&String, u64)> =
            self.containers.iter().map(|recorded| (&recorded.service, recorded.number)).collect();
        let extra = now.containers.iter().filter(|other| !known.contains(&(&other.service, other.number)));
        found.extend(extra.map(|other| format!("{} is not part of it", other.name)));
        found
    }
}

fn same_image(a: &ServiceImage, b: &ServiceImage) -> bool {
    a.image_id == b.image_id || (a.digest.is_some() && a.digest == b.digest)
}

/// What a container is, without its name, who made it and how its image is called.
pub(crate) fn fingerprint(spec: &ContainerSpec) -> Value {
    let mut spec = spec.clone();
    spec.name.clear();
    spec.labels.retain(|label, _| !is_bookkeeping(label));
    spec.env.sort();
    spec.mounts.sort_by(|a, b| a.target.cmp(&b.target));
    for network in &mut spec.networks {
        // A container's own name among its aliases follows its name.
        network.aliases.sort();
        network.aliases.dedup();
    }
    json!(spec)
}

async fn found(app: &App<'_>) -> Result<Snapshot, Failure> {
    let expected = app.expected();
    let existing = Existing::find(&app.engine, app.name(), &expected);
    let (existing, labelled) = tokio::try_join!(existing, Labelled::find(app))?;
    described(app, &existing, labelled, BTreeMap::new()).await
}

async fn described(
    app: &App<'_>,
    existing: &Existing,
    labelled: Labelled,
    mut images: BTreeMap<String, Image>,
) -> Result<Snapshot, Failure> {
    let namespaces = Namespaces::of(existing);
    let mut snapshot = Snapshot { project: app.name().to_owned(), ..Snapshot::default() };
    let ids: BTreeSet<&String> = existing.serving.values().map(|container| &container.image_id).collect();
    let unknown = ids.into_iter().filter(|id| !images.contains_key(*id));
    let found = at_once(unknown.map(|id| app.engine.image(id)).collect::<Vec<_>>()).await?;
    images.extend(found.into_iter().flatten().map(|image| (image.id.clone(), image)));
    for ((service, number), container) in &existing.serving {
        let image = image_of(container, images.get(&container.image_id));
        let mut spec = ContainerSpec::from_inspect(container)?;
        namespaces.name(&mut spec);
        snapshot.services.entry(service.clone()).or_insert_with(|| image.clone());
        snapshot.containers.push(Recorded {
            service: service.clone(),
            number: *number,
            name: container.name.clone(),
            image,
            running: container.is_running(),
            spec,
        });
    }
    snapshot.images = images;
    for network in labelled.networks {
        snapshot.networks.push(NetworkSpec {
            name: network.name,
            driver: network.driver,
            driver_options: network.driver_options,
            labels: network.labels,
            internal: network.internal,
            attachable: network.attachable,
            ipv6: Some(network.ipv6),
            ..NetworkSpec::default()
        });
    }
    for volume in labelled.volumes {
        let (name, driver, labels) = (volume.name, volume.driver, volume.labels);
        snapshot.volumes.push(VolumeSpec { name, driver, labels, driver_options: volume.driver_options });
    }
    Ok(snapshot)
}

/// The image under the name and digest that people know it by.
fn image_of(container: &Container, image: Option<&Image>) -> ServiceImage {
    let reference = Reference::parse(&container.image).ok();
    let digest = image.and_then(|image| {
        let named =
            reference.as_ref().and_then(|name| image.digest_in(name).map(|found| format!("{}@{found}", name.name())));
        named.or_else(|| image.digests.first().cloned())
    });
    ServiceImage { image: container.image.clone(), image_id: container.image_id.clone(), digest }
}
