//! From a [`ContainerSpec`] to a container.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models;
use bollard::query_parameters::CreateContainerOptionsBuilder;
use serde_json::Value;

use super::errors::failure;
use super::{ContainerSpec, Engine, HealthCheck, Mount, MountKind, NetworkAttachment};
use crate::failure::{Failure, FailureKind};

impl Engine {
    /// Creates a container and puts it into all its networks; returns its id. It does not run yet.
    ///
    /// Nothing stays behind when one of the networks refuses it.
    pub async fn create(&self, spec: &ContainerSpec) -> Result<String, Failure> {
        let what = || format!("create container `{}`", spec.name);
        let mut options = CreateContainerOptionsBuilder::default();
        if !spec.name.is_empty() {
            options = options.name(&spec.name);
        }
        if let Some(platform) = &spec.platform {
            options = options.platform(platform);
        }
        let body = body(spec)?;
        self.know_networks(spec, &what()).await?;
        let created = self.api().await?.create_container(Some(options.build()), body).await;
        let id = created.map_err(|error| failure(self.address(), what(), error))?.id;
        if !shares_a_network(spec) {
            for network in spec.networks.iter().skip(1) {
                if let Err(refused) = self.connect_network(&id, network).await {
                    self.remove(&id, true).await?;
                    return Err(refused);
                }
            }
        }
        Ok(id)
    }

    /// The engine notices a missing network only when the container starts.
    async fn know_networks(&self, spec: &ContainerSpec, what: &str) -> Result<(), Failure> {
        if spec.networks.is_empty() || shares_a_network(spec) {
            return Ok(());
        }
        let known = self.networks(&[]).await?;
        let missing = |wanted: &&NetworkAttachment| {
            !known.iter().any(|network| network.name == wanted.name || network.id == wanted.name)
        };
        spec.networks.iter().find(missing).map_or(Ok(()), |network| {
            Err(Failure::new(FailureKind::NotFound, format!("cannot {what}: there is no network `{}`", network.name)))
        })
    }
}

/// `host`, `none` and another container's network cannot be combined with networks of its own.
fn shares_a_network(spec: &ContainerSpec) -> bool {
    spec.network_mode.as_deref().is_some_and(|mode| matches!(mode, "host" | "none") || mode.starts_with("container:"))
}

fn body(spec: &ContainerSpec) -> Result<models::ContainerCreateBody, Failure> {
    let mut exposed: Vec<String> = spec.ports.iter().map(super::PortSpec::key).collect();
    exposed
        .extend(spec.expose.iter().map(|port| if port.contains('/') { port.clone() } else { format!("{port}/tcp") }));
    exposed.sort();
    exposed.dedup();
    // The engine takes a container into one network at creation; see `Engine::create` for the others.
    let first = spec.networks.first().filter(|_| !shares_a_network(spec));
    Ok(models::ContainerCreateBody {
        hostname: spec.hostname.clone(),
        domainname: spec.domainname.clone(),
        user: spec.user.clone(),
        exposed_ports: some(exposed),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        stdin_once: Some(spec.stdin_once),
        env: some(spec.env.clone()),
        cmd: spec.command.clone(),
        healthcheck: spec.healthcheck.as_ref().map(health_config),
        image: Some(spec.image.clone()),
        working_dir: spec.working_dir.clone(),
        entrypoint: spec.entrypoint.as_ref().map(|words| {
            // An empty list means "the image's" to the engine; a single empty word means none.
            if words.is_empty() { vec![String::new()] } else { words.clone() }
        }),
        labels: some_map(&spec.labels),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_timeout,
        host_config: Some(host_config(spec)?),
        networking_config: first.map(|network| models::NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network.name.clone(),
                endpoint(network, spec.mac_address.as_deref()),
            )])),
        }),
        ..Default::default()
    })
}

fn host_config(spec: &ContainerSpec) -> Result<models::HostConfig, Failure> {
    let typed = typed_host_config(spec)?;
    if spec.host_config.is_empty() {
        return Ok(typed);
    }
    let wrong = |error: serde_json::Error| {
        Failure::new(FailureKind::Invalid, format!("container `{}`: host_config: {error}", spec.name))
    };
    let mut all = serde_json::to_value(typed).map_err(wrong)?;
    if let Value::Object(map) = &mut all {
        map.extend(spec.host_config.clone());
    }
    serde_json::from_value(all).map_err(wrong)
}

fn typed_host_config(spec: &ContainerSpec) -> Result<models::HostConfig, Failure> {
    let resources = &spec.resources;
    let networks = spec.networks.first().map(|network| network.name.clone());
    Ok(models::HostConfig {
        network_mode: spec.network_mode.clone().or(networks),
        port_bindings: port_bindings(spec),
        mounts: some(spec.mounts.iter().map(mount).collect()),
        binds: some(spec.binds.clone()),
        restart_policy: spec.restart.as_ref().map(restart_policy).transpose()?,
        init: spec.init,
        nano_cpus: resources.nano_cpus,
        cpu_shares: resources.cpu_shares,
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpuset_cpus: resources.cpuset.clone(),
        memory: resources.memory,
        memory_reservation: resources.memory_reservation,
        memory_swap: resources.memory_swap,
        memory_swappiness: resources.memory_swappiness,
        pids_limit: resources.pids_limit,
        oom_score_adj: resources.oom_score_adj,
        oom_kill_disable: resources.oom_kill_disable,
        cap_add: some(spec.cap_add.clone()),
        cap_drop: some(spec.cap_drop.clone()),
        privileged: Some(spec.privileged),
        security_opt: some(spec.security_opt.clone()),
        extra_hosts: some(spec.extra_hosts.clone()),
        dns: some(spec.dns.clone()),
        dns_search: some(spec.dns_search.clone()),
        dns_options: some(spec.dns_options.clone()),
        sysctls: some_map(&spec.sysctls),
        ulimits: some(spec.ulimits.iter().map(ulimit).collect()),
        shm_size: spec.shm_size,
        log_config: spec.logging.as_ref().map(|logging| models::HostConfigLogConfig {
            typ: Some(logging.driver.clone()),
            config: some_map(&logging.options),
        }),
        devices: some(spec.devices.iter().map(device).collect()),
        readonly_rootfs: Some(spec.read_only),
        tmpfs: some_map(&spec.tmpfs),
        group_add: some(spec.group_add.clone()),
        pid_mode: spec.pid_mode.clone(),
        ipc_mode: spec.ipc_mode.clone(),
        uts_mode: spec.uts_mode.clone(),
        userns_mode: spec.userns_mode.clone(),
        cgroupns_mode: match spec.cgroup_mode.as_deref() {
            Some("host") => Some(models::HostConfigCgroupnsModeEnum::HOST),
            Some("private") => Some(models::HostConfigCgroupnsModeEnum::PRIVATE),
            _ => None,
        },
        cgroup_parent: spec.cgroup_parent.clone(),
        runtime: spec.runtime.clone(),
        volumes_from: some(spec.volumes_from.clone()),
        ..Default::default()
    })
}

