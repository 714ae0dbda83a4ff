//! Containers as the engine describes them, turned into plain data.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::errors::failure;
use super::{
    AttachedNetwork, Container, ContainerState, ContainerSummary, Engine, Health, HealthCheck, HealthProbe,
    HealthStatus, MountedPath, PublishedPort,
};
use crate::failure::{Failure, FailureKind};

impl Engine {
    /// Containers in whatever state that carry all these labels, written `name` or `name=value`.
    pub async fn containers(&self, labels: &[String]) -> Result<Vec<ContainerSummary>, Failure> {
        let mut options = ListContainersOptionsBuilder::default().all(true);
        if !labels.is_empty() {
            options = options.filters(&HashMap::from([("label", labels.to_vec())]));
        }
        let listed = self.api().await?.list_containers(Some(options.build())).await;
        let listed = listed.map_err(|error| failure(self.address(), "list containers", error))?;
        let mut containers: Vec<ContainerSummary> = listed.into_iter().map(summary).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    /// Everything about one container, by name or id.
    pub async fn inspect(&self, container: &str) -> Result<Container, Failure> {
        let answer = self.api().await?.inspect_container(container, None).await;
        Ok(inspected(answer.map_err(|error| failure(self.address(), format!("inspect `{container}`"), error))?))
    }

    /// The same, or `None` when there is no such container.
    pub async fn find(&self, container: &str) -> Result<Option<Container>, Failure> {
        match self.inspect(container).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.kind == FailureKind::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

pub(super) fn summary(answer: models::ContainerSummary) -> ContainerSummary {
    let ports = answer.ports.unwrap_or_default().into_iter();
    ContainerSummary {
        id: answer.id.unwrap_or_default(),
        name: plain_name(answer.names.and_then(|names| names.into_iter().next())),
        image: answer.image.unwrap_or_default(),
        image_id: answer.image_id.unwrap_or_default(),
        state: state(&answer.state.map(|state| state.to_string()).unwrap_or_default()),
        status: answer.status.unwrap_or_default(),
        labels: sorted(answer.labels),
        ports: ports
            .filter_map(|port| {
                Some(PublishedPort {
                    container: port.private_port,
                    protocol: port.typ.map(|protocol| protocol.to_string()).unwrap_or_default(),
                    host_ip: port.ip.unwrap_or_default(),
                    host_port: port.public_port?,
                })
            })
            .collect(),
        created: answer.created.unwrap_or_default(),
    }
}

fn inspected(answer: models::ContainerInspectResponse) -> Container {
    let raw = serde_json::to_value(&answer).unwrap_or_default();
    let id = answer.id.unwrap_or_default();
    let status = answer.state.unwrap_or_default();
    let config = answer.config.unwrap_or_default();
    let settings = answer.network_settings.unwrap_or_default();
    let now = state(&status.status.map(|status| status.to_string()).unwrap_or_default());
    let mut exposed = config.exposed_ports.unwrap_or_default();
    exposed.sort();
    let mut mounts: Vec<MountedPath> = answer.mounts.unwrap_or_default().into_iter().map(mounted).collect();
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
    let ended = matches!(now, ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting);
    let short = id.get(..12).unwrap_or_default().to_owned();
    Container {
        name: plain_name(answer.name),
        image: config.image.unwrap_or_default(),
        image_id: answer.image.unwrap_or_default(),
        state: now,
        exit_code: status.exit_code.filter(|_| ended),
        oom_killed: status.oom_killed.unwrap_or(false),
        error: status.error.unwrap_or_default(),
        pid: status.pid.filter(|pid| *pid > 0),
        health: status.health.and_then(health),
        healthcheck: config.healthcheck.map(health_check).filter(|check| check.test.iter().any(|word| word != "NONE")),
        shell: config.shell.unwrap_or_default(),
        ports: published(settings.ports.unwrap_or_default()),
        exposed,
        env: config.env.unwrap_or_default(),
        labels: sorted(config.labels),
        networks: settings
            .networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, endpoint)| (name, attached(endpoint, &short)))
            .collect(),
        mounts,
        created: answer.created.unwrap_or_default(),
        started: real_time(status.started_at),
        finished: real_time(status.finished_at),
        restart_count: answer.restart_count.unwrap_or_default(),
        tty: config.tty.unwrap_or(false),
        id,
        raw,
    }
}

pub(super) fn health_check(config: models::HealthConfig) -> HealthCheck {
    let time = |nanoseconds: Option<i64>| {
        nanoseconds.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).map(Duration::from_nanos)
    };
    HealthCheck {
        test: config.test.unwrap_or_default(),
        interval: time(config.interval),
        timeout: time(config.timeout),
        retries: config.retries.filter(|retries| *retries > 0),
        start_period: time(config.start_period),
        start_interval: time(config.start_interval),
    }
}

