//! Tar archives, as an engine makes them of a volume and as people have them: read entry by entry, and written out of a
//! snapshot.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use ::tar::{EntryType, Header};
use jiff::Timestamp;
use rustic_core::LsOptions;
use rustic_core::repofile::NodeType;

use super::archive::{Attributes, Stat};
use super::node::{kept_attributes, kept_rights};
use super::tally::Count;
use super::unpack::Hashing;
use super::{Repository, Tally};
use crate::failure::{Failure, FailureKind};

/// What stands before the name of an extended attribute.
const ATTRIBUTE: &str = "SCHILY.xattr.";
/// Names up to this length have room where they always were.
const SHORT: usize = 100;
/// The folders before them, in a place of their own.
const LONG: usize = 155;

/// An entry of an archive.
#[derive(Debug)]
pub struct Tarred {
    /// Its path, without the folders that were to be left away; nothing for the outermost folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: TarredKind,
    /// What is known of it.
    pub stat: Stat,
    /// Of a file: how much is in it, and at which byte of the archive it begins.
    pub bytes: u64,
    /// Where its content begins in the archive.
    pub offset: u64,
    /// Is it stored with holes, so that its content is not in one piece?
    pub is_sparse: bool,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TarredKind {
    /// A folder.
    Folder,
    /// A file.
    File,
    /// A symbolic link.
    Link(PathBuf),
    /// Another name of a file that came before, by its path in the archive.
    Hard(PathBuf),
    /// A pipe or a device.
    Other,
}

/// Whoever is told of each entry and what is in it.
pub type OnTarred<'a> = &'a mut dyn FnMut(Tarred, &mut dyn Read) -> Result<(), Failure>;

/// Reads an archive to its end, without the first `strip` folders of each path. Paths that lead out of it are refused.
pub fn each_in_tar(input: impl Read, strip: usize, on: OnTarred<'_>) -> Result<(), Failure> {
    each(::tar::Archive::new(input), strip, on)
}

/// The same of several archives, one behind the other, as whoever was told of files bit by bit makes them.
pub fn each_in_tars(input: impl Read, on: OnTarred<'_>) -> Result<(), Failure> {
    let mut archives = ::tar::Archive::new(input);
    archives.set_ignore_zeros(true);
    each(archives, 0, on)
}

fn each(mut archive: ::tar::Archive<impl Read>, strip: usize, on: OnTarred<'_>) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::new(FailureKind::Invalid, format!("the archive cannot be read: {error}"));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            continue;
        }
        let path = inside(&entry.path_bytes(), strip)?;
        let mut stat = Stat {
            mode: entry.header().mode().map_err(broken)? & 0o7777,
            user: narrow(entry.header().uid().map_err(broken)?),
            group: narrow(entry.header().gid().map_err(broken)?),
            time: seconds(entry.header().mtime().map_err(broken)?),
            attributes: Attributes::new(),
            known: None,
        };
        let records = entry.pax_extensions().map_err(broken)?;
        for record in records.into_iter().flatten() {
            let record = record.map_err(broken)?;
            let Ok(key) = record.key() else { continue };
            if let Some(name) = key.strip_prefix(ATTRIBUTE) {
                stat.attributes.push((name.to_owned(), record.value_bytes().to_vec()));
            } else if let ("mtime", Some(time)) = (key, record.value().ok().and_then(moment)) {
                stat.time = time;
            }
        }
        stat.attributes.sort();
        let target =
            |entry: &::tar::Entry<'_, _>| entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let is_sparse = kind == EntryType::GNUSparse;
        let kind = match kind {
            EntryType::Directory => TarredKind::Folder,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => TarredKind::File,
            EntryType::Symlink => TarredKind::Link(PathBuf::from(OsStr::from_bytes(&target(&entry)))),
            EntryType::Link => TarredKind::Hard(inside(&target(&entry), strip)?),
            _ => TarredKind::Other,
        };
        let (bytes, offset) = (entry.size(), entry.raw_file_position());
        on(Tarred { path, kind, stat, bytes, offset, is_sparse }, &mut entry)?;
    }
    Ok(())
}

/// The path of an entry below the folder that is meant.
fn inside(name: &[u8], strip: usize) -> Result<PathBuf, Failure> {
    let mut parts = Vec::new();
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => parts.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let shown = String::from_utf8_lossy(name);
                let message = format!("the archive has the path `{shown}`, which leads out of it");
                return Err(Failure::new(FailureKind::Refused, message));
            }
        }
    }
    Ok(parts.into_iter().skip(strip).collect())
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn seconds(since: u64) -> Timestamp {
    i64::try_from(since).ok().and_then(|since| Timestamp::from_second(since).ok()).unwrap_or_default()
}

