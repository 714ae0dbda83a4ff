//! From a service of the compose files to the specification of one of its containers.

use serde_json::{Map, Value, json};

use super::app::App;
use super::files::{self, Inject};
use super::mounted::{self, MOUNTED};
use super::recorded;
use crate::compose::labels::{self, Instance};
use crate::compose::{Application, Condition, DeviceRate, DeviceRequest, Problem, Service, failure};
use crate::drivers::docker::{
    ContainerSpec, Device, HealthCheck, Logging, Mount, MountKind, NetworkAttachment, PortSpec, Resources, Restart,
    Ulimit,
};
use crate::primitive::{Failure, FailureKind, LogStream};

/// A label of ours: a digest of the files put into the container, which no other label covers.
pub(super) const FILES: &str = "runbook.compose.files";

/// A container as it should be.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    /// What it is created from.
    pub spec: ContainerSpec,
    /// Files put into it before it starts.
    pub inject: Vec<Inject>,
}

/// Fails when services ask for what their containers would not get: a container that is not what the files promise is not made.
pub(super) fn check(app: &App<'_>) -> Result<(), Failure> {
    let unmet: Vec<Problem> = app.model.unmet().into_iter().cloned().collect();
    if !unmet.is_empty() {
        return Err(failure(&unmet));
    }
    app.model.services.values().try_for_each(|service| check_engine(app, service))
}

/// Fails when a service asks for what this engine is too old for and would pass over in silence.
pub(super) fn check_engine(app: &App<'_>, service: &Service) -> Result<(), Failure> {
    if service.newer.is_empty() {
        return Ok(());
    }
    let version = app.look("asking for the engine's version", app.engine.api_version())?;
    let minor = version.rsplit('.').next().and_then(|minor| minor.parse().ok()).unwrap_or(0_u32);
    let mut vital = Vec::new();
    for key in service.newer.iter().filter(|key| key.minor > minor) {
        if key.is_vital {
            vital.push(key.problem.clone());
        } else {
            app.context.log(LogStream::Warn, &key.problem.to_string());
        }
    }
    if vital.is_empty() { Ok(()) } else { Err(failure(&vital)) }
}

/// The container of a service; `image` is the id that its image's name stands for now. Name spaces of other services
/// are still named by service: see [`super::namespaces`].
pub(super) fn container(
    app: &App<'_>,
    service: &Service,
    instance: &Instance,
    image: &str,
) -> Result<Desired, Failure> {
    if !service.unmet.is_empty() {
        return Err(failure(&service.unmet));
    }
    let application = &app.model;
    let name = service.name_of(&application.name, instance);
    let (file_binds, inject) = files::of(application, service)?;
    let (mut mounts, mut binds) = mounts(application, service)?;
    binds.extend(file_binds);
    // A container that is not replaced keeps the order it got; a sorted one is easier to compare and to read.
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
    let mut labels = service.labels_of(application, instance, image);
    labels.insert(labels::CONFIG.to_owned(), recorded::written(service, |text| app.holds_secret(text)));
    if let Some(digest) = files::digest(&inject) {
        labels.insert(FILES.to_owned(), digest);
    }
    if let Some(given) = mounted::label(application, service, &inject) {
        labels.insert(MOUNTED.to_owned(), given);
    }
    let spec = ContainerSpec {
        image: service.image_name(&application.name),
        platform: text(&service.platform),
        command: service.command.clone(),
        entrypoint: service.entrypoint.clone(),
        env: environment(service),
        labels,
        ports: if matches!(instance, Instance::Replica(_)) { ports(service) } else { Vec::new() },
        expose: service.expose.clone(),
        mounts,
        binds,
        networks: networks(application, service, &name, instance),
        network_mode: text(&service.network_mode),
        restart: if matches!(instance, Instance::Replica(_)) { restart(service) } else { None },
        healthcheck: healthcheck(service),
        user: text(&service.user),
        working_dir: text(&service.working_dir),
        hostname: text(&service.hostname),
        domainname: text(&service.domain_name),
        mac_address: text(&service.mac_address),
        init: service.init,
        stop_signal: text(&service.stop_signal),
        stop_timeout: service.stop_grace_period.map(|time| whole_seconds(time.0)),
        resources: resources(service),
        cap_add: service.cap_add.clone(),
        cap_drop: service.cap_drop.clone(),
        privileged: service.privileged,
        security_opt: service.security_opt.clone(),
        extra_hosts: service.extra_hosts.iter().map(|host| host.replacen('=', ":", 1)).collect(),
        dns: service.dns.clone(),
        dns_search: service.dns_search.clone(),
        dns_options: service.dns_opt.clone(),
        sysctls: service.sysctls.clone(),
        ulimits: service
            .ulimits
            .iter()
            .map(|(name, limit)| Ulimit { name: name.clone(), soft: limit.soft, hard: limit.hard })
            .collect(),
        shm_size: number(service.shm_size),
        logging: service
            .logging
            .as_ref()
            .map(|logging| Logging { driver: logging.driver.clone(), options: logging.options.clone() }),
        devices: service
            .devices
            .iter()
            .map(|device| Device {
                host: device.source.clone(),
                container: device.target.clone(),
                permissions: device.permissions.clone(),
            })
            .collect(),
        tty: service.tty,
        stdin_open: service.stdin_open,
        stdin_once: false,
        read_only: service.read_only,
        tmpfs: service.tmpfs.iter().map(|entry| pair(entry)).collect(),
        group_add: service.group_add.clone(),
        pid_mode: text(&service.pid),
        ipc_mode: text(&service.ipc),
        uts_mode: text(&service.uts),
        userns_mode: text(&service.userns_mode),
        cgroup_mode: text(&service.cgroup),
        cgroup_parent: text(&service.cgroup_parent),
        runtime: text(&service.runtime),
        volumes_from: volumes_from(service),
        host_config: host_config(service),
        name,
    };
    Ok(Desired { spec, inject })
}