fn port_bindings(spec: &ContainerSpec) -> Option<models::PortMap> {
    let mut bindings: models::PortMap = HashMap::new();
    for port in &spec.ports {
        let binding = models::PortBinding {
            host_ip: port.host_ip.clone(),
            host_port: Some(port.host_port.clone().unwrap_or_default()),
        };
        bindings.entry(port.key()).or_default().get_or_insert_default().push(binding);
    }
    (!bindings.is_empty()).then_some(bindings)
}

fn restart_policy(restart: &super::Restart) -> Result<models::RestartPolicy, Failure> {
    let name = match restart.policy.as_str() {
        "" | "no" => models::RestartPolicyNameEnum::NO,
        "always" => models::RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => models::RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => models::RestartPolicyNameEnum::ON_FAILURE,
        other => {
            return Err(Failure::new(FailureKind::Invalid, format!("`{other}` is not a restart policy"))
                .hint("it is `no`, `always`, `unless-stopped` or `on-failure`"));
        }
    };
    Ok(models::RestartPolicy { name: Some(name), maximum_retry_count: restart.max_retries })
}

fn mount(mount: &Mount) -> models::Mount {
    let source = Some(mount.source.clone()).filter(|source| !source.is_empty());
    let plain = models::Mount {
        target: Some(mount.target.clone()),
        source,
        read_only: Some(mount.read_only),
        ..Default::default()
    };
    match mount.kind {
        MountKind::Bind => models::Mount {
            typ: Some(models::MountType::BIND),
            bind_options: mount
                .propagation
                .as_ref()
                .map(|mode| models::MountBindOptions { propagation: mode.parse().ok(), ..Default::default() }),
            ..plain
        },
        MountKind::Volume => models::Mount {
            typ: Some(models::MountType::VOLUME),
            volume_options: (mount.no_copy || mount.subpath.is_some() || !mount.labels.is_empty()).then(|| {
                models::MountVolumeOptions {
                    no_copy: Some(mount.no_copy),
                    labels: some_map(&mount.labels),
                    subpath: mount.subpath.clone(),
                    ..Default::default()
                }
            }),
            ..plain
        },
        MountKind::Tmpfs => models::Mount {
            typ: Some(models::MountType::TMPFS),
            source: None,
            tmpfs_options: (mount.size.is_some() || mount.mode.is_some()).then(|| models::MountTmpfsOptions {
                size_bytes: mount.size,
                mode: mount.mode,
                ..Default::default()
            }),
            ..plain
        },
    }
}

pub(super) fn endpoint(network: &NetworkAttachment, mac_address: Option<&str>) -> models::EndpointSettings {
    let fixed = network.ipv4.is_some() || network.ipv6.is_some() || !network.link_local.is_empty();
    models::EndpointSettings {
        aliases: some(network.aliases.clone()),
        ipam_config: fixed.then(|| models::EndpointIpamConfig {
            ipv4_address: network.ipv4.clone(),
            ipv6_address: network.ipv6.clone(),
            link_local_ips: some(network.link_local.clone()),
        }),
        mac_address: network.mac_address.as_deref().or(mac_address).map(str::to_owned),
        driver_opts: some_map(&network.driver_options),
        links: some(network.links.clone()),
        ..Default::default()
    }
}

fn health_config(check: &HealthCheck) -> models::HealthConfig {
    let nanoseconds = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_nanos()).ok());
    models::HealthConfig {
        test: some(check.test.clone()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        retries: check.retries,
        start_period: nanoseconds(check.start_period),
        start_interval: nanoseconds(check.start_interval),
    }
}

fn ulimit(limit: &super::Ulimit) -> models::ResourcesUlimits {
    models::ResourcesUlimits { name: Some(limit.name.clone()), soft: Some(limit.soft), hard: Some(limit.hard) }
}

fn device(device: &super::Device) -> models::DeviceMapping {
    let permissions = if device.permissions.is_empty() { "rwm" } else { &device.permissions };
    models::DeviceMapping {
        path_on_host: Some(device.host.clone()),
        path_in_container: Some(device.container.clone()),
        cgroup_permissions: Some(permissions.to_owned()),
    }
}

fn some<T>(items: Vec<T>) -> Option<Vec<T>> {
    (!items.is_empty()).then_some(items)
}

fn some_map(map: &BTreeMap<String, String>) -> Option<HashMap<String, String>> {
    (!map.is_empty()).then(|| map.clone().into_iter().collect())
}
