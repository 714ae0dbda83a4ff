use std::collections::BTreeMap;

use serde::Serialize;

use super::beside::Obstacle;
use super::newer::Newer;
use super::problem::Problem;
use super::quantity::{Duration, as_number, as_text};

mod attachment;
mod block_io;
mod build;
mod command;
mod dependency;
mod deploy;
mod develop;
mod devices;
mod foreign;
mod healthcheck;
mod hook;
mod hosts;
mod mount;
mod port;
mod read;

pub use attachment::Attachment;
pub use block_io::{BlockIo, DeviceRate, DeviceWeight};
pub use build::Build;
pub use dependency::{Condition, Dependency};
pub use deploy::{Deploy, DeviceRequest, GenericResource, Placement, Resource, Resources, RestartPolicy, UpdateConfig};
pub use develop::{Develop, Exec, Trigger};
pub use devices::{Device, Ulimit};
pub use foreign::{CredentialSpec, Provider, ServiceModel};
pub use healthcheck::Healthcheck;
pub use hook::Hook;
pub use mount::{BindOptions, FileMount, ImageOptions, Mount, TmpfsOptions, VolumeOptions};
pub use port::Port;
pub(super) use read::read;

/// Where the containers of a service write their logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Logging {
    /// The driver: `json-file`, `journald` …
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Its options.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, String>,
}

/// A file of environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFile {
    /// Its absolute path.
    pub path: String,
    /// Is it an error when it is missing?
    pub required: bool,
    /// Are its values taken as they are, without quotes, escapes and variables? `format: raw` says so.
    pub raw: bool,
}

