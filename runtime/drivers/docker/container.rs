//! What a container is, once it exists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HealthCheck;

/// Where a container is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// Made, never started.
    #[default]
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// Its process ended and the engine starts it again.
    Restarting,
    /// On its way out.
    Removing,
    /// Its process ended.
    Exited,
    /// Could not be removed entirely.
    Dead,
}

impl std::fmt::Display for ContainerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        })
    }
}

/// What the engine makes of a container's health check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// No verdict yet.
    #[default]
    Starting,
    /// The last probe succeeded.
    Healthy,
    /// Several probes in a row failed.
    Unhealthy,
}

/// Health as the engine sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The verdict.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last probes, oldest first; the engine keeps five.
    pub log: Vec<HealthProbe>,
}

/// One run of a health check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthProbe {
    /// When it began, RFC 3339.
    pub start: String,
    /// When it ended, RFC 3339.
    pub end: String,
    /// 0 is healthy.
    pub exit_code: i64,
    /// What it printed.
    pub output: String,
}

/// A port that is really published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Port inside.
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// Address on the host.
    pub host_ip: String,
    /// Port on the host.
    pub host_port: u16,
}

/// A network a container is in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachedNetwork {
    /// The network's id; empty until the container was started once.
    pub id: String,
    /// Names it is found by, the engine's own (the short id) left out.
    pub aliases: Vec<String>,
    /// Its address there; empty while it does not run.
    pub ip_address: String,
    /// The gateway; empty while it does not run.
    pub gateway: String,
    /// The MAC address there; empty while it does not run.
    pub mac_address: String,
}

/// Something mounted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedPath {
    /// `volume`, `bind` or `tmpfs`.
    pub kind: String,
    /// The volume's name; empty for others.
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Path inside.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
}

impl MountedPath {
    /// Is it a volume that nobody named? The engine names these with 64 hexadecimal digits.
    pub fn is_anonymous(&self) -> bool {
        self.kind == "volume" && self.name.len() == 64 && self.name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// A container, inspected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// Its name, without the engine's leading slash.
    pub name: String,
    /// The image as it was named at creation.
    pub image: String,
    /// The id of the image it really runs: `sha256:…`.
    pub image_id: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// How its process ended; `None` before that.
    pub exit_code: Option<i64>,
    /// Did the kernel kill a process of it for want of memory?
    pub oom_killed: bool,
    /// Why the engine could not start it; usually empty.
    pub error: String,
    /// The number of its process on the engine's machine, while it runs.
    pub pid: Option<i64>,
    /// What the engine makes of its health check; `None` without one.
    pub health: Option<Health>,
    /// The health check itself.
    pub healthcheck: Option<HealthCheck>,
    /// The shell of `CMD-SHELL` health checks.
    pub shell: Vec<String>,
    /// Ports really published; empty while it does not run.
    pub ports: Vec<PublishedPort>,
    /// Ports it is said to listen on: `80/tcp`.
    pub exposed: Vec<String>,
    /// `NAME=value`, the image's included.
    pub env: Vec<String>,
    /// Labels, the image's included.
    pub labels: BTreeMap<String, String>,
    /// Networks by name.
    pub networks: BTreeMap<String, AttachedNetwork>,
    /// What is mounted.
    pub mounts: Vec<MountedPath>,
    /// When it was created, RFC 3339.
    pub created: String,
    /// When its process started last, RFC 3339; empty before.
    pub started: String,
    /// When its process ended last, RFC 3339; empty before.
    pub finished: String,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// Does it have a terminal?
    pub tty: bool,
    /// Everything the engine said, in its own words.
    pub raw: Value,
}

impl Container {
    /// Does its process run (paused counts)?
    pub fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running | ContainerState::Paused)
    }

    /// The first twelve digits of the id.
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

/// A container in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSummary {
    /// The full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image as it was named at creation.
    pub image: String,
    /// The id of the image.
    pub image_id: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// In the engine's words: `Up 5 minutes (healthy)`.
    pub status: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Ports really published.
    pub ports: Vec<PublishedPort>,
    /// When it was created, in seconds since 1970.
    pub created: i64,
}
