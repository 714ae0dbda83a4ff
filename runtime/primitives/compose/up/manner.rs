//! In which order the containers of a place change, and what stands in the way of the better one.
//!
//! Start-first wants two containers beside each other. Where that cannot be, a canary proves the new version without
//! the place, and only then the old container stops; the plan says why, where, and how long nobody will answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Options;
use super::place::{Place, Step};
use crate::compose::{self, Service, UpdateConfig, is_configuration, is_shared, is_socket};
use crate::drivers::docker::{Container, ContainerSpec};
use crate::primitive::OptionType;
use crate::primitives::compose::release::Timing;

/// Which of two containers goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The old one stops before the new one starts.
    #[default]
    StopFirst,
    /// The new one starts before the old one stops.
    StartFirst,
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "stop-first" => Ok(Self::StopFirst),
            "start-first" => Ok(Self::StartFirst),
            other => Err(serde::de::Error::custom(format!("cannot be `{other}`: it is `stop-first` or `start-first`"))),
        }
    }
}

impl OptionType for Order {
    fn label() -> String {
        "string".to_owned()
    }
}

/// Commands to run in running services, by service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Commands(pub BTreeMap<String, Vec<String>>);

impl OptionType for Commands {
    fn label() -> String {
        "map of commands".to_owned()
    }
}

/// How a container is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// The old one stops, then the new one starts.
    #[default]
    StopFirst,
    /// The new one starts beside the old one, which stops when the new one has taken over.
    StartFirst,
    /// A container without the place proves the new version; then as [`Manner::StopFirst`].
    Canary,
}

/// What to do when a new container fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// Nothing more is replaced.
    #[default]
    Pause,
    /// The service's other containers are replaced all the same.
    Continue,
    /// The service's containers that were replaced get their old ones back.
    Rollback,
}

impl OnFailure {
    /// As the files say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Continue => "continue",
            Self::Rollback => "rollback",
        }
    }
}

/// How the containers of a service are replaced: `update_config`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Update {
    /// Which one first.
    pub order: Order,
    /// How many at once; 0 means all.
    pub parallelism: usize,
    /// The pause between them.
    pub delay: Duration,
    /// How long each new one is watched after it passed its gate.
    pub monitor: Duration,
    /// What to do when one fails.
    pub on_failure: OnFailure,
    /// The share that may fail.
    pub tolerated: f64,
}

impl Default for Update {
    fn default() -> Self {
        Self {
            order: Order::default(),
            parallelism: 1,
            delay: Duration::ZERO,
            monitor: Duration::ZERO,
            on_failure: OnFailure::default(),
            tolerated: 0.0,
        }
    }
}

impl Update {
    /// As the files say it of a service; the option wins.
    pub fn of(service: &Service, options: &Options) -> Self {
        let written = service.deploy.as_ref().and_then(|deploy| deploy.update_config.clone()).unwrap_or_default();
        Self::written(&written, options)
    }

    /// As the configuration says it that a container carries.
    pub fn recorded(config: Option<&Value>, options: &Options) -> Self {
        let found = config.and_then(|config| config.pointer("/deploy/update_config")).cloned().unwrap_or_default();
        let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let time = |key: &str| compose::Duration::parse(&text(key)).unwrap_or_default();
        let written = UpdateConfig {
            parallelism: found.get("parallelism").and_then(Value::as_u64),
            delay: time("delay"),
            failure_action: text("failure_action"),
            monitor: time("monitor"),
            max_failure_ratio: found.get("max_failure_ratio").and_then(Value::as_f64).unwrap_or_default(),
            order: text("order"),
        };
        Self::written(&written, options)
    }

    fn written(config: &UpdateConfig, options: &Options) -> Self {
        Self {
            order: options.order.unwrap_or(match config.order.as_str() {
                "start-first" => Order::StartFirst,
                _ => Order::StopFirst,
            }),
            parallelism: config.parallelism.map_or(1, |number| usize::try_from(number).unwrap_or(usize::MAX)),
            delay: config.delay.0,
            monitor: config.monitor.0,
            on_failure: match config.failure_action.as_str() {
                "continue" => OnFailure::Continue,
                "rollback" => OnFailure::Rollback,
                _ => OnFailure::Pause,
            },
            tolerated: config.max_failure_ratio,
        }
    }
}

/// What was measured of services when they were brought up last, with the release it was recorded in.
pub(super) type Measured = BTreeMap<String, (Timing, i64)>;

