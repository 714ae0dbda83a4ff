//! Names for `/etc/hosts`, as a list or a mapping, with `=` or `:` between name and address.

use std::collections::BTreeMap;

use crate::compose::cursor::Cursor;
use crate::compose::node::Content;

/// As `name=address`, sorted.
pub(super) fn read(cursor: &Cursor) -> Vec<String> {
    let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    match &cursor.node.content {
        Content::Map(_) => {
            for (name, value) in cursor.map() {
                let addresses = match &value.node.content {
                    Content::List(_) => value.strings(),
                    Content::Null => vec![String::new()],
                    _ => value.string().into_iter().collect(),
                };
                hosts.insert(name.to_owned(), addresses);
            }
        }
        Content::List(_) => {
            for item in cursor.list() {
                let Some(text) = item.string() else { continue };
                match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((name, addresses)) => {
                        hosts.entry(name.to_owned()).or_default().extend(addresses.split(',').map(str::to_owned));
                    }
                    None => item.error_with_hint(format!("`{text}` has no address"), "write name=address"),
                }
            }
        }
        _ => return cursor.expected("a list or a mapping").unwrap_or_default(),
    }
    let mut lines: Vec<String> = hosts
        .iter()
        .flat_map(|(name, addresses)| addresses.iter().map(move |address| format!("{name}={}", bare(address))))
        .collect();
    lines.sort();
    lines
}

/// `[::1]` as `::1`.
fn bare(address: &str) -> &str {
    address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address)
}
