use std::collections::BTreeMap;

use serde::Serialize;

use super::cursor::Cursor;
use super::fields::Fields;
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
    /// Labels.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// What it holds, when that is not in a file.
    #[serde(skip)]
    pub value: Option<String>,
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
    fields.close(&[]);
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
    fields.close(&[]);
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
    let fields = cursor.fields()?;
    if let Some(external) = fields.get("external").filter(|cursor| cursor.bool() == Some(true)) {
        external.error_with_hint("needs a swarm", "use `file` or `environment`");
        return None;
    }
    let sources: &[&str] = if is_secret { &["file", "environment"] } else { &["file", "environment", "content"] };
    let set = sources.iter().filter(|source| fields.has(source)).count();
    if set != 1 {
        cursor.error(format!("needs exactly one of {}", sources.join(", ")));
    }
    let mut object = FileObject {
        name: name(&fields, key, project, false),
        file: fields.string("file"),
        environment: fields.string("environment"),
        content: if is_secret { String::new() } else { fields.string("content") },
        labels: fields.text_pairs("labels"),
        value: None,
    };
    object.value = match (object.content.is_empty(), object.environment.is_empty()) {
        (false, _) => Some(object.content.clone()),
        (true, false) => variables.get(&object.environment).cloned(),
        (true, true) => None,
    };
    fields.close(&["driver", "driver_opts", "template_driver"]);
    Some(object)
}

fn name(fields: &Fields, key: &str, project: &str, external: bool) -> String {
    match (fields.get("name"), external) {
        (Some(cursor), _) => {
            let name = cursor.string().unwrap_or_default();
            if name.is_empty() && cursor.node.as_text().is_some() {
                cursor.error("is empty");
            }
            name
        }
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
    fields.close(&[]);
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
    fields.close(&[]);
    Some(pool)
}