/// Does this service's container end by itself, with code 0, because that is its work?
pub(super) fn is_job(application: &Application, service: &str) -> bool {
    let awaited = |other: &Service| {
        other.depends_on.get(service).is_some_and(|dependency| dependency.condition == Condition::Completed)
    };
    application.services.values().any(awaited)
}

/// `""` is nothing.
pub(super) fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn number(number: i64) -> Option<i64> {
    (number != 0).then_some(number)
}

fn whole_seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs() + u64::from(time.subsec_nanos() > 0)).unwrap_or(i64::MAX)
}

fn pair(entry: &str) -> (String, String) {
    let (path, options) = entry.split_once(':').unwrap_or((entry, ""));
    (path.to_owned(), options.to_owned())
}

fn environment(service: &Service) -> Vec<String> {
    let line = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    service.environment.iter().map(line).collect()
}

fn ports(service: &Service) -> Vec<PortSpec> {
    let port = |port: &crate::compose::Port| PortSpec {
        container: port.target,
        protocol: port.protocol.clone(),
        host_ip: text(&port.host_ip),
        host_port: text(&port.published),
    };
    service.ports.iter().map(port).collect()
}

/// The highest priority is joined first, which decides the default gateway on older engines.
fn networks(application: &Application, service: &Service, name: &str, instance: &Instance) -> Vec<NetworkAttachment> {
    let mut keys: Vec<(&String, i64)> = service
        .networks
        .iter()
        .map(|(key, attachment)| (key, attachment.as_ref().map_or(0, |attachment| attachment.priority)))
        .collect();
    keys.sort_by_key(|(_, priority)| std::cmp::Reverse(*priority));
    let links = links(application, service);
    let attach = |(key, _): (&String, i64)| {
        let network = application.networks.get(key)?;
        let written = service.networks.get(key).cloned().flatten().unwrap_or_default();
        // A one-off that took the service's fixed address would fight with it.
        let fixed = matches!(instance, Instance::Replica(_));
        Some(NetworkAttachment {
            name: network.name.clone(),
            aliases: service.aliases(key, name, instance),
            ipv4: text(&written.ipv4_address).filter(|_| fixed),
            ipv6: text(&written.ipv6_address).filter(|_| fixed),
            link_local: if fixed { written.link_local_ips } else { Vec::new() },
            mac_address: text(&written.mac_address).filter(|_| fixed),
            driver_options: written.driver_opts,
            links: links.clone(),
        })
    };
    keys.into_iter().filter_map(attach).collect()
}

