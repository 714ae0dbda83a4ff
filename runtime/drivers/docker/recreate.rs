//! From a container back to the [`ContainerSpec`] that makes the same one again.

use std::time::Duration;

use bollard::models;
use serde_json::{Map, Value};

use super::inspect::{health_check, sorted};
use super::{
    Container, ContainerSpec, Device, Logging, Mount, MountKind, NetworkAttachment, PortSpec, Resources, Restart,
    Ulimit,
};
use crate::failure::{Failure, FailureKind};

impl ContainerSpec {
    /// What this container was created from, so that it can be put back exactly: the image by its id, what it inherited
    /// from the image spelled out, its anonymous volumes by name (they hold its data), and its host name only when
    /// somebody chose one.
    pub fn from_inspect(container: &Container) -> Result<Self, Failure> {
        let answer: models::ContainerInspectResponse =
            serde_json::from_value(container.raw.clone()).map_err(|error| {
                Failure::new(
                    FailureKind::Invalid,
                    format!("the record of container `{}` is damaged: {error}", container.name),
                )
            })?;
        let config = answer.config.unwrap_or_default();
        let mut host = answer.host_config.unwrap_or_default();
        let mode = host.network_mode.take().unwrap_or_default();
        let borrowed = mode == "host" || mode.starts_with("container:");
        let networks = networks(container, answer.network_settings.unwrap_or_default(), &mode);
        let hostname = text(config.hostname).filter(|name| name != container.short_id() && !borrowed);
        Ok(Self {
            name: container.name.clone(),
            image: container.image_id.clone(),
            platform: None,
            command: config.cmd,
            // Without one the image's would come back.
            entrypoint: Some(config.entrypoint.unwrap_or_default()),
            env: config.env.unwrap_or_default(),
            labels: container.labels.clone(),
            ports: ports(host.port_bindings.take().unwrap_or_default()),
            expose: container.exposed.clone(),
            binds: host.binds.take().unwrap_or_default(),
            mounts: mounts(container, host.mounts.take().unwrap_or_default()),
            network_mode: (borrowed || mode == "none").then_some(mode),
            networks,
            restart: host.restart_policy.take().as_ref().and_then(restart),
            healthcheck: config.healthcheck.map(health_check),
            user: text(config.user),
            working_dir: text(config.working_dir),
            hostname,
            domainname: text(config.domainname),
            mac_address: None,
            init: host.init.take(),
            stop_signal: text(config.stop_signal),
            stop_timeout: config.stop_timeout,
            resources: resources(&mut host),
            cap_add: host.cap_add.take().unwrap_or_default(),
            cap_drop: host.cap_drop.take().unwrap_or_default(),
            privileged: host.privileged.take().unwrap_or(false),
            security_opt: host.security_opt.take().unwrap_or_default(),
            extra_hosts: host.extra_hosts.take().unwrap_or_default(),
            dns: host.dns.take().unwrap_or_default(),
            dns_search: host.dns_search.take().unwrap_or_default(),
            dns_options: host.dns_options.take().unwrap_or_default(),
            sysctls: sorted(host.sysctls.take()),
            ulimits: host.ulimits.take().unwrap_or_default().into_iter().map(ulimit).collect(),
            shm_size: host.shm_size.take().filter(|size| *size > 0),
            logging: host
                .log_config
                .take()
                .map(|log| Logging { driver: log.typ.unwrap_or_default(), options: sorted(log.config) }),
            devices: host.devices.take().unwrap_or_default().into_iter().map(device).collect(),
            tty: config.tty.unwrap_or(false),
            stdin_open: config.open_stdin.unwrap_or(false),
            stdin_once: config.stdin_once.unwrap_or(false),
            read_only: host.readonly_rootfs.take().unwrap_or(false),
            tmpfs: sorted(host.tmpfs.take()),
            group_add: host.group_add.take().unwrap_or_default(),
            pid_mode: text(host.pid_mode.take()),
            ipc_mode: text(host.ipc_mode.take()),
            uts_mode: text(host.uts_mode.take()),
            userns_mode: text(host.userns_mode.take()),
            cgroup_mode: text(host.cgroupns_mode.take().map(|mode| mode.to_string())),
            cgroup_parent: text(host.cgroup_parent.take()),
            runtime: text(host.runtime.take()),
            volumes_from: host.volumes_from.take().unwrap_or_default(),
            host_config: rest(&host),
        })
    }
}

