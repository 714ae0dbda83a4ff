use std::net::IpAddr;

use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;

/// A port of the container and where it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Port {
    /// A name for people.
    #[serde(skip_serializing_if = "is_zero")]
    pub name: String,
    /// `ingress` or `host`, which are the same on one machine.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: String,
    /// The address of the host; empty means all.
    #[serde(skip_serializing_if = "is_zero")]
    pub host_ip: String,
    /// The port of the container.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: u16,
    /// The port of the host, or a range to choose from; empty means any free one.
    #[serde(skip_serializing_if = "is_zero")]
    pub published: String,
    /// `tcp`, `udp` or `sctp`.
    #[serde(skip_serializing_if = "is_zero")]
    pub protocol: String,
    /// What is spoken on it, for people.
    #[serde(skip_serializing_if = "is_zero")]
    pub app_protocol: String,
}

pub(super) fn read(cursor: &Cursor) -> Vec<Port> {
    cursor.list().iter().filter_map(port).collect()
}

fn port(cursor: &Cursor) -> Option<Port> {
    let fields = cursor.fields()?;
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let host_ip = fields.get("host_ip");
    let target = fields.get("target").and_then(|cursor| target(&cursor));
    let port = Port {
        name: fields.string("name"),
        mode: or(fields.choice("mode", &["ingress", "host"]), "ingress"),
        host_ip: host_ip.as_ref().and_then(Cursor::string).unwrap_or_default(),
        target: target.unwrap_or_default(),
        published: fields.get("published").and_then(|cursor| published(&cursor)).unwrap_or_default(),
        protocol: or(fields.choice("protocol", &["tcp", "udp", "sctp"]), "tcp"),
        app_protocol: fields.string("app_protocol"),
    };
    if let Some(cursor) = host_ip.filter(|_| !port.host_ip.is_empty() && port.host_ip.parse::<IpAddr>().is_err()) {
        cursor.error(format!("`{}` is not an IP address", port.host_ip));
    }
    if !fields.has("target") {
        cursor.error_with_hint("`target` is missing", "say which port of the container it is");
    }
    fields.close();
    Some(port)
}

fn target(cursor: &Cursor) -> Option<u16> {
    let number = cursor.int()?;
    u16::try_from(number).ok().filter(|port| *port > 0).or_else(|| {
        cursor.error(format!("`{number}` is not a port"));
        None
    })
}

fn published(cursor: &Cursor) -> Option<String> {
    let text = cursor.scalar()?;
    let is_port = |part: &str| part.parse::<u16>().is_ok();
    let valid = match text.split_once('-') {
        Some((from, to)) => is_port(from) && is_port(to),
        None => text.is_empty() || is_port(&text),
    };
    if !valid {
        cursor.error(format!("`{text}` is not a port"));
    }
    Some(text)
}
