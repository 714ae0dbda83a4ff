//! What the files hold that a container is given: configs, secrets, and files of the host that are mounted.
//!
//! The compose files name them and do not hold them, so nothing else would notice that one has changed. A digest of each
//! is kept with the container. Files that the container may write itself are no configuration: of those only the ones
//! whose names say that they are.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::files::Inject;
use crate::compose::{Application, Mount, Service, is_configuration};
use crate::drivers::docker::Container;

/// A label of ours: a digest of each file, by its name.
pub(super) const MOUNTED: &str = "runbook.compose.mounted";

/// Larger files are data.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Folders with more files are data.
const MOST: usize = 100;

/// The digests of everything a service's containers are given, as a label; `None` when that is nothing.
pub(super) fn label(application: &Application, service: &Service, inject: &[Inject]) -> Option<String> {
    let mut found = BTreeMap::new();
    for file in inject {
        found.insert(format!("={}", file.path), short(Sha256::digest(file.text.as_bytes()).as_ref()));
    }
    if !application.travels {
        let configs = service.configs.iter().filter_map(|mount| application.configs.get(&mount.source));
        let secrets = service.secrets.iter().filter_map(|mount| application.secrets.get(&mount.source));
        for object in configs.chain(secrets).filter(|object| !object.file.is_empty()) {
            add(&mut found, application, Path::new(&object.file));
        }
        for mount in service.volumes.iter().filter(|mount| mount.kind == "bind") {
            let source = Path::new(&mount.source);
            if source.is_file() && is_given(mount) {
                add(&mut found, application, source);
            } else if source.is_dir() && mount.read_only {
                add_folder(&mut found, application, source);
            }
        }
    }
    (!found.is_empty()).then(|| serde_json::json!(found).to_string())
}

/// Which of the files differ from those that a container was given; nothing when it was made by somebody who did not
/// look.
pub(super) fn reasons(label: Option<&String>, running: &Container) -> Vec<String> {
    let read = |label: Option<&String>| -> Option<BTreeMap<String, String>> { serde_json::from_str(label?).ok() };
    let Some(before) = read(running.labels.get(MOUNTED)) else { return Vec::new() };
    let now = read(label).unwrap_or_default();
    let changed = now.iter().filter_map(|(name, digest)| match before.get(name) {
        Some(known) if known == digest => None,
        Some(_) => Some(format!("{}: other content", shown(name))),
        None => Some(format!("{}: new", shown(name))),
    });
    let gone = before.keys().filter(|name| !now.contains_key(*name)).map(|name| format!("{}: gone", shown(name)));
    changed.chain(gone).collect()
}

/// Files of this machine that are not any more what a recorded container was given.
pub(super) fn changed_since(label: &str, directory: &Path) -> Vec<String> {
    let before: BTreeMap<String, String> = serde_json::from_str(label).unwrap_or_default();
    let files = before.into_iter().filter(|(name, _)| !name.starts_with('='));
    files.filter(|(name, digest)| of(&directory.join(name)).as_ref() != Some(digest)).map(|(name, _)| name).collect()
}

/// The label of a recorded container when it is made again, from files as they are now.
pub(super) fn refreshed(label: &str, directory: &Path) -> String {
    let before: BTreeMap<String, String> = serde_json::from_str(label).unwrap_or_default();
    let now = before.into_iter().filter_map(|(name, digest)| {
        let digest = if name.starts_with('=') { Some(digest) } else { of(&directory.join(&name)) };
        digest.map(|digest| (name, digest))
    });
    serde_json::json!(now.collect::<BTreeMap<_, _>>()).to_string()
}

/// What is put into a container has no name outside of it.
fn shown(name: &str) -> String {
    name.strip_prefix('=').map_or_else(|| format!("file {name}"), |path| format!("{path} in the container"))
}

fn is_given(mount: &Mount) -> bool {
    mount.read_only || is_configuration(&mount.source)
}

fn add(found: &mut BTreeMap<String, String>, application: &Application, path: &Path) {
    if let Some(digest) = of(path) {
        let shown = path.strip_prefix(&application.directory).unwrap_or(path).display().to_string();
        found.insert(shown, digest);
    }
}

/// The files of a folder, unless these are so many that it holds data.
fn add_folder(found: &mut BTreeMap<String, String>, application: &Application, folder: &Path) {
    let (mut open, mut files) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
        if files.len() > MOST || open.len() > MOST {
            return;
        }
    }
    for file in files {
        add(found, application, &file);
    }
}

/// A digest of a file; `None` for what is none, cannot be read, or is too large to be configuration.
fn of(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > LARGEST {
        return None;
    }
    Some(short(Sha256::digest(std::fs::read(path).ok()?).as_ref()))
}

fn short(digest: &[u8]) -> String {
    super::hex(&digest[..8.min(digest.len())])
}