/// One service, normalized: short syntaxes written out, paths absolute, environment files folded in, defaults set.
///
/// Fields are in the order, and serialize to the form, that Compose hashes (see [`Service::config_hash`]); zero values are left out as there.
/// Whoever creates containers should take this apart without `..`, so that a field added here cannot be forgotten there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(clippy::struct_excessive_bools)] // the specification's own switches
pub struct Service {
    /// The key under `services`.
    #[serde(skip)]
    pub name: String,
    /// The files that its environment came from, already folded in.
    #[serde(skip)]
    pub env_files: Vec<EnvFile>,
    /// The files that its labels came from, already folded in.
    #[serde(skip)]
    pub label_files: Vec<String>,
    /// What it asks for and would not get here: whoever makes its containers refuses. See [`super::Application::unmet`].
    #[serde(skip)]
    pub unmet: Vec<Problem>,
    /// What older engines pass over in silence.
    #[serde(skip)]
    pub newer: Vec<Newer>,
    /// Why two of its containers cannot run beside each other.
    #[serde(skip)]
    pub alone: Vec<Obstacle>,
    /// The profiles it belongs to; none means always.
    #[serde(skip_serializing_if = "is_zero")]
    pub profiles: Vec<String>,
    /// Annotations of the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub annotations: BTreeMap<String, String>,
    /// Is its output shown while Compose runs in the foreground? Nothing here runs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attach: Option<bool>,
    /// How to build its image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// What `docker compose watch` does; nothing here acts on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub develop: Option<Develop>,
    /// Limits of reading from and writing to disks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_config: Option<BlockIo>,
    /// Linux capabilities beyond the default ones.
    #[serde(skip_serializing_if = "is_zero")]
    pub cap_add: Vec<String>,
    /// Linux capabilities taken away.
    #[serde(skip_serializing_if = "is_zero")]
    pub cap_drop: Vec<String>,
    /// The parent control group.
    #[serde(skip_serializing_if = "is_zero")]
    pub cgroup_parent: String,
    /// `host` or `private`.
    #[serde(skip_serializing_if = "is_zero")]
    pub cgroup: String,
    /// CPUs of a Windows container.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_count: i64,
    /// Share of the CPUs of a Windows host, in percent.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_number")]
    pub cpu_percent: f64,
    /// CPU period, in microseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_period: i64,
    /// CPU quota, in microseconds per period.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_quota: i64,
    /// Real-time CPU period, in microseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_rt_period: i64,
    /// Real-time CPU runtime, in microseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_rt_runtime: i64,
    /// CPUs, in cores.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_number")]
    pub cpus: f64,
    /// Which CPUs: `0-3`.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpuset: String,
    /// Relative weight when CPUs are short.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_shares: i64,
    /// The command; `None` means the image's, an empty list none.
    pub command: Option<Vec<String>>,
    /// Configs mounted as files.
    #[serde(skip_serializing_if = "is_zero")]
    pub configs: Vec<FileMount>,
    /// A fixed container name, which rules out a second replica.
    #[serde(skip_serializing_if = "is_zero")]
    pub container_name: String,
    /// Credentials of a Windows container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_spec: Option<CredentialSpec>,
    /// What must have happened to which services before this one starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub depends_on: BTreeMap<String, Dependency>,
    /// Replicas, limits and update rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// Rules for devices: `c 1:3 mr`.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_cgroup_rules: Vec<String>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "is_zero")]
    pub devices: Vec<Device>,
    /// Name servers.
    #[serde(skip_serializing_if = "is_zero")]
    pub dns: Vec<String>,
    /// Options of the resolver.
    #[serde(skip_serializing_if = "is_zero")]
    pub dns_opt: Vec<String>,
    /// Search domains.
    #[serde(skip_serializing_if = "is_zero")]
    pub dns_search: Vec<String>,
    /// The domain name.
    #[serde(skip_serializing_if = "is_zero", rename = "domainname")]
    pub domain_name: String,
    /// The entry point; `None` means the image's, an empty list none.
    pub entrypoint: Option<Vec<String>>,
    /// The plugin that runs it instead of the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The environment with its files folded in; `None` is a variable to be unset.
    #[serde(skip_serializing_if = "is_zero")]
    pub environment: BTreeMap<String, Option<String>>,
    /// Ports that are announced and not published.
    #[serde(skip_serializing_if = "is_zero")]
    pub expose: Vec<String>,
    /// Containers of nobody's project that it can reach, as `container[:name]`.
    #[serde(skip_serializing_if = "is_zero")]
    pub external_links: Vec<String>,
    /// Names for `/etc/hosts`, as `name=address`.
    #[serde(skip_serializing_if = "is_zero")]
    pub extra_hosts: Vec<String>,
    /// Further groups of the user.
    #[serde(skip_serializing_if = "is_zero")]
    pub group_add: Vec<String>,
    /// Graphics processors.
    #[serde(skip_serializing_if = "is_zero")]
    pub gpus: Vec<DeviceRequest>,
    /// The host name.
    #[serde(skip_serializing_if = "is_zero")]
    pub hostname: String,
    /// How its health is found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The image; empty when it is only built.
    #[serde(skip_serializing_if = "is_zero")]
    pub image: String,
    /// Run an init process in front of the command?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// The namespace for shared memory: `host`, `shareable`, `service:NAME`, `container:NAME`.
    #[serde(skip_serializing_if = "is_zero")]
    pub ipc: String,
    /// `default`, `process` or `hyperv`, for a Windows container.
    #[serde(skip_serializing_if = "is_zero")]
    pub isolation: String,
    /// Labels of the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// Services that it reaches by a further name, as `service[:name]`.
    #[serde(skip_serializing_if = "is_zero")]
    pub links: Vec<String>,
    /// Where logs go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Memory limit, in bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub mem_limit: i64,
    /// Memory reservation, in bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub mem_reservation: i64,
    /// Memory and swap together, in bytes; -1 means any amount of swap.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub memswap_limit: i64,
    /// 0 to 100.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub mem_swappiness: i64,
    /// The MAC address.
    #[serde(skip_serializing_if = "is_zero")]
    pub mac_address: String,
    /// Models that it uses, by their keys in the file.
    #[serde(skip_serializing_if = "is_zero")]
    pub models: BTreeMap<String, Option<ServiceModel>>,
    /// `host`, `none`, `service:NAME` or `container:NAME`, instead of networks.
    #[serde(skip_serializing_if = "is_zero")]
    pub network_mode: String,
    /// Its networks, by their keys in the file.
    #[serde(skip_serializing_if = "is_zero")]
    pub networks: BTreeMap<String, Option<Attachment>>,
    /// Never kill it for lack of memory?
    #[serde(skip_serializing_if = "is_zero")]
    pub oom_kill_disable: bool,
    /// -1000 to 1000: how soon it is killed for lack of memory.
    #[serde(skip_serializing_if = "is_zero")]
    pub oom_score_adj: i64,
    /// The process namespace: `host`, `service:NAME`, `container:NAME`.
    #[serde(skip_serializing_if = "is_zero")]
    pub pid: String,
    /// The largest number of processes.
    #[serde(skip_serializing_if = "is_zero")]
    pub pids_limit: i64,
    /// `linux/amd64` …
    #[serde(skip_serializing_if = "is_zero")]
    pub platform: String,
    /// Published ports.
    #[serde(skip_serializing_if = "is_zero")]
    pub ports: Vec<Port>,
    /// All rights of the host's root?
    #[serde(skip_serializing_if = "is_zero")]
    pub privileged: bool,
    /// `always`, `never`, `missing`, `build` …
    #[serde(skip_serializing_if = "is_zero")]
    pub pull_policy: String,
    /// A read-only root file system?
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only: bool,
    /// `no`, `always`, `on-failure[:N]`, `unless-stopped`.
    #[serde(skip_serializing_if = "is_zero")]
    pub restart: String,
    /// The runtime: `runc` …
    #[serde(skip_serializing_if = "is_zero")]
    pub runtime: String,
    /// The number of containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<i64>,
    /// Secrets mounted as files.
    #[serde(skip_serializing_if = "is_zero")]
    pub secrets: Vec<FileMount>,
    /// Options of the security modules.
    #[serde(skip_serializing_if = "is_zero")]
    pub security_opt: Vec<String>,
    /// Size of `/dev/shm`, in bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub shm_size: i64,
    /// Keep standard input open?
    #[serde(skip_serializing_if = "is_zero")]
    pub stdin_open: bool,
    /// How long a stop waits before it kills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace_period: Option<Duration>,
    /// The signal that stops it.
    #[serde(skip_serializing_if = "is_zero")]
    pub stop_signal: String,
    /// Options of the storage driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub storage_opt: BTreeMap<String, String>,
    /// Kernel parameters.
    #[serde(skip_serializing_if = "is_zero")]
    pub sysctls: BTreeMap<String, String>,
    /// Temporary file systems: `/run:size=64m`.
    #[serde(skip_serializing_if = "is_zero")]
    pub tmpfs: Vec<String>,
    /// A terminal?
    #[serde(skip_serializing_if = "is_zero")]
    pub tty: bool,
    /// Limits by name.
    #[serde(skip_serializing_if = "is_zero")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// The engine's socket and its credentials inside?
    #[serde(skip_serializing_if = "is_zero")]
    pub use_api_socket: bool,
    /// The user, and group after a colon.
    #[serde(skip_serializing_if = "is_zero")]
    pub user: String,
    /// The user namespace: `host`.
    #[serde(skip_serializing_if = "is_zero")]
    pub userns_mode: String,
    /// The namespace of the host name: `host`.
    #[serde(skip_serializing_if = "is_zero")]
    pub uts: String,
    /// Mounts.
    #[serde(skip_serializing_if = "is_zero")]
    pub volumes: Vec<Mount>,
    /// Services and containers whose mounts it has too, as `service[:ro]` and `container:name[:ro]`.
    #[serde(skip_serializing_if = "is_zero")]
    pub volumes_from: Vec<String>,
    /// The working directory.
    #[serde(skip_serializing_if = "is_zero")]
    pub working_dir: String,
    /// What runs in containers of its own before it starts.
    #[serde(skip_serializing_if = "is_zero")]
    pub pre_start: Vec<Hook>,
    /// What runs inside after it started.
    #[serde(skip_serializing_if = "is_zero")]
    pub post_start: Vec<Hook>,
    /// What runs inside before it stops.
    #[serde(skip_serializing_if = "is_zero")]
    pub pre_stop: Vec<Hook>,
}

impl Service {
    /// How many containers it has: `scale`, else `deploy.replicas`, else one.
    pub fn replicas(&self) -> u64 {
        let replicas = self.scale.or_else(|| self.deploy.as_ref().and_then(|deploy| deploy.replicas));
        replicas.map_or(1, |number| u64::try_from(number).unwrap_or(0))
    }

    /// The image that its containers run: its own, or the one that a build of it is tagged with.
    pub fn image_name(&self, project: &str) -> String {
        if self.image.is_empty() { format!("{project}-{}", self.name) } else { self.image.clone() }
    }
}

/// Is a value the one that Compose leaves out?
pub(super) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
