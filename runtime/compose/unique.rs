//! Entries of lists that are the same entry: the later one takes the place of the earlier.

use super::mounts;
use super::node::{Content, Node, Path};
use super::problem::{Problem, Problems};

type Identity = fn(&Node) -> Option<String>;

const RULES: &[(&str, Identity)] = &[
    ("networks.*.labels", key),
    ("services.*.annotations", key),
    ("services.*.build.args", key),
    ("services.*.build.additional_contexts", key),
    ("services.*.build.tags", key),
    ("services.*.build.labels", key),
    ("services.*.cap_add", key),
    ("services.*.cap_drop", key),
    ("services.*.configs", file_mount),
    ("services.*.deploy.labels", key),
    ("services.*.dns", key),
    ("services.*.dns_opt", key),
    ("services.*.dns_search", key),
    ("services.*.environment", key),
    ("services.*.env_file", env_file),
    ("services.*.expose", scalar),
    ("services.*.labels", key),
    ("services.*.links", key),
    ("services.*.networks.*.aliases", key),
    ("services.*.networks.*.link_local_ips", key),
    ("services.*.ports", port),
    ("services.*.profiles", key),
    ("services.*.secrets", secret_mount),
    ("services.*.sysctls", key),
    ("services.*.tmpfs", key),
    ("services.*.volumes", volume),
    ("services.*.devices", device),
];

/// Applies the rules below a node. Where that is one file and no merge, an entry that another one replaces is a warning.
pub fn enforce(node: &mut Node, path: &Path, warnings: Option<&Problems>) {
    match &mut node.content {
        Content::Map(map) => {
            for entry in &mut map.0 {
                enforce(&mut entry.value, &path.key(&entry.key), warnings);
            }
        }
        Content::List(items) => {
            if let Some((_, identity)) = RULES.iter().find(|(pattern, _)| path.matches(pattern)) {
                *items = distinct(std::mem::take(items), *identity, path, warnings);
            }
        }
        _ => {}
    }
}

fn distinct(items: Vec<Node>, identity: Identity, path: &Path, warnings: Option<&Problems>) -> Vec<Node> {
    let mut kept: Vec<(Option<String>, Node)> = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let id = identity(&item);
        match kept.iter_mut().find(|(other, _)| id.is_some() && *other == id) {
            Some(earlier) => {
                if let Some(problems) = warnings.filter(|_| earlier.1 != item) {
                    let message = format!("replaces the entry for the same thing in line {}", earlier.1.mark.line);
                    problems.warn(Problem::at(&item.mark, &path.index(index), message));
                }
                earlier.1 = item;
            }
            None => kept.push((id, item)),
        }
    }
    kept.into_iter().map(|(_, item)| item).collect()
}

fn key(node: &Node) -> Option<String> {
    let text = node.as_text()?;
    Some(text.split_once('=').map_or(text, |(key, _)| key).to_owned())
}

fn scalar(node: &Node) -> Option<String> {
    super::cursor::plain(node)
}

fn field(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(scalar)
}

fn env_file(node: &Node) -> Option<String> {
    node.as_text().map(str::to_owned).or_else(|| field(node, "path"))
}

fn port(node: &Node) -> Option<String> {
    if node.as_map().is_none() {
        return scalar(node);
    }
    let or = |key, default: &str| field(node, key).unwrap_or_else(|| default.to_owned());
    Some(format!(
        "{}:{}:{}/{}",
        or("host_ip", "0.0.0.0"),
        or("published", ""),
        field(node, "target")?,
        or("protocol", "tcp")
    ))
}

fn volume(node: &Node) -> Option<String> {
    match node.as_text() {
        Some(spec) => mounts::parse(spec).ok().map(|mount| mount.target),
        None => field(node, "target"),
    }
}

fn device(node: &Node) -> Option<String> {
    match node.as_text() {
        Some(spec) => spec.split(':').take(2).last().map(str::to_owned),
        None => field(node, "target"),
    }
}

fn file_mount(node: &Node) -> Option<String> {
    mount_below(node, "")
}

fn secret_mount(node: &Node) -> Option<String> {
    mount_below(node, "/run/secrets")
}

fn mount_below(node: &Node, folder: &str) -> Option<String> {
    match node.as_text() {
        Some(name) => Some(format!("{folder}/{name}")),
        None => field(node, "target").or_else(|| Some(format!("{folder}/{}", field(node, "source")?))),
    }
}
