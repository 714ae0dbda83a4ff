use std::collections::BTreeMap;

use serde::Serialize;

use super::cursor::Cursor;
use super::fields::{Fields, Unmet};
use super::problem::Problem;
use super::service::is_zero;

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its name in the engine: `PROJECT_KEY` unless the file says otherwise.
    pub name: String,
    /// The driver; empty means the engine's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
    /// Address management.
    pub ipam: Ipam,
    /// Is it somebody else's, and must exist already?
    #[serde(skip_serializing_if = "is_zero")]
    pub external: bool,
    /// Without a way out?
    #[serde(skip_serializing_if = "is_zero")]
    pub internal: bool,
    /// May containers of nobody's join?
    #[serde(skip_serializing_if = "is_zero")]
    pub attachable: bool,
    /// Labels.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// IPv4?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv4: Option<bool>,
    /// IPv6?
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv6: Option<bool>,
}

/// Address management of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ipam {
    /// The driver; empty means the default.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Pools of addresses.
    #[serde(skip_serializing_if = "is_zero")]
    pub config: Vec<Pool>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub options: BTreeMap<String, String>,
}

/// A pool of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// `172.20.0.0/24`.
    #[serde(skip_serializing_if = "is_zero")]
    pub subnet: String,
    /// The gateway.
    #[serde(skip_serializing_if = "is_zero")]
    pub gateway: String,
    /// The part that containers get addresses from.
    #[serde(skip_serializing_if = "is_zero")]
    pub ip_range: String,
    /// Addresses that are taken, by name.
    #[serde(skip_serializing_if = "is_zero")]
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its name in the engine: `PROJECT_KEY` unless the file says otherwise.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// The driver; empty means `local`.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
    /// Is it somebody else's, and must exist already?
    #[serde(skip_serializing_if = "is_zero")]
    pub external: bool,
    /// Labels.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
}

/// A config or secret that services mount as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileObject {
    /// `PROJECT_KEY` unless the file says otherwise.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// The absolute path of the file that holds it.
    #[serde(skip_serializing_if = "is_zero")]
    pub file: String,
    /// The variable of the project that holds it.
    #[serde(skip_serializing_if = "is_zero")]
    pub environment: String,
    /// Its text, for configs.
    #[serde(skip_serializing_if = "is_zero")]
    pub content: String,
    /// Is it kept by somebody else?
    #[serde(skip_serializing_if = "is_zero")]
    pub external: bool,
    /// Labels.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// The driver that keeps it.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver: String,
    /// Options of the driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
    /// The driver that fills it in.
    #[serde(skip_serializing_if = "is_zero")]
    pub template_driver: String,
    /// What it holds, when that is not in a file.
    #[serde(skip)]
    pub value: Option<String>,
    /// Why a service cannot have it here.
    #[serde(skip)]
    pub unmet: Vec<Problem>,
}

/// What only a swarm keeps.
const KEPT_ELSEWHERE: &[Unmet] = &[
    ("external", "needs a swarm, which keeps it", "use `file` or `environment`"),
    ("driver", "needs a swarm, which keeps it", "use `file` or `environment`"),
    ("template_driver", "needs a swarm, which fills it in", "fill it in with `template`, and use `file`"),
];

/// Keys of configs and secrets that only a swarm, which keeps them, gives a meaning.
const ONLY_IN_A_SWARM: &[(&str, &str)] =
    &[("labels", "has no effect outside a swarm"), ("driver_opts", "has no effect outside a swarm")];

/// A model that a runner of models provides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Its name.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// Where it comes from.
    #[serde(skip_serializing_if = "is_zero")]
    pub model: String,
    /// How much it looks back at.
    #[serde(skip_serializing_if = "is_zero")]
    pub context_size: i64,
    /// What the runner is told.
    #[serde(skip_serializing_if = "is_zero")]
    pub runtime_flags: Vec<String>,
}

/// Reads a model.
pub(super) fn model(cursor: &Cursor) -> Option<Model> {
    let fields = cursor.fields()?;
    if !fields.has("model") {
        cursor.error("`model` is missing");
    }
    let model = Model {
        name: fields.string("name"),
        model: fields.string("model"),
        context_size: fields.int("context_size"),
        runtime_flags: fields.strings("runtime_flags"),
    };
    fields.close();
    Some(model)
}

