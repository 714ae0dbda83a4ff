//! Between what the kernel says of a file and what restic's format has: modes are those of Go.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use jiff::Timestamp;
use rustic_core::repofile;

use super::tally::Rights;

const FOLDER: u32 = 1 << 31;
const LINK: u32 = 1 << 27;
/// Bits above the permissions: in Go's numbers and in the kernel's.
const SPECIAL: [(u32, u32); 3] = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];

/// What the repository keeps of an entry.
pub fn kept(metadata: &Metadata) -> repofile::Metadata {
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
        ..repofile::Metadata::default()
    }
}

/// Who may do what with an entry of this machine.
pub fn rights(metadata: &Metadata) -> Rights {
    Rights { mode: metadata.mode() & 0o7777, user: metadata.uid(), group: metadata.gid() }
}

/// The same of an entry in the repository.
pub fn kept_rights(metadata: &repofile::Metadata) -> Rights {
    let go = metadata.mode.unwrap_or(0o600);
    let special = SPECIAL.iter().filter(|(bit, _)| go & bit != 0).fold(0, |mode, (_, unix)| mode | unix);
    Rights {
        mode: go & 0o777 | special,
        user: metadata.uid.unwrap_or_default(),
        group: metadata.gid.unwrap_or_default(),
    }
}
