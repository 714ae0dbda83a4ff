use std::fs::{self, File};
use std::io::{Result as Io, Write};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Component, Path};
use std::sync::Arc;

use jiff::Timestamp;
use rustic_core::LsOptions;
use rustic_core::repofile::{Metadata, Node, NodeType};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, lsetxattr, utimensat};
use sha2::{Digest, Sha256};

use super::meter::{Flow, Meter, Metered};
use super::node::kept_rights;
use super::seen::Indexed;
use super::source::count;
use super::tally::NOBODYS;
use super::{Repository, Tally};
use crate::failure::{Failure, FailureKind};

/// Counts and hashes what is written.
pub struct Hashing<W> {
    to: W,
    meter: Option<Arc<Meter>>,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    /// Hands on what is written.
    pub fn new(to: W) -> Self {
        Self { to, meter: None, hasher: Sha256::new(), bytes: 0 }
    }

    /// The same, and lets a meter know.
    pub fn metered(to: W, meter: Arc<Meter>) -> Self {
        Self { meter: Some(meter), ..Self::new(to) }
    }

    /// How much it was, and its hash.
    pub fn finish(self) -> (u64, [u8; 32]) {
        (self.bytes, self.hasher.finalize().into())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> Io<usize> {
        let length = self.to.write(buffer)?;
        self.hasher.update(&buffer[..length]);
        self.bytes += length as u64;
        if let Some(meter) = &self.meter {
            meter.count(Flow::Content, length);
        }
        Ok(length)
    }

    fn flush(&mut self) -> Io<()> {
        self.to.flush()
    }
}

impl Repository {
    /// Writes a file of a snapshot somewhere, and says what it was.
    pub fn pour(&self, snapshot: &str, inside: &str, to: &mut dyn Write) -> Result<Tally, Failure> {
        let (engine, node) = self.found(snapshot, inside)?;
        self.meter().begin("reading", Flow::Content, Some(node.meta.size));
        self.expect(&engine, &node)?;
        self.hand_on(&engine, &node, to)
    }

    /// The same, for what is so small that nobody wants to know how far it is.
    pub(super) fn dump(&self, snapshot: &str, inside: &str, to: &mut dyn Write) -> Result<Tally, Failure> {
        let (engine, node) = self.found(snapshot, inside)?;
        self.hand_on(&engine, &node, to)
    }

    fn hand_on(&self, engine: &Indexed, node: &Node, to: &mut dyn Write) -> Result<Tally, Failure> {
        let mut hashing = Hashing::metered(to, self.meter());
        engine.dump(node, &mut hashing).map_err(|error| self.failed("read from", &error))?;
        hashing.flush().map_err(|error| Failure::system("write what was restored", &error))?;
        let (bytes, hash) = hashing.finish();
        let mut tally = Tally::default();
        tally.file(Path::new(""), NOBODYS, bytes, &hash);
        Ok(tally)
    }

    /// Is that a folder in the snapshot?
    pub fn is_folder(&self, snapshot: &str, inside: &str) -> Result<bool, Failure> {
        Ok(self.found(snapshot, inside)?.1.is_dir())
    }