/// Reads a network; `project` names it when it has no name of its own.
pub(super) fn network(key: &str, cursor: &Cursor, project: &str) -> Option<Network> {
    let fields = Fields::of(cursor)?;
    let external = fields.bool("external");
    let network = Network {
        name: name(&fields, key, project, external),
        driver: fields.string("driver"),
        driver_opts: fields.text_pairs("driver_opts"),
        ipam: fields.get("ipam").and_then(|cursor| ipam(&cursor)).unwrap_or_default(),
        external,
        internal: fields.bool("internal"),
        attachable: fields.bool("attachable"),
        labels: fields.text_pairs("labels"),
        enable_ipv4: fields.get("enable_ipv4").and_then(|cursor| cursor.bool()),
        enable_ipv6: fields.get("enable_ipv6").and_then(|cursor| cursor.bool()),
    };
    if external {
        let keys = ["driver", "driver_opts", "ipam", "internal", "attachable", "labels", "enable_ipv6"];
        fields.without_effect(&keys.map(|key| (key, "has no effect: an external network is made by somebody else")));
    }
    if let Some(cursor) = fields.get("enable_ipv4").filter(|_| network.enable_ipv4 == Some(false)) {
        cursor.warn("has no effect: networks have IPv4 addresses here");
    }
    fields.close();
    Some(network)
}

/// Reads a volume.
pub(super) fn volume(key: &str, cursor: &Cursor, project: &str) -> Option<Volume> {
    let fields = Fields::of(cursor)?;
    let external = fields.bool("external");
    let volume = Volume {
        name: name(&fields, key, project, external),
        driver: fields.string("driver"),
        driver_opts: fields.text_pairs("driver_opts"),
        external,
        labels: fields.text_pairs("labels"),
    };
    for (key, written) in [
        ("driver", !volume.driver.is_empty()),
        ("driver_opts", !volume.driver_opts.is_empty()),
        ("labels", !volume.labels.is_empty()),
    ] {
        if external && written {
            cursor.error(format!("`{key}` has no meaning for an external volume"));
        }
    }
    fields.close();
    Some(volume)
}

/// Reads a config, or a secret, which has no `content`.
pub(super) fn file_object(
    key: &str,
    cursor: &Cursor,
    project: &str,
    variables: &BTreeMap<String, String>,
    is_secret: bool,
) -> Option<FileObject> {
    let fields = Fields::of(cursor)?;
    let external = fields.bool("external");
    fields.without_effect(ONLY_IN_A_SWARM);
    let sources: &[&str] = if is_secret { &["file", "environment"] } else { &["file", "environment", "content"] };
    let set = sources.iter().filter(|source| fields.has(source)).count();
    // A driver may fill in a config; nothing fills in a secret.
    if set > 1 || (set == 0 && !external && (is_secret || !fields.has("driver"))) {
        cursor.error(format!("needs exactly one of {}", sources.join(", ")));
    }
    let mut object = FileObject {
        name: name(&fields, key, project, external),
        file: fields.string("file"),
        environment: fields.string("environment"),
        content: if is_secret { String::new() } else { fields.string("content") },
        external,
        labels: fields.text_pairs("labels"),
        driver: fields.string("driver"),
        driver_opts: fields.text_pairs("driver_opts"),
        template_driver: fields.string("template_driver"),
        value: None,
        unmet: fields.unmet(KEPT_ELSEWHERE),
    };
    object.value = match (object.content.is_empty(), object.environment.is_empty()) {
        (false, _) => Some(object.content.clone()),
        (true, false) => variables.get(&object.environment).cloned(),
        (true, true) => None,
    };
    fields.close();
    Some(object)
}

fn name(fields: &Fields, key: &str, project: &str, external: bool) -> String {
    match (fields.get("name"), external) {
        (Some(cursor), _) => cursor.string().unwrap_or_default(),
        (None, true) => key.to_owned(),
        (None, false) => format!("{project}_{key}"),
    }
}

fn ipam(cursor: &Cursor) -> Option<Ipam> {
    let fields = cursor.fields()?;
    let pools = fields.get("config").map(|cursor| cursor.list()).unwrap_or_default();
    let ipam = Ipam {
        driver: fields.string("driver"),
        config: pools.iter().filter_map(pool).collect(),
        options: fields.text_pairs("options"),
    };
    fields.close();
    Some(ipam)
}

fn pool(cursor: &Cursor) -> Option<Pool> {
    let fields = cursor.fields()?;
    let pool = Pool {
        subnet: fields.string("subnet"),
        gateway: fields.string("gateway"),
        ip_range: fields.string("ip_range"),
        aux_addresses: fields.text_pairs("aux_addresses"),
    };
    fields.close();
    Some(pool)
}