/// Decides how a place's container is replaced, and writes down why.
pub(super) fn decide(
    place: &mut Place,
    update: &Update,
    obstacles: &[String],
    options: &Options,
    measured: &dyn Fn() -> Measured,
) {
    let (Step::Put(desired), Some(present)) = (&place.step, &place.present) else { return };
    if update.order != Order::StartFirst || !present.is_running() || place.idle {
        return;
    }
    let inherited = inherited(present, &desired.spec, &place.image.volumes);
    let in_the_way: Vec<&String> = obstacles.iter().chain(&inherited).collect();
    if in_the_way.is_empty() {
        place.manner = Manner::StartFirst;
        place.notes.push("start-first: the old one serves until the new one is healthy".to_owned());
        return;
    }
    place.manner = if options.canary && stands_alone(&desired.spec) { Manner::Canary } else { Manner::StopFirst };
    let canary = if place.manner == Manner::Canary { ", after a canary" } else { "" };
    place.notes.push(format!("stop-first{canary}: start-first is not possible"));
    place.notes.extend(in_the_way.into_iter().map(|obstacle| format!("  {obstacle}")));
    place.notes.push(gap(measured().get(&place.service)));
}

/// How long nobody will answer.
fn gap(measured: Option<&(Timing, i64)>) -> String {
    match measured {
        Some((timing, release)) => {
            let stop = timing.stop.unwrap_or_default();
            format!(
                "nobody answers for about {} (stopping {}, starting {}: measured in release {release})",
                seconds(timing.start + stop),
                seconds(stop),
                seconds(timing.start)
            )
        }
        None => "nobody answers while it stops and starts: how long that takes was not measured yet".to_owned(),
    }
}

/// `3.2s` of milliseconds.
pub(super) fn seconds(milliseconds: u64) -> String {
    format!("{}.{}s", (milliseconds + 50) / 1000, (milliseconds + 50) % 1000 / 100)
}

/// What stands in the way of a container that was recorded: there are no files to name.
pub(super) fn recorded(spec: &ContainerSpec, alone: bool, shared: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let fixed = spec.ports.iter().filter_map(|port| port.host_port.as_deref()).find(|port| !matches!(*port, "" | "0"));
    found.extend(fixed.map(|port| format!("the port {port} of the host is fixed")));
    let addressed = spec.networks.iter().find(|network| network.ipv4.is_some() || network.ipv6.is_some());
    found.extend(addressed.map(|network| format!("the address in `{}` is fixed", network.name)));
    found.extend((!stands_alone(spec)).then(|| "both would listen in the same network".to_owned()));
    if !is_numbered(spec) {
        found.push(format!("the name `{}` is fixed", spec.name));
    }
    let volumes = spec.mounts.iter().filter(|mount| !mount.read_only && !mount.source.is_empty());
    let volumes = volumes.filter(|mount| !matches!(mount.kind, crate::drivers::docker::MountKind::Tmpfs));
    let binds = spec.binds.iter().filter_map(|bind| {
        let mut parts = bind.split(':');
        let source = parts.next()?;
        let read_only = parts.nth(1).is_some_and(|flags| flags.split(',').any(|flag| flag == "ro"));
        (!read_only && !is_socket(source) && !is_configuration(source)).then_some(source)
    });
    let written = volumes.map(|mount| mount.source.as_str()).chain(binds).filter(|source| {
        let name = source.rsplit_once('_').map_or(*source, |(_, name)| name);
        alone && !is_shared(source, shared) && !is_shared(name, shared)
    });
    found.extend(written.map(|source| format!("`{source}` has one writer")));
    found
}

/// Has it the name that follows from project, service and number, as this or the first version of Compose writes it?
fn is_numbered(spec: &ContainerSpec) -> bool {
    let label = |label: &str| spec.labels.get(label).map(String::as_str).unwrap_or_default();
    let (project, service) = (label(compose::labels::PROJECT), label(compose::labels::SERVICE));
    let number = label(compose::labels::NUMBER);
    ["-", "_"].iter().any(|between| spec.name == [project, service, number].join(between))
}

/// Anonymous volumes move on from the old container to the new one, so they have one writer as well.
fn inherited(present: &Container, spec: &ContainerSpec, image_volumes: &[String]) -> Vec<String> {
    let anonymous = present.mounts.iter().filter(|mounted| mounted.is_anonymous());
    anonymous
        .filter(|mounted| {
            image_volumes.contains(&mounted.target) && !spec.mounts.iter().any(|mount| mount.target == mounted.target)
        })
        .map(|mounted| format!("the image keeps data in `{}`, in a volume with one writer", mounted.target))
        .collect()
}

/// Does it have a network of its own?
fn stands_alone(spec: &ContainerSpec) -> bool {
    let shares = |mode: &str| mode == "host" || mode.starts_with("service:") || mode.starts_with("container:");
    !spec.network_mode.as_deref().is_some_and(shares)
}