/// Seconds since 1970 with a fraction, as archives have it.
fn moment(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let (seconds, part): (i64, i32) = (whole.parse().ok()?, fraction.parse().ok()?);
    Timestamp::new(seconds, if whole.starts_with('-') { -part } else { part }).ok()
}

/// Tells somebody of everything in an archive: of a hard link as of the file it is another name of.
pub fn count_tar(input: impl Read, strip: usize, to: &mut dyn Count) -> Result<(), Failure> {
    counted(to, |on| each_in_tar(input, strip, on))
}

/// The same of several archives.
pub fn count_tars(input: impl Read, to: &mut dyn Count) -> Result<(), Failure> {
    counted(to, |on| each_in_tars(input, on))
}

fn counted(to: &mut dyn Count, read: impl FnOnce(OnTarred<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut files = std::collections::HashMap::new();
    read(&mut |entry, content| {
        let Tarred { path, kind, stat, .. } = entry;
        let rights = stat.rights();
        match kind {
            TarredKind::Folder if path.as_os_str().is_empty() => {}
            TarredKind::Folder => to.folder(&path, rights),
            TarredKind::Link(target) => to.link(&path, &target, rights),
            TarredKind::File => {
                let mut hashing = Hashing::new(io::sink());
                io::copy(content, &mut hashing).map_err(|error| Failure::system("read the archive", &error))?;
                let (bytes, hash) = hashing.finish();
                to.file(&path, rights, bytes, &hash);
                files.insert(path, (bytes, hash));
            }
            TarredKind::Hard(first) => match files.get(&first) {
                Some((bytes, hash)) => to.file(&path, rights, *bytes, hash),
                None => return Err(lost(&path, &first)),
            },
            TarredKind::Other => return Err(unfit(&path)),
        }
        Ok(())
    })
}

/// A hard link to what is not there.
pub fn lost(path: &Path, first: &Path) -> Failure {
    let message = format!("`{}` is another name of `{}`, which is not before it", path.display(), first.display());
    Failure::new(FailureKind::Invalid, message)
}

/// What is no part of a snapshot.
pub fn unfit(path: &Path) -> Failure {
    let message = format!("`{}` is neither a file nor a folder nor a link: it cannot be saved", path.display());
    Failure::new(FailureKind::Invalid, message).hint("exclude it")
}

impl Repository {
    /// Writes a folder of a snapshot as a tar archive in which it has the name `name`, and says what was in it. `owners: false`
    /// leaves out to whom it belonged.
    pub fn pack(&self, snapshot: &str, inside: &str, name: &Path, to: &mut dyn Write) -> Result<Tally, Failure> {
        let (engine, root) = self.found(snapshot, inside)?;
        self.expect(&engine, &root)?;
        let failed = |error: Box<rustic_core::RusticError>| self.failed("read from", &error);
        let mut tally = Tally::default();
        let mut archive = ::tar::Builder::new(to);
        let written = |error: io::Error| Failure::system("write the archive", &error);
        head(&mut archive, name, &root, EntryType::Directory, None).map_err(written)?;
        for item in engine.ls(&root, &LsOptions::default()).map_err(failed)? {
            self.wanted()?;
            let (relative, node) = item.map_err(failed)?;
            if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
                let message = format!("the snapshot has the path `{}`, which leads out of it", relative.display());
                return Err(Failure::new(FailureKind::Refused, message));
            }
            let (path, rights) = (name.join(&relative), kept_rights(&node.meta));
            match &node.node_type {
                NodeType::Dir => {
                    head(&mut archive, &path, &node, EntryType::Directory, None).map_err(written)?;
                    tally.folder(&relative, rights);
                }
                NodeType::Symlink { .. } => {
                    let target = node.node_type.to_link();
                    head(&mut archive, &path, &node, EntryType::Symlink, Some(target)).map_err(written)?;
                    tally.link(&relative, target, rights);
                }
                NodeType::File => {
                    head(&mut archive, &path, &node, EntryType::Regular, None).map_err(written)?;
                    let mut hashing = Hashing::metered(archive.get_mut(), self.meter());
                    engine.dump(&node, &mut hashing).map_err(failed)?;
                    let (bytes, hash) = hashing.finish();
                    if bytes != node.meta.size {
                        let message =
                            format!("`{}` has {bytes} bytes instead of {}", relative.display(), node.meta.size);
                        return Err(Failure::new(FailureKind::Check, message));
                    }
                    let rest = usize::try_from((512 - bytes % 512) % 512).unwrap_or(0);
                    archive.get_mut().write_all(&[0; 512][..rest]).map_err(written)?;
                    tally.file(&relative, rights, bytes, &hash);
                }
                _ => return Err(unfit(&relative)),
            }
        }
        archive.into_inner().and_then(Write::flush).map_err(written)?;
        Ok(tally)
    }

    /// Tells somebody of everything in a folder of a snapshot, all of it read.
    pub fn count(&self, snapshot: &str, inside: &str, to: &mut dyn Count) -> Result<(), Failure> {
        let (engine, root) = self.found(snapshot, inside)?;
        self.expect(&engine, &root)?;
        let failed = |error: Box<rustic_core::RusticError>| self.failed("read from", &error);
        for item in engine.ls(&root, &LsOptions::default()).map_err(failed)? {
            self.wanted()?;
            let (relative, node) = item.map_err(failed)?;
            let rights = kept_rights(&node.meta);
            match &node.node_type {
                NodeType::Dir => to.folder(&relative, rights),
                NodeType::Symlink { .. } => to.link(&relative, node.node_type.to_link(), rights),
                _ => {
                    let mut hashing = Hashing::metered(io::sink(), self.meter());
                    engine.dump(&node, &mut hashing).map_err(failed)?;
                    let (bytes, hash) = hashing.finish();
                    to.file(&relative, rights, bytes, &hash);
                }
            }
        }
        Ok(())
    }
}

