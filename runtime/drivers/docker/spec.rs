//! What a container should be, before it exists.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Everything a container is created from, in the engine's terms. What is left out is the image's or the engine's
/// default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools)] // the engine's own independent switches
pub struct ContainerSpec {
    /// Its name; empty lets the engine make one up.
    pub name: String,
    /// The image: a reference, or an id `sha256:…`.
    pub image: String,
    /// The platform, as in `linux/arm64`, when the image has several.
    pub platform: Option<String>,
    /// The command; `None` is the image's.
    pub command: Option<Vec<String>>,
    /// The entry point; `None` is the image's, an empty list none at all.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=value`, or `NAME` alone to take a variable of the image away.
    pub env: Vec<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports published on the host.
    pub ports: Vec<PortSpec>,
    /// Ports the image should be said to listen on, as in `80/tcp`; published ones are added by themselves.
    pub expose: Vec<String>,
    /// Volumes, folders of the host and tmpfs.
    pub mounts: Vec<Mount>,
    /// `source:target[:options]` as the engine's own short form, which creates a missing source folder on the host.
    pub binds: Vec<String>,
    /// Networks with the aliases to be found by. The first is joined at creation, the others right after it.
    pub networks: Vec<NetworkAttachment>,
    /// `host`, `none`, `bridge`, `container:ID`; `None` is the first of `networks`, else the engine's default.
    pub network_mode: Option<String>,
    /// What happens when its process ends.
    pub restart: Option<Restart>,
    /// How its health is checked; `None` is the image's check.
    pub healthcheck: Option<HealthCheck>,
    /// User (and group) of its process: `1000:1000`.
    pub user: Option<String>,
    /// Folder its process starts in.
    pub working_dir: Option<String>,
    /// Host name; `None` is generated from the id.
    pub hostname: Option<String>,
    /// Domain name.
    pub domainname: Option<String>,
    /// MAC address in the first network.
    pub mac_address: Option<String>,
    /// Run an init process that reaps zombies.
    pub init: Option<bool>,
    /// Signal that asks it to stop; `None` is SIGTERM.
    pub stop_signal: Option<String>,
    /// Seconds it gets to stop before it is killed.
    pub stop_timeout: Option<i64>,
    /// Limits of memory, processors and processes.
    pub resources: Resources,
    /// Capabilities added.
    pub cap_add: Vec<String>,
    /// Capabilities dropped.
    pub cap_drop: Vec<String>,
    /// All rights on the host.
    pub privileged: bool,
    /// Security options, as in `no-new-privileges:true`.
    pub security_opt: Vec<String>,
    /// `name:address` for its hosts file.
    pub extra_hosts: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Search domains.
    pub dns_search: Vec<String>,
    /// Resolver options.
    pub dns_options: Vec<String>,
    /// Kernel parameters of its own name spaces.
    pub sysctls: BTreeMap<String, String>,
    /// Process limits.
    pub ulimits: Vec<Ulimit>,
    /// Size of `/dev/shm` in bytes.
    pub shm_size: Option<i64>,
    /// Log driver and its options; `None` is the engine's default.
    pub logging: Option<Logging>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// A terminal instead of two separate streams. Its output is not fit for machines.
    pub tty: bool,
    /// Keep standard input open.
    pub stdin_open: bool,
    /// Close standard input when whoever is attached first has sent everything.
    pub stdin_once: bool,
    /// Root file system read only.
    pub read_only: bool,
    /// Folders in memory: path to options, as in `size=64m`.
    pub tmpfs: BTreeMap<String, String>,
    /// Further groups of its process.
    pub group_add: Vec<String>,
    /// Process name space: `host`, `container:ID`.
    pub pid_mode: Option<String>,
    /// IPC name space: `host`, `shareable`, `container:ID`.
    pub ipc_mode: Option<String>,
    /// Host name space: `host`.
    pub uts_mode: Option<String>,
    /// User name space: `host`.
    pub userns_mode: Option<String>,
    /// Control group name space: `host` or `private`.
    pub cgroup_mode: Option<String>,
    /// Parent control group.
    pub cgroup_parent: Option<String>,
    /// Runtime, as in `runc`.
    pub runtime: Option<String>,
    /// Containers whose volumes it shares.
    pub volumes_from: Vec<String>,
    /// Further keys of the engine's `HostConfig`, in the engine's own spelling, as in `DeviceRequests` or
    /// `BlkioWeight`. They go to the engine as they are and win over the fields above.
    pub host_config: Map<String, Value>,
}

