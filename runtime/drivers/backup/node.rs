//! Between what the kernel says of a file and what restic's format has: modes are those of Go.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustic_core::repofile;
use rustix::fs::{lgetxattr, llistxattr};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::archive::{Attributes, Stat};
use super::tally::{Rights, digest_of};

const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
/// Bits above the permissions: in Go's numbers and in the kernel's.
const SPECIAL: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// What the repository keeps of an entry of this machine.
pub fn kept(metadata: &Metadata, attributes: Attributes) -> repofile::Metadata {
    let kind = if metadata.is_dir() {
        FOLDER
    } else if metadata.is_symlink() {
        LINK
    } else {
        0
    };
    let special = SPECIAL.iter().filter(|(_, unix)| metadata.mode() & unix != 0).fold(0, |mode, (go, _)| mode | go);
    let time = |seconds, nanoseconds| Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or(0)).ok();
    repofile::Metadata {
        mode: Some(kind | special | metadata.mode() & 0o777),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        inode: metadata.ino(),
        device_id: metadata.dev(),
        size: if metadata.is_file() { metadata.len() } else { 0 },
        links: metadata.nlink(),
        extended_attributes: extended(attributes),
        ..repofile::Metadata::default()
    }
}

/// What the repository keeps of an entry that somebody else tells of.
pub fn told(stat: Stat, kind: NodeKind, bytes: u64) -> repofile::Metadata {
    let kind = match kind {
        NodeKind::Folder => FOLDER,
        NodeKind::Link => LINK,
        NodeKind::File => 0,
    };
    let special = SPECIAL.iter().filter(|(_, unix)| stat.mode & unix != 0).fold(0, |mode, (go, _)| mode | go);
    repofile::Metadata {
        mode: Some(kind | special | stat.mode & 0o777),
        mtime: Some(stat.time),
        ctime: stat.known,
        uid: Some(stat.user),
        gid: Some(stat.group),
        size: bytes,
        extended_attributes: extended(stat.attributes),
        ..repofile::Metadata::default()
    }
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Folder,
    Link,
    File,
}

/// The engine does not name the type of an attribute: it is made as it is read, out of its JSON.
fn extended<T: DeserializeOwned + Default>(attributes: Attributes) -> T {
    if attributes.is_empty() {
        return T::default();
    }
    let one = |(name, value): (String, Vec<u8>)| json!({ "name": name, "value": STANDARD.encode(value) });
    // What would be missing then, the manifest has: a restore would tell.
    serde_json::from_value(attributes.into_iter().map(one).collect::<Vec<_>>().into()).unwrap_or_default()
}

/// What is known of an entry of this machine that somebody tells of; of a link, where it leads to.
pub fn stat_of(path: &Path) -> std::io::Result<Stat> {
    let metadata = std::fs::metadata(path)?;
    let time = Timestamp::new(metadata.mtime(), i32::try_from(metadata.mtime_nsec()).unwrap_or(0));
    Ok(Stat {
        mode: metadata.mode() & 0o7777,
        user: metadata.uid(),
        group: metadata.gid(),
        time: time.unwrap_or(Timestamp::UNIX_EPOCH),
        attributes: attributes(path)?,
        known: None,
    })
}

/// The extended attributes of an entry of this machine, itself and not what it leads to, by name.
pub fn attributes(path: &Path) -> std::io::Result<Attributes> {
    let names = match grown(|buffer| llistxattr(path, buffer)) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(Attributes::new()),
        names => names?,
    };
    let mut all = Attributes::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // Names that are no text belong to nobody.
        let Ok(name) = std::str::from_utf8(name) else { continue };
        match grown(|buffer| lgetxattr(path, name, buffer)) {
            Ok(value) => all.push((name.to_owned(), value)),
            // Gone since, or somebody else's business.
            Err(error) if error.raw_os_error() == Some(61) => {}
            Err(error) => return Err(error),
        }
    }
    all.sort();
    Ok(all)
}

/// Asks with more room until it is enough.
fn grown(ask: impl Fn(&mut [u8]) -> Result<usize, rustix::io::Errno>) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match ask(&mut buffer) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(rustix::io::Errno::RANGE) if buffer.len() < 1 << 20 => buffer = vec![0; buffer.len() * 4],
            Err(error) => return Err(error.into()),
        }
    }
}

/// Who may do what with an entry of this machine.
pub fn rights(metadata: &Metadata, attributes: &Attributes) -> Rights {
    let attributes = digest_of(attributes);
    Rights { mode: metadata.mode() & 0o7777, user: metadata.uid(), group: metadata.gid(), attributes }
}

/// The same of an entry in the repository.
pub fn kept_rights(metadata: &repofile::Metadata) -> Rights {
    let go = metadata.mode.unwrap_or(0o600);
    let special = SPECIAL.iter().filter(|(bit, _)| go & bit != 0).fold(0, |mode, (_, unix)| mode | unix);
    Rights {
        mode: go & 0o777 | special,
        user: metadata.uid.unwrap_or_default(),
        group: metadata.gid.unwrap_or_default(),
        attributes: digest_of(&kept_attributes(metadata)),
    }
}

/// The extended attributes of an entry in the repository, by name.
pub fn kept_attributes(metadata: &repofile::Metadata) -> Attributes {
    let all = metadata.extended_attributes.iter();
    let mut all: Attributes = all.map(|one| (one.name.clone(), one.value.clone().unwrap_or_default())).collect();
    all.sort();
    all
}