/// The two places of a header for a name, between which a `/` is left away; none where it has no room there.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= SHORT {
        return Some((&[], name));
    }
    let first = name.len() - SHORT - 1;
    let at = first + name[first..name.len() - 1].iter().position(|byte| *byte == b'/')?;
    (at <= LONG).then(|| (&name[..at], &name[at + 1..]))
}

/// Writes what stands before the content of an entry: in a record of its own what has no room in a header.
fn head(
    archive: &mut ::tar::Builder<&mut dyn Write>,
    path: &Path,
    node: &rustic_core::repofile::Node,
    kind: EntryType,
    target: Option<&Path>,
) -> io::Result<()> {
    let (metadata, rights) = (&node.meta, kept_rights(&node.meta));
    let mut name = path.as_os_str().as_bytes().to_vec();
    if kind == EntryType::Directory {
        name.push(b'/');
    }
    let target = target.map(|target| target.as_os_str().as_bytes());
    let time = metadata.mtime.unwrap_or_default();
    let mut records: Vec<(String, Vec<u8>)> = Vec::new();
    let split = split(&name);
    if split.is_none() {
        records.push(("path".into(), name.clone()));
    }
    if let Some(target) = target.filter(|target| target.len() > SHORT) {
        records.push(("linkpath".into(), target.to_vec()));
    }
    if time.subsec_nanosecond() != 0 || time.as_second() < 0 {
        let nanoseconds = time.as_nanosecond();
        let sign = if nanoseconds < 0 { "-" } else { "" };
        let all = nanoseconds.unsigned_abs();
        let text = format!("{sign}{}.{:09}", all / 1_000_000_000, all % 1_000_000_000);
        records.push(("mtime".into(), text.into_bytes()));
    }
    let attributes = kept_attributes(metadata).into_iter();
    records.extend(attributes.map(|(name, value)| (format!("{ATTRIBUTE}{name}"), value)));
    if !records.is_empty() {
        archive.append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
    }
    let mut header = Header::new_ustar();
    let (prefix, short) = split.unwrap_or((&[], &name[..name.len().min(SHORT)]));
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.prefix[..prefix.len()].copy_from_slice(prefix);
    }
    let old = header.as_old_mut();
    old.name[..short.len()].copy_from_slice(short);
    if let Some(target) = target {
        old.linkname[..target.len().min(SHORT)].copy_from_slice(&target[..target.len().min(SHORT)]);
    }
    header.set_entry_type(kind);
    header.set_mode(rights.mode);
    header.set_uid(rights.user.into());
    header.set_gid(rights.group.into());
    header.set_mtime(u64::try_from(time.as_second()).unwrap_or(0));
    header.set_size(if kind == EntryType::Regular { metadata.size } else { 0 });
    header.set_cksum();
    archive.get_mut().write_all(header.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn a_name_is_split_where_both_sides_have_room() {
        let name = |lengths: &[usize]| lengths.iter().map(|length| "n".repeat(*length)).collect::<Vec<_>>().join("/");
        let halves =
            |lengths: &[usize]| split(name(lengths).as_bytes()).map(|(before, after)| (before.len(), after.len()));
        assert_eq!(halves(&[100]), Some((0, 100)));
        assert_eq!(halves(&[80, 80]), Some((80, 80)));
        assert_eq!(halves(&[155, 100]), Some((155, 100)));
        assert_eq!(halves(&[60, 60, 60]), Some((121, 60)));
        assert_eq!((halves(&[101]), halves(&[156, 99]), halves(&[10, 101])), (None, None, None));
        let folder = format!("{}/", name(&[80, 80]));
        assert_eq!(split(folder.as_bytes()).map(|(before, after)| (before.len(), after.len())), Some((80, 81)));
        assert_eq!(split(format!("{}/", "n".repeat(100)).as_bytes()), None);
    }
}
