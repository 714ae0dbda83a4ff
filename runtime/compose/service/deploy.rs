use std::collections::BTreeMap;

use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::fields::Fields;
use crate::compose::node::Content;
use crate::compose::quantity::{Duration, as_number, as_text};

/// Replicas, limits and update rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Deploy {
    /// `replicated`; the others need a swarm and have no effect here.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: String,
    /// The number of containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i64>,
    /// Labels of the service, which are not those of its containers.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// How containers are replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_config: Option<UpdateConfig>,
    /// How containers are put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_config: Option<UpdateConfig>,
    /// Limits and reservations.
    pub resources: Resources,
    /// When to restart, where `restart` does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Where in a swarm; has no effect here.
    pub placement: Placement,
    /// How a swarm balances; has no effect here.
    #[serde(skip_serializing_if = "is_zero")]
    pub endpoint_mode: String,
}

/// How containers are replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct UpdateConfig {
    /// How many at once; 0 means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u64>,
    /// The pause between them.
    #[serde(skip_serializing_if = "is_zero")]
    pub delay: Duration,
    /// `pause`, `continue` or `rollback`.
    #[serde(skip_serializing_if = "is_zero")]
    pub failure_action: String,
    /// How long each is watched.
    #[serde(skip_serializing_if = "is_zero")]
    pub monitor: Duration,
    /// The share that may fail, 0 to 1.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_number")]
    pub max_failure_ratio: f64,
    /// `start-first` or `stop-first`.
    #[serde(skip_serializing_if = "is_zero")]
    pub order: String,
}

/// Limits and reservations.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// The most it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Resource>,
    /// What is kept for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservations: Option<Resource>,
}

/// An amount of the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Resource {
    /// CPUs, in cores.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_number")]
    pub cpus: f64,
    /// Memory, in bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub memory: i64,
    /// Processes.
    #[serde(skip_serializing_if = "is_zero")]
    pub pids: i64,
    /// Devices such as GPUs.
    #[serde(skip_serializing_if = "is_zero")]
    pub devices: Vec<DeviceRequest>,
    /// Things that an administrator counts; only a swarm does.
    #[serde(skip_serializing_if = "is_zero")]
    pub generic_resources: Vec<GenericResource>,
}

/// So many of something that an administrator counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GenericResource {
    /// What, and how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discrete_resource_spec: Option<Discrete>,
}

/// What, and how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Discrete {
    /// Its name.
    pub kind: String,
    /// How many.
    pub value: i64,
}

/// Devices asked for by what they can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DeviceRequest {
    /// What they must be able to do: `gpu`.
    #[serde(skip_serializing_if = "is_zero")]
    pub capabilities: Vec<String>,
    /// The driver: `nvidia`.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// How many; -1 means all.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: i64,
    /// Which ones, instead of how many.
    #[serde(skip_serializing_if = "is_zero")]
    pub device_ids: Vec<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, String>,
}

/// When to restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RestartPolicy {
    /// `none`, `on-failure` or `any`.
    #[serde(skip_serializing_if = "is_zero")]
    pub condition: String,
    /// The pause before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u64>,
    /// How long it must run to count as started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
}

/// Where in a swarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Placement {
    /// Rules for nodes.
    #[serde(skip_serializing_if = "is_zero")]
    pub constraints: Vec<String>,
    /// Labels of nodes to spread over.
    #[serde(skip_serializing_if = "is_zero")]
    pub preferences: Vec<BTreeMap<String, String>>,
    /// The most containers on one node.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_replicas_per_node: u64,
}

/// Keys that only a swarm gives a meaning.
const SWARM: &[(&str, &str)] = &[
    ("endpoint_mode", "has no effect outside a swarm"),
    ("labels", "has no effect outside a swarm: containers have those of the service"),
    ("placement", "has no effect outside a swarm"),
    ("rollback_config", "has no effect outside a swarm"),
];

pub(super) fn read(cursor: &Cursor) -> Option<Deploy> {
    if cursor.node.content == Content::Null {
        return None;
    }
    let fields = cursor.fields()?;
    fields.without_effect(SWARM);
    let deploy = Deploy {
        mode: mode(&fields),
        replicas: fields.get("replicas").and_then(|cursor| cursor.int()),
        labels: fields.text_pairs("labels"),
        update_config: fields.get("update_config").and_then(|cursor| update_config(&cursor)),
        rollback_config: fields.get("rollback_config").and_then(|cursor| update_config(&cursor)),
        resources: fields.get("resources").and_then(|cursor| resources(&cursor)).unwrap_or_default(),
        restart_policy: fields.get("restart_policy").and_then(|cursor| restart_policy(&cursor)),
        placement: fields.get("placement").and_then(|cursor| placement(&cursor)).unwrap_or_default(),
        endpoint_mode: fields.string("endpoint_mode"),
    };
    fields.close();
    Some(deploy)
}

fn mode(fields: &Fields) -> String {
    let Some(cursor) = fields.get("mode") else { return String::new() };
    let mode = cursor.string().unwrap_or_default();
    if !mode.is_empty() && mode != "replicated" {
        cursor.warn(format!("`{mode}` has no effect outside a swarm"));
    }
    mode
}