/// `container:name` for each container of each service that is linked, and for each container of others.
fn links(application: &Application, service: &Service) -> Vec<String> {
    let own = service.links.iter().flat_map(|link| {
        let (name, alias) = link.split_once(':').unwrap_or((link, link));
        let other = application.services.get(name).or_else(|| application.disabled.get(name));
        let containers = other.into_iter().flat_map(|other| {
            (1..=other.replicas()).map(|number| other.name_of(&application.name, &Instance::Replica(number)))
        });
        containers.map(move |container| format!("{container}:{alias}"))
    });
    let external = service.external_links.iter().map(|link| {
        let (container, alias) = link.split_once(':').unwrap_or((link, link));
        format!("{container}:{alias}")
    });
    own.chain(external).collect()
}

/// Containers by their names, and services until the moment of creation: see [`super::namespaces`].
fn volumes_from(service: &Service) -> Vec<String> {
    let named =
        |from: &String| from.strip_prefix("container:").map_or_else(|| format!("service:{from}"), str::to_owned);
    service.volumes_from.iter().map(named).collect()
}

/// Mounts in the engine's long form, and folders of the host in its short one, which makes a missing folder.
fn mounts(application: &Application, service: &Service) -> Result<(Vec<Mount>, Vec<String>), Failure> {
    let (mut mounts, mut binds) = (Vec::new(), Vec::new());
    for mount in &service.volumes {
        let plain = Mount { target: mount.target.clone(), read_only: mount.read_only, ..Mount::default() };
        match mount.kind.as_str() {
            "volume" => {
                let options = mount.volume.clone().unwrap_or_default();
                let named = application.volumes.get(&mount.source).map(|volume| volume.name.clone());
                mounts.push(Mount {
                    source: named.unwrap_or_else(|| mount.source.clone()),
                    no_copy: options.nocopy,
                    subpath: text(&options.subpath),
                    labels: options.labels,
                    ..plain
                });
            }
            "bind" => match &mount.bind {
                Some(options) if !options.create_host_path => {
                    let kind = MountKind::Bind;
                    let propagation = text(&options.propagation);
                    mounts.push(Mount { kind, source: mount.source.clone(), propagation, ..plain });
                }
                options => {
                    let mut flags = vec![if mount.read_only { "ro" } else { "rw" }];
                    if let Some(options) = options {
                        flags.extend([options.selinux.as_str(), &options.propagation].iter().filter(|f| !f.is_empty()));
                    }
                    binds.push(format!("{}:{}:{}", mount.source, mount.target, flags.join(",")));
                }
            },
            "tmpfs" => {
                let options = mount.tmpfs.clone().unwrap_or_default();
                let (kind, size, mode) = (MountKind::Tmpfs, number(options.size), number(options.mode));
                mounts.push(Mount { kind, size, mode, ..plain });
            }
            other => {
                return Err(Failure::new(
                    FailureKind::Invalid,
                    format!(
                        "service `{}`: a mount of type `{other}` at `{}` is not supported yet",
                        service.name, mount.target
                    ),
                ));
            }
        }
    }
    Ok((mounts, binds))
}

fn restart(service: &Service) -> Option<Restart> {
    if !service.restart.is_empty() {
        let (policy, times) = service.restart.split_once(':').unwrap_or((&service.restart, ""));
        return Some(Restart { policy: policy.to_owned(), max_retries: times.parse().ok() });
    }
    let wanted = service.deploy.as_ref()?.restart_policy.as_ref()?;
    let policy = match wanted.condition.as_str() {
        "none" => "no",
        "on-failure" => "on-failure",
        _ => "always",
    };
    let max_retries = wanted.max_attempts.and_then(|times| i64::try_from(times).ok());
    Some(Restart { policy: policy.to_owned(), max_retries: max_retries.filter(|_| policy == "on-failure") })
}

fn healthcheck(service: &Service) -> Option<HealthCheck> {
    let check = service.healthcheck.as_ref()?;
    if check.is_disabled() {
        return Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() });
    }
    Some(HealthCheck {
        test: check.test.clone(),
        interval: check.interval.map(|time| time.0),
        timeout: check.timeout.map(|time| time.0),
        retries: check.retries.and_then(|times| i64::try_from(times).ok()),
        start_period: check.start_period.map(|time| time.0),
        start_interval: check.start_interval.map(|time| time.0),
    })
}