/// A port published on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortSpec {
    /// Port inside.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`; empty is `tcp`.
    pub protocol: String,
    /// Address on the host; `None` is every one.
    pub host_ip: Option<String>,
    /// Port on the host, or a range to choose from as in `8000-8010`; `None` is a free one.
    pub host_port: Option<String>,
}

impl PortSpec {
    /// `80/tcp`.
    pub fn key(&self) -> String {
        let protocol = if self.protocol.is_empty() { "tcp" } else { &self.protocol };
        format!("{}/{protocol}", self.container)
    }
}

/// What is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountKind {
    /// A volume of the engine.
    #[default]
    Volume,
    /// A file or folder of the host, which must exist.
    Bind,
    /// A folder in memory.
    Tmpfs,
}

/// A mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// The volume's name or the path on the host; empty for tmpfs and anonymous volumes.
    pub source: String,
    /// Path inside.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
    /// For a bind: how mounts below it travel, as in `rslave`.
    pub propagation: Option<String>,
    /// For a volume: do not fill it with what the image has there.
    pub no_copy: bool,
    /// For a volume: only this folder of it (API 1.45).
    pub subpath: Option<String>,
    /// For a volume made by the mount itself: its labels.
    pub labels: BTreeMap<String, String>,
    /// For tmpfs: size in bytes.
    pub size: Option<i64>,
    /// For tmpfs: mode bits.
    pub mode: Option<i64>,
}

/// A network to be in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkAttachment {
    /// The network's name.
    pub name: String,
    /// Names it is found by there.
    pub aliases: Vec<String>,
    /// A fixed address.
    pub ipv4: Option<String>,
    /// A fixed address.
    pub ipv6: Option<String>,
    /// Link-local addresses.
    pub link_local: Vec<String>,
    /// MAC address there.
    pub mac_address: Option<String>,
    /// Options of the network's driver.
    pub driver_options: BTreeMap<String, String>,
    /// Names by which it alone finds other containers there: `container:name`.
    pub links: Vec<String>,
}

/// What happens when the process ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restart {
    /// `no`, `always`, `unless-stopped` or `on-failure`.
    pub policy: String,
    /// For `on-failure`: how often at most.
    pub max_retries: Option<i64>,
}

/// How health is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `["CMD", program, …]`, `["CMD-SHELL", line]` or `["NONE"]`; empty is the image's test.
    pub test: Vec<String>,
    /// Between two probes; the first comes only after it.
    pub interval: Option<Duration>,
    /// For one probe.
    pub timeout: Option<Duration>,
    /// Failures in a row that mean unhealthy.
    pub retries: Option<i64>,
    /// Time in which failures do not count.
    pub start_period: Option<Duration>,
    /// Between two probes within the start period (API 1.44).
    pub start_interval: Option<Duration>,
}

/// Limits; all of them optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Processors in billionths: 1.5 processors are 1,500,000,000.
    pub nano_cpus: Option<i64>,
    /// Relative weight.
    pub cpu_shares: Option<i64>,
    /// Microseconds of a period.
    pub cpu_period: Option<i64>,
    /// Microseconds it may run in a period.
    pub cpu_quota: Option<i64>,
    /// Processors it may run on, as in `0-2`.
    pub cpuset: Option<String>,
    /// Memory in bytes.
    pub memory: Option<i64>,
    /// Memory it is meant to get, in bytes.
    pub memory_reservation: Option<i64>,
    /// Memory and swap in bytes, -1 without limit.
    pub memory_swap: Option<i64>,
    /// 0 to 100.
    pub memory_swappiness: Option<i64>,
    /// Processes.
    pub pids_limit: Option<i64>,
    /// -1000 to 1000; the larger the earlier it is killed when memory is short.
    pub oom_score_adj: Option<i64>,
    /// Never kill it when memory is short.
    pub oom_kill_disable: Option<bool>,
}

/// A process limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, `nproc`, …
    pub name: String,
    /// The soft limit.
    pub soft: i64,
    /// The hard limit.
    pub hard: i64,
}

/// Where its output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The driver, as in `json-file`; empty is the engine's default.
    pub driver: String,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// A device of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Path on the host.
    pub host: String,
    /// Path inside.
    pub container: String,
    /// `rwm` or fewer.
    pub permissions: String,
}