fn update_config(cursor: &Cursor) -> Option<UpdateConfig> {
    let fields = cursor.fields()?;
    let config = UpdateConfig {
        parallelism: whole(&fields, "parallelism"),
        delay: fields.get("delay").and_then(|cursor| cursor.duration()).unwrap_or_default(),
        failure_action: fields.choice("failure_action", &["pause", "continue", "rollback"]),
        monitor: fields.get("monitor").and_then(|cursor| cursor.duration()).unwrap_or_default(),
        max_failure_ratio: fields.float("max_failure_ratio"),
        order: fields.choice("order", &["start-first", "stop-first"]),
    };
    fields.close();
    Some(config)
}

fn resources(cursor: &Cursor) -> Option<Resources> {
    let fields = cursor.fields()?;
    let resources = Resources {
        limits: fields.get("limits").and_then(|cursor| limits(&cursor)),
        reservations: fields.get("reservations").and_then(|cursor| reservations(&cursor)),
    };
    fields.close();
    Some(resources)
}

fn limits(cursor: &Cursor) -> Option<Resource> {
    let fields = cursor.fields()?;
    let limits = Resource {
        cpus: fields.float("cpus"),
        memory: fields.bytes("memory"),
        pids: fields.int("pids"),
        ..Resource::default()
    };
    fields.close();
    Some(limits)
}

fn reservations(cursor: &Cursor) -> Option<Resource> {
    let fields = cursor.fields()?;
    fields.without_effect(&[
        ("cpus", "has no effect outside a swarm: an engine keeps no processors free"),
        ("generic_resources", "has no effect outside a swarm"),
    ]);
    let counted = fields.get("generic_resources").map(|cursor| cursor.list()).unwrap_or_default();
    let reservations = Resource {
        cpus: fields.float("cpus"),
        memory: fields.bytes("memory"),
        pids: 0,
        devices: fields.get("devices").map(|cursor| devices(&cursor)).unwrap_or_default(),
        generic_resources: counted.iter().filter_map(generic_resource).collect(),
    };
    fields.close();
    Some(reservations)
}

/// Reserved devices, which must say what they can do.
fn devices(cursor: &Cursor) -> Vec<DeviceRequest> {
    for device in cursor.list() {
        if device.node.as_map().is_some_and(|map| map.get("capabilities").is_none()) {
            device.error_with_hint("`capabilities` is missing", "write `capabilities: [gpu]`");
        }
    }
    device_requests(cursor)
}

/// Devices of which any will do that can do what is asked.
pub(super) fn device_requests(cursor: &Cursor) -> Vec<DeviceRequest> {
    cursor.list().iter().filter_map(device_request).collect()
}

fn generic_resource(cursor: &Cursor) -> Option<GenericResource> {
    let fields = cursor.fields()?;
    let discrete = |cursor: Cursor| {
        let fields = cursor.fields()?;
        let spec = Discrete { kind: fields.string("kind"), value: fields.int("value") };
        fields.close();
        Some(spec)
    };
    let resource = GenericResource { discrete_resource_spec: fields.get("discrete_resource_spec").and_then(discrete) };
    fields.close();
    Some(resource)
}

fn device_request(cursor: &Cursor) -> Option<DeviceRequest> {
    let fields = cursor.fields()?;
    if fields.has("count") && fields.has("device_ids") {
        cursor.error("`count` and `device_ids` exclude each other");
    }
    let counted = fields.has("count") || fields.has("device_ids");
    let count = fields.get("count").and_then(|count| match count.node.as_text() {
        Some(text) if text.eq_ignore_ascii_case("all") => Some(-1),
        _ => count.int(),
    });
    let request = DeviceRequest {
        capabilities: fields.strings("capabilities"),
        driver: fields.string("driver"),
        count: if counted { count.unwrap_or_default() } else { -1 },
        device_ids: fields.strings("device_ids"),
        options: fields.text_pairs("options"),
    };
    fields.close();
    Some(request)
}

fn restart_policy(cursor: &Cursor) -> Option<RestartPolicy> {
    let fields = cursor.fields()?;
    let policy = RestartPolicy {
        condition: fields.choice("condition", &["none", "on-failure", "any", "always", "unless-stopped"]),
        delay: fields.get("delay").and_then(|cursor| cursor.duration()),
        max_attempts: whole(&fields, "max_attempts"),
        window: fields.get("window").and_then(|cursor| cursor.duration()),
    };
    fields.without_effect(&[
        ("delay", "has no effect outside a swarm: an engine waits longer before each restart by itself"),
        ("window", "has no effect outside a swarm: for an engine 10 seconds are a success"),
    ]);
    if policy.condition != "on-failure" {
        fields.without_effect(&[("max_attempts", "has no effect without `condition: on-failure`")]);
    }
    fields.close();
    Some(policy)
}

fn placement(cursor: &Cursor) -> Option<Placement> {
    let fields = cursor.fields()?;
    let preferences = fields.get("preferences").map(|cursor| cursor.list()).unwrap_or_default();
    let placement = Placement {
        constraints: fields.strings("constraints"),
        preferences: preferences.iter().map(Cursor::text_pairs).collect(),
        max_replicas_per_node: whole(&fields, "max_replicas_per_node").unwrap_or_default(),
    };
    fields.close();
    Some(placement)
}

fn whole(fields: &Fields, key: &'static str) -> Option<u64> {
    let cursor = fields.get(key)?;
    let number = cursor.int()?;
    u64::try_from(number).map_err(|_| cursor.error(format!("must not be negative, got {number}"))).ok()
}