fn resources(service: &Service) -> Resources {
    let deploy = service.deploy.as_ref().map(|deploy| deploy.resources.clone()).unwrap_or_default();
    let (limits, reserved) = (deploy.limits.unwrap_or_default(), deploy.reservations.unwrap_or_default());
    let cpus = if service.cpus > 0.0 { service.cpus } else { limits.cpus };
    #[allow(clippy::cast_possible_truncation)] // billionths of a processor fit for any machine there is
    let nano_cpus = (cpus > 0.0).then_some((cpus * 1e9).round() as i64);
    let or = |own: i64, deployed: i64| number(own).or(number(deployed));
    Resources {
        nano_cpus,
        cpu_shares: number(service.cpu_shares),
        cpu_period: number(service.cpu_period),
        cpu_quota: number(service.cpu_quota),
        cpuset: text(&service.cpuset),
        memory: or(service.mem_limit, limits.memory),
        memory_reservation: or(service.mem_reservation, reserved.memory),
        memory_swap: number(service.memswap_limit),
        memory_swappiness: number(service.mem_swappiness),
        pids_limit: or(service.pids_limit, limits.pids),
        oom_score_adj: number(service.oom_score_adj),
        oom_kill_disable: service.oom_kill_disable.then_some(true),
    }
}

/// What the driver has no field for, in the engine's own words.
fn host_config(service: &Service) -> Map<String, Value> {
    let mut config = Map::new();
    let mut set = |key: &str, value: Value, given: bool| {
        if given {
            config.insert(key.to_owned(), value);
        }
    };
    set("DeviceCgroupRules", json!(service.device_cgroup_rules), !service.device_cgroup_rules.is_empty());
    set("StorageOpt", json!(service.storage_opt), !service.storage_opt.is_empty());
    set("Annotations", json!(service.annotations), !service.annotations.is_empty());
    set("CpuRealtimePeriod", json!(service.cpu_rt_period), service.cpu_rt_period != 0);
    set("CpuRealtimeRuntime", json!(service.cpu_rt_runtime), service.cpu_rt_runtime != 0);
    set("CpuCount", json!(service.cpu_count), service.cpu_count != 0);
    set("CpuPercent", json!(service.cpu_percent), service.cpu_percent > 0.0);
    set("Isolation", json!(service.isolation), !service.isolation.is_empty());
    let limits = service.blkio_config.clone().unwrap_or_default();
    let weights = limits.weight_device.iter().map(|device| json!({ "Path": device.path, "Weight": device.weight }));
    let weights: Vec<Value> = weights.collect();
    set("BlkioWeight", json!(limits.weight), limits.weight != 0);
    set("BlkioWeightDevice", json!(weights), !weights.is_empty());
    for (key, devices) in [
        ("BlkioDeviceReadBps", &limits.device_read_bps),
        ("BlkioDeviceReadIOps", &limits.device_read_iops),
        ("BlkioDeviceWriteBps", &limits.device_write_bps),
        ("BlkioDeviceWriteIOps", &limits.device_write_iops),
    ] {
        let rate = |device: &DeviceRate| json!({ "Path": device.path, "Rate": device.rate });
        set(key, devices.iter().map(rate).collect(), !devices.is_empty());
    }
    let reserved = service.deploy.as_ref().and_then(|deploy| deploy.resources.reservations.as_ref());
    let reserved = reserved.map(|reserved| reserved.devices.as_slice()).unwrap_or_default();
    let requests: Vec<Value> =
        reserved.iter().cloned().chain(service.gpus.iter().map(graphics)).map(|wanted| request(&wanted)).collect();
    set("DeviceRequests", json!(requests), !requests.is_empty());
    config
}

/// A graphics processor can what is asked for, and is one.
fn graphics(request: &DeviceRequest) -> DeviceRequest {
    let mut request = request.clone();
    request.capabilities.push("gpu".to_owned());
    request
}

fn request(request: &DeviceRequest) -> Value {
    let ids = (!request.device_ids.is_empty()).then_some(&request.device_ids);
    json!({
        "Driver": request.driver,
        "Count": if ids.is_none() && request.count == 0 { -1 } else { request.count },
        "DeviceIDs": ids,
        "Capabilities": [request.capabilities],
        "Options": request.options,
    })
}