fn health(health: models::Health) -> Option<Health> {
    let status = match health.status? {
        models::HealthStatusEnum::HEALTHY => HealthStatus::Healthy,
        models::HealthStatusEnum::UNHEALTHY => HealthStatus::Unhealthy,
        models::HealthStatusEnum::STARTING => HealthStatus::Starting,
        models::HealthStatusEnum::EMPTY | models::HealthStatusEnum::NONE => return None,
    };
    let probe = |result: models::HealthcheckResult| HealthProbe {
        start: result.start.unwrap_or_default(),
        end: result.end.unwrap_or_default(),
        exit_code: result.exit_code.unwrap_or_default(),
        output: result.output.unwrap_or_default(),
    };
    let log = health.log.unwrap_or_default().into_iter().map(probe).collect();
    Some(Health { status, failing_streak: health.failing_streak.unwrap_or_default(), log })
}

/// The engine adds the short id to the aliases by itself, and would take it for a wish when it is given back.
fn attached(endpoint: models::EndpointSettings, short_id: &str) -> AttachedNetwork {
    let aliases = endpoint.aliases.unwrap_or_default();
    AttachedNetwork {
        id: endpoint.network_id.unwrap_or_default(),
        aliases: aliases.into_iter().filter(|alias| alias != short_id).collect(),
        ip_address: endpoint.ip_address.unwrap_or_default(),
        gateway: endpoint.gateway.unwrap_or_default(),
        mac_address: endpoint.mac_address.unwrap_or_default(),
    }
}

fn mounted(mount: models::MountPoint) -> MountedPath {
    MountedPath {
        kind: mount.typ.unwrap_or_default(),
        name: mount.name.unwrap_or_default(),
        source: mount.source.unwrap_or_default(),
        target: mount.destination.unwrap_or_default(),
        read_only: mount.rw == Some(false),
    }
}

fn published(ports: models::PortMap) -> Vec<PublishedPort> {
    let mut published = Vec::new();
    for (key, bindings) in ports {
        let (port, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        for binding in bindings.unwrap_or_default() {
            published.push(PublishedPort {
                container: port.parse().unwrap_or_default(),
                protocol: protocol.to_owned(),
                host_ip: binding.host_ip.unwrap_or_default(),
                host_port: binding.host_port.and_then(|port| port.parse().ok()).unwrap_or_default(),
            });
        }
    }
    published.sort_by(|a, b| (a.container, &a.host_ip).cmp(&(b.container, &b.host_ip)));
    published
}

fn state(text: &str) -> ContainerState {
    match text {
        "running" | "stopping" => ContainerState::Running,
        "paused" => ContainerState::Paused,
        "restarting" => ContainerState::Restarting,
        "removing" => ContainerState::Removing,
        "exited" => ContainerState::Exited,
        "dead" => ContainerState::Dead,
        _ => ContainerState::Created,
    }
}

/// The engine says year 1 for "never".
fn real_time(text: Option<String>) -> String {
    text.filter(|text| !text.starts_with("0001-")).unwrap_or_default()
}

fn plain_name(name: Option<String>) -> String {
    name.unwrap_or_default().trim_start_matches('/').to_owned()
}

pub(super) fn sorted(map: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().collect()
}
