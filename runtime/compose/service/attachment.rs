use std::collections::BTreeMap;

use serde::Serialize;

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::node::Content;

/// How a service is attached to one of its networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Attachment {
    /// Further names in this network.
    #[serde(skip_serializing_if = "is_zero")]
    pub aliases: Vec<String>,
    /// Options of the network driver.
    #[serde(skip_serializing_if = "is_zero")]
    pub driver_opts: BTreeMap<String, String>,
    /// Which network gives the default gateway: the highest.
    #[serde(skip_serializing_if = "is_zero")]
    pub gw_priority: i64,
    /// The name of the interface inside.
    #[serde(skip_serializing_if = "is_zero")]
    pub interface_name: String,
    /// A fixed IPv4 address.
    #[serde(skip_serializing_if = "is_zero")]
    pub ipv4_address: String,
    /// A fixed IPv6 address.
    #[serde(skip_serializing_if = "is_zero")]
    pub ipv6_address: String,
    /// Link-local addresses.
    #[serde(skip_serializing_if = "is_zero")]
    pub link_local_ips: Vec<String>,
    /// The MAC address in this network.
    #[serde(skip_serializing_if = "is_zero")]
    pub mac_address: String,
    /// Which network is attached first: the highest.
    #[serde(skip_serializing_if = "is_zero")]
    pub priority: i64,
}

pub(super) fn read(cursor: &Cursor) -> BTreeMap<String, Option<Attachment>> {
    cursor.map().into_iter().map(|(key, value)| (key.to_owned(), attachment(&value))).collect()
}

fn attachment(cursor: &Cursor) -> Option<Attachment> {
    if cursor.node.content == Content::Null {
        return None;
    }
    let fields = cursor.fields()?;
    let attachment = Attachment {
        aliases: fields.strings("aliases"),
        driver_opts: fields.text_pairs("driver_opts"),
        gw_priority: fields.int("gw_priority"),
        interface_name: fields.string("interface_name"),
        ipv4_address: fields.string("ipv4_address"),
        ipv6_address: fields.string("ipv6_address"),
        link_local_ips: fields.strings("link_local_ips"),
        mac_address: fields.string("mac_address"),
        priority: fields.int("priority"),
    };
    fields.close();
    Some(attachment)
}