    /// Writes a folder of a snapshot to `to`, which must not be there, and says what is in it afterwards: both as it came
    /// out of the repository, and as it was read again from the disk.
    pub fn unpack(&self, snapshot: &str, inside: &str, to: &Path, owners: bool) -> Result<(Tally, Tally), Failure> {
        let (engine, root) = self.found(snapshot, inside)?;
        let failed = |error: Box<rustic_core::RusticError>| self.failed("read from", &error);
        self.expect(&engine, &root)?;
        let mut tally = Tally::default();
        let mut folders = vec![(to.to_owned(), root.meta.clone())];
        fs::create_dir(to).map_err(|error| cannot("make the folder", to, &error))?;
        for item in engine.ls(&root, &LsOptions::default()).map_err(failed)? {
            self.wanted()?;
            let (relative, node) = item.map_err(failed)?;
            if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
                let message = format!("the snapshot has the path `{}`, which leads out of it", relative.display());
                return Err(Failure::new(FailureKind::Refused, message));
            }
            let path = to.join(&relative);
            let rights = kept_rights(&node.meta);
            match &node.node_type {
                NodeType::Dir => {
                    fs::create_dir(&path).map_err(|error| cannot("make the folder", &path, &error))?;
                    tally.folder(&relative, rights);
                    folders.push((path, node.meta));
                }
                NodeType::File => {
                    let file = File::create_new(&path).map_err(|error| cannot("write", &path, &error))?;
                    let mut hashing = Hashing::metered(file, self.meter());
                    let dumped = engine.dump(&node, &mut hashing);
                    dumped.map_err(|error| {
                        self.failed("restore from", &error).evidence("file", path.display().to_string())
                    })?;
                    let (bytes, hash) = hashing.finish();
                    tally.file(&relative, rights, bytes, &hash);
                    dress(&path, &node, owners)?;
                }
                NodeType::Symlink { .. } => {
                    let target = node.node_type.to_link();
                    symlink(target, &path).map_err(|error| cannot("make the link", &path, &error))?;
                    tally.link(&relative, target, rights);
                    dress(&path, &node, owners)?;
                }
                _ => {
                    let message = format!("`{}` is neither a file nor a folder nor a link", relative.display());
                    return Err(Failure::new(FailureKind::Invalid, message).hint("restore it with `restic`"));
                }
            }
        }
        // The innermost first: what is put into a folder changes its time.
        for (path, metadata) in folders.into_iter().rev() {
            dress_as(&path, false, &metadata, owners)?;
        }
        flush(to)?;
        self.meter().begin("comparing", Flow::Content, Some(tally.bytes));
        let mut there = Metered(Tally::default(), &self.meter());
        count(to, &self.asked(), &mut there)?;
        Ok((tally, there.0))
    }

    pub(super) fn found(&self, snapshot: &str, inside: &str) -> Result<(Arc<Indexed>, Node), Failure> {
        let file = self.file(snapshot)?.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("there is no snapshot `{snapshot}` in `{}`", self.shown()))
        })?;
        let engine = self.indexed(false)?;
        if let Ok(node) = engine.node_from_snapshot_and_path(&file, inside) {
            return Ok((engine, node));
        }
        drop(engine);
        // It may be newer than the index that was read.
        let engine = self.indexed(true)?;
        let node = engine.node_from_snapshot_and_path(&file, inside).map_err(|_| {
            let short = snapshot.get(..8).unwrap_or(snapshot);
            let missing = format!("there is no `{inside}` in the snapshot {short}");
            self.reason(|| Failure::new(FailureKind::NotFound, missing))
        })?;
        Ok((engine, node))
    }
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::system(format!("{what} `{}`", path.display()), error)
}

fn dress(path: &Path, node: &Node, owners: bool) -> Result<(), Failure> {
    dress_as(path, node.is_symlink(), &node.meta, owners)
}

/// Owners first: giving a file away takes special bits from it.
fn dress_as(path: &Path, is_link: bool, metadata: &Metadata, owners: bool) -> Result<(), Failure> {
    let rights = kept_rights(metadata);
    if owners && metadata.uid.is_some() {
        lchown(path, Some(rights.user), Some(rights.group)).map_err(|error| {
            let to = format!("give to user {} and group {}", rights.user, rights.group);
            cannot(&to, path, &error).hint("restore as root, or with `owners: false`")
        })?;
    }
    if !is_link && metadata.mode.is_some() {
        let mode = fs::Permissions::from_mode(rights.mode);
        fs::set_permissions(path, mode).map_err(|error| cannot("set the mode of", path, &error))?;
    }
    for attribute in &metadata.extended_attributes {
        // Others than those of users are a matter of privilege, as owners are.
        let (name, value) = (&attribute.name, attribute.value.as_deref().unwrap_or_default());
        if owners || name.starts_with("user.") {
            lsetxattr(path, name.as_str(), value, XattrFlags::empty()).map_err(|error| {
                cannot(&format!("set the attribute `{name}` of"), path, &error.into())
                    .hint("restore it to a file system that has extended attributes, as root, or with `owners: false`")
            })?;
        }
    }
    let Some(time) = metadata.mtime else { return Ok(()) };
    let times = Timestamps { last_access: moment(metadata.atime.unwrap_or(time)), last_modification: moment(time) };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| cannot("set the time of", path, &error.into()))
}

fn moment(time: Timestamp) -> Timespec {
    let (mut seconds, mut nanoseconds) = (time.as_second(), time.subsec_nanosecond());
    if nanoseconds < 0 {
        (seconds, nanoseconds) = (seconds - 1, nanoseconds + 1_000_000_000);
    }
    Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() }
}

/// What was restored is on the disk before anybody is told so.
fn flush(folder: &Path) -> Result<(), Failure> {
    let synced = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    synced.map_err(|error| cannot("write to the disk", folder, &error))
}
