use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::{Packing, content as unpacked};
use crate::drivers::backup::{
    Content, Entry, EntryKind, Packer, Stat, Tarred, TarredKind, archive, each_in_tar, lost, unfit,
};
use crate::failure::{Failure, FailureKind};

/// How an archive ends.
const END: [u8; 1024] = [0; 1024];

/// What an archive says of one path.
#[derive(Clone)]
struct Line {
    stat: Stat,
    kind: TarredKind,
    bytes: u64,
    offset: u64,
}

/// The entries of an archive, in the order in which a repository wants them: it is read once to see what is in it, and once
/// more for what is in the files.
pub fn content(file: &Path, packing: Packing, scratch: &Path) -> Result<Content, Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("read `{}`", file.display()), &error);
    let opened = match packing {
        Packing::None => File::open(file).map_err(failed)?,
        _ => unpack(file, packing, scratch)?,
    };
    let lines = index(&opened).map_err(|mut failure| {
        failure.message = format!("`{}`: {}", file.display(), failure.message);
        failure
    })?;
    let (packer, archive) = archive();
    let opened = Arc::new(opened);
    std::thread::spawn(move || {
        for (path, line) in lines {
            if !packer.put(entry(path, line, &opened)) {
                return;
            }
        }
        Packer::end(&packer, Ok(Value::Null));
    });
    Ok(Content::Archive(archive))
}

fn entry(path: PathBuf, Line { stat, kind, bytes, offset }: Line, opened: &Arc<File>) -> Entry {
    let kind = match kind {
        TarredKind::Folder => EntryKind::Folder,
        TarredKind::Link(target) => EntryKind::Link(target),
        _ => {
            let file = Arc::clone(opened);
            EntryKind::File(bytes, Box::new(move || Ok(Box::new(Span { file, at: offset, left: bytes }))))
        }
    };
    Entry { path, stat, kind }
}

/// A part of a file.
struct Span {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Span {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let length = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += length as u64;
        self.left -= length as u64;
        Ok(length)
    }
}

/// Keeps what is in a file in another, which has no name.
fn unpack(file: &Path, packing: Packing, scratch: &Path) -> Result<File, Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("unpack `{}`", file.display()), &error);
    DirBuilder::new().recursive(true).mode(0o700).create(scratch).map_err(failed)?;
    let path = scratch.join(format!("unpacked-{}", std::process::id()));
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let mut kept = made.map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)?;
    std::io::copy(&mut unpacked(file, packing)?, &mut kept).map_err(failed)?;
    Ok(kept)
}

fn index(file: &File) -> Result<BTreeMap<PathBuf, Line>, Failure> {
    let failed = |error: std::io::Error| Failure::system("read the archive", &error);
    let mut reader = file;
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut lines: BTreeMap<PathBuf, Line> = BTreeMap::new();
    let mut files: HashMap<PathBuf, (u64, u64)> = HashMap::new();
    let mut end = 0;
    each_in_tar(BufReader::with_capacity(128 << 10, reader), 0, &mut |entry, _| {
        let Tarred { path, mut kind, stat, mut bytes, mut offset, is_sparse } = entry;
        end = offset + if kind == TarredKind::File { bytes.div_ceil(512) * 512 } else { 0 };
        match &kind {
            _ if is_sparse => {
                let message = format!("`{}` is stored with holes", path.display());
                return Err(Failure::new(FailureKind::Invalid, message).hint("pack it again without `--sparse`"));
            }
            TarredKind::Other => return Err(unfit(&path)),
            TarredKind::File => drop(files.insert(path.clone(), (bytes, offset))),
            TarredKind::Hard(first) => {
                (bytes, offset) = *files.get(first).ok_or_else(|| lost(&path, first))?;
                kind = TarredKind::File;
            }
            TarredKind::Folder | TarredKind::Link(_) => {}
        }
        // What comes later was appended later: it counts.
        lines.insert(path, Line { stat, kind, bytes, offset });
        Ok(())
    })?;
    let mut last = [1; 1024];
    if file.read_exact_at(&mut last, end).is_err() || last != END {
        return Err(Failure::new(FailureKind::Invalid, "the archive has no end: it was cut off"));
    }
    complete(&mut lines);
    Ok(lines)
}

/// Adds folders that an archive leaves out, the outermost among them.
fn complete(lines: &mut BTreeMap<PathBuf, Line>) {
    let mut missing: BTreeMap<PathBuf, Line> = BTreeMap::new();
    for (path, line) in &*lines {
        for folder in path.ancestors().skip(1).chain([Path::new("")]) {
            let is_there = lines.get(folder).is_some_and(|line| line.kind == TarredKind::Folder);
            if !is_there {
                let Stat { user, group, time, .. } = line.stat;
                let stat = Stat { mode: 0o755, user, group, time, ..Stat::default() };
                let line = Line { stat, kind: TarredKind::Folder, bytes: 0, offset: 0 };
                missing.entry(folder.to_owned()).or_insert(line);
            }
        }
    }
    lines.extend(missing);
}
