//! Relative paths made absolute, in the long syntax.

use std::path::Path as Folder;

use super::mounts::clean;
use super::node::{Content, Node, Path};

/// Makes every path below a node absolute, against the folder its file belongs to.
pub fn resolve(node: &mut Node, path: &Path, folder: &Folder, home: Option<&str>) {
    let is = |patterns: &[&str]| patterns.iter().any(|pattern| path.matches(pattern));
    if is(&["services.*.build.context", "services.*.build.additional_contexts.*"]) {
        return if_text(node, |text| if is_remote(text) { text.to_owned() } else { absolute(text, folder, home) });
    }
    if is(&[
        "services.*.env_file.*.path",
        "services.*.develop.watch.*.path",
        "services.*.label_file.*",
        "configs.*.file",
        "secrets.*.file",
    ]) {
        return if_text(node, |text| absolute(text, folder, home));
    }
    if is(&["services.*.volumes.*"]) && node.get("type").and_then(Node::as_text) == Some("bind") {
        if let Some(source) = node.as_map_mut().and_then(|map| map.get_mut("source")) {
            if_text(source, |text| absolute(text, folder, home));
        }
        return;
    }
    if is(&["volumes.*.driver_opts"]) && node.get("o").and_then(Node::as_text) == Some("bind") {
        if let Some(device) = node.as_map_mut().and_then(|map| map.get_mut("device")) {
            if_text(device, |text| absolute(text, folder, home));
        }
        return;
    }
    match &mut node.content {
        Content::Map(map) => {
            map.0.iter_mut().for_each(|entry| resolve(&mut entry.value, &path.key(&entry.key), folder, home));
        }
        Content::List(items) => {
            items.iter_mut().enumerate().for_each(|(index, item)| resolve(item, &path.index(index), folder, home));
        }
        _ => {}
    }
}

/// A path against a folder; `~` is the home folder.
pub fn absolute(text: &str, folder: &Folder, home: Option<&str>) -> String {
    let expanded = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => text.to_owned(),
    };
    if text.starts_with('~') && home.is_some() {
        clean(&expanded)
    } else if expanded.starts_with('/') || is_windows(&expanded) {
        expanded
    } else {
        clean(&format!("{}/{expanded}", folder.display()))
    }
}

fn if_text(node: &mut Node, change: impl FnOnce(&str) -> String) {
    if let Content::Text(text) = &mut node.content {
        *text = change(text);
    }
}

/// A repository, an image or another service, rather than a folder.
fn is_remote(context: &str) -> bool {
    context.contains("://")
        || context.starts_with("service:")
        || context.starts_with("github.com/")
        || context.starts_with("git@")
}

fn is_windows(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with(r"\\")
        || (bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/'))
}