fn text(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

/// The network of `NetworkMode` first: that is the one to join at creation.
fn networks(container: &Container, settings: models::NetworkSettings, mode: &str) -> Vec<NetworkAttachment> {
    if matches!(mode, "host" | "none") || mode.starts_with("container:") {
        return Vec::new();
    }
    let endpoints = settings.networks.unwrap_or_default();
    let mut attachments: Vec<NetworkAttachment> = container
        .networks
        .iter()
        .map(|(name, network)| {
            let fixed = endpoints.get(name).and_then(|endpoint| endpoint.ipam_config.clone()).unwrap_or_default();
            let options = endpoints.get(name).and_then(|endpoint| endpoint.driver_opts.clone());
            NetworkAttachment {
                name: name.clone(),
                aliases: network.aliases.clone(),
                ipv4: text(fixed.ipv4_address),
                ipv6: text(fixed.ipv6_address),
                link_local: fixed.link_local_ips.unwrap_or_default(),
                mac_address: None,
                driver_options: sorted(options),
                links: endpoints.get(name).and_then(|endpoint| endpoint.links.clone()).unwrap_or_default(),
            }
        })
        .collect();
    let first = if mode == "default" { "bridge" } else { mode };
    let id_of = |name: &str| container.networks.get(name).map(|network| network.id.as_str());
    attachments.sort_by_key(|attachment| attachment.name != first && id_of(&attachment.name) != Some(first));
    attachments
}

fn ports(bindings: models::PortMap) -> Vec<PortSpec> {
    let mut ports = Vec::new();
    for (key, bindings) in bindings {
        let (port, protocol) = key.split_once('/').unwrap_or((&key, "tcp"));
        for binding in bindings.unwrap_or_default() {
            ports.push(PortSpec {
                container: port.parse().unwrap_or_default(),
                protocol: protocol.to_owned(),
                host_ip: text(binding.host_ip),
                host_port: text(binding.host_port),
            });
        }
    }
    ports.sort_by(|a, b| (a.container, &a.host_ip).cmp(&(b.container, &b.host_ip)));
    ports
}

/// The mounts that were asked for, and the volumes that came by themselves.
fn mounts(container: &Container, wanted: Vec<models::Mount>) -> Vec<Mount> {
    let volume_at =
        |target: &str| container.mounts.iter().find(|mounted| mounted.kind == "volume" && mounted.target == target);
    let mut mounts: Vec<Mount> = wanted.into_iter().map(mount).collect();
    for mount in mounts.iter_mut().filter(|mount| mount.kind == MountKind::Volume && mount.source.is_empty()) {
        mount.source = volume_at(&mount.target).map(|mounted| mounted.name.clone()).unwrap_or_default();
    }
    let binds = container.raw.pointer("/HostConfig/Binds").and_then(Value::as_array).cloned().unwrap_or_default();
    let bound = |target: &str| {
        binds.iter().filter_map(Value::as_str).any(|bind| bind.split(':').nth(1) == Some(target) || bind == target)
    };
    for mounted in container.mounts.iter().filter(|mounted| mounted.kind == "volume") {
        if !bound(&mounted.target) && !mounts.iter().any(|mount| mount.target == mounted.target) {
            mounts.push(Mount {
                source: mounted.name.clone(),
                target: mounted.target.clone(),
                read_only: mounted.read_only,
                ..Mount::default()
            });
        }
    }
    mounts
}

fn mount(mount: models::Mount) -> Mount {
    let volume = mount.volume_options.unwrap_or_default();
    let tmpfs = mount.tmpfs_options.unwrap_or_default();
    Mount {
        kind: match mount.typ {
            Some(models::MountType::BIND) => MountKind::Bind,
            Some(models::MountType::TMPFS) => MountKind::Tmpfs,
            _ => MountKind::Volume,
        },
        source: mount.source.unwrap_or_default(),
        target: mount.target.unwrap_or_default(),
        read_only: mount.read_only.unwrap_or(false),
        propagation: mount
            .bind_options
            .and_then(|options| options.propagation)
            .and_then(|mode| text(Some(mode.to_string()))),
        no_copy: volume.no_copy.unwrap_or(false),
        subpath: volume.subpath,
        labels: sorted(volume.labels),
        size: tmpfs.size_bytes,
        mode: tmpfs.mode,
    }
}

fn restart(policy: &models::RestartPolicy) -> Option<Restart> {
    let name = text(policy.name.as_ref().map(ToString::to_string)).filter(|name| name != "no")?;
    Some(Restart { policy: name, max_retries: policy.maximum_retry_count.filter(|times| *times > 0) })
}

fn resources(host: &mut models::HostConfig) -> Resources {
    let given = |value: Option<i64>| value.filter(|value| *value != 0);
    Resources {
        nano_cpus: given(host.nano_cpus.take()),
        cpu_shares: given(host.cpu_shares.take()),
        cpu_period: given(host.cpu_period.take()),
        cpu_quota: given(host.cpu_quota.take()),
        cpuset: text(host.cpuset_cpus.take()),
        memory: given(host.memory.take()),
        memory_reservation: given(host.memory_reservation.take()),
        memory_swap: given(host.memory_swap.take()),
        memory_swappiness: host.memory_swappiness.take(),
        pids_limit: given(host.pids_limit.take()),
        oom_score_adj: given(host.oom_score_adj.take()),
        oom_kill_disable: host.oom_kill_disable.take().filter(|disabled| *disabled),
    }
}

fn ulimit(limit: models::ResourcesUlimits) -> Ulimit {
    Ulimit {
        name: limit.name.unwrap_or_default(),
        soft: limit.soft.unwrap_or_default(),
        hard: limit.hard.unwrap_or_default(),
    }
}

fn device(device: models::DeviceMapping) -> Device {
    Device {
        host: device.path_on_host.unwrap_or_default(),
        container: device.path_in_container.unwrap_or_default(),
        permissions: device.cgroup_permissions.unwrap_or_default(),
    }
}

/// What no field of ours holds, in the engine's words, without what says nothing.
fn rest(host: &models::HostConfig) -> Map<String, Value> {
    let Ok(Value::Object(mut map)) = serde_json::to_value(host) else { return Map::new() };
    map.retain(|key, value| match value {
        // An empty list of hidden paths is a wish (to hide none), not the absence of one.
        Value::Array(_) if key == "MaskedPaths" || key == "ReadonlyPaths" => true,
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(|item| item.as_f64() != Some(0.0)),
        Value::Object(fields) => !fields.is_empty(),
    });
    map
}

impl ContainerSpec {
    /// The time between asking its process to stop and killing it: its own, else the engine's ten seconds.
    pub fn stop_time(&self) -> Duration {
        let seconds = self.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(seconds.unwrap_or(10))
    }
}
