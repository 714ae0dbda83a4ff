//! What people have already: dumps and archives in files, made by other programs, as parts of a snapshot.
//!
//! A file is taken apart only as far as it takes to know that it is whole. What is compressed is stored without that: only then
//! is what two files share stored once.

mod archive;
mod dump;

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::drivers::backup::Part;
use crate::failure::{Failure, FailureKind};

/// How much of a file tells what it is.
const BEGINNING: usize = 512;

/// Files that become a snapshot.
pub struct Imports {
    /// Each as a part.
    pub parts: Vec<Part>,
    /// What each is, in words.
    pub kinds: Vec<&'static str>,
    /// When they were made.
    pub time: Timestamp,
    /// What nobody could look at.
    pub doubts: Vec<String>,
}

impl Imports {
    /// Opens files of older backups. They were made at that time; without one, when the newest of them was changed. `scratch` is a folder
    /// of the caller's in which an archive that is compressed is kept while it is read.
    pub fn open(
        files: &[PathBuf],
        name: Option<&str>,
        time: Option<Timestamp>,
        scratch: &Path,
    ) -> Result<Self, Failure> {
        let wrong = |message: &str| Failure::new(FailureKind::Argument, message);
        if files.is_empty() {
            return Err(wrong("there is nothing to import"));
        }
        if name.is_some() && files.len() > 1 {
            return Err(wrong("`name` is for one file"));
        }
        let opened = files.iter().map(|file| open(file, name, scratch)).collect::<Result<Vec<Import>, Failure>>()?;
        let newest = opened.iter().map(|one| one.time).max();
        let time = time.or(newest).unwrap_or_else(Timestamp::now);
        if time > Timestamp::now() {
            return Err(wrong("a backup from the future cannot be imported"));
        }
        let kinds = opened.iter().map(|one| one.kind).collect();
        let doubts = opened.iter().filter_map(|one| one.unproven.clone()).collect();
        Ok(Self { parts: opened.into_iter().map(|one| one.part).collect(), kinds, time, doubts })
    }
}

/// A moment as people write it; without a zone it is the one of this machine.
pub fn moment(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let civil =
        text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.to_datetime(Time::midnight())));
    let zoned = civil.ok().and_then(|civil| civil.to_zoned(TimeZone::system()).ok());
    zoned.map(|zoned| zoned.timestamp()).ok_or_else(|| {
        Failure::new(FailureKind::Argument, format!("`{text}` is no moment"))
            .hint("write `2024-05-01`, `2024-05-01 03:00` or `2024-05-01T03:00:00Z`")
    })
}

/// A file that can be a part of a snapshot.
struct Import {
    /// The part.
    pub part: Part,
    /// What it is, in words.
    pub kind: &'static str,
    /// When it was made, as far as the file system knows.
    pub time: Timestamp,
    /// What nobody could look at.
    pub unproven: Option<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tar,
    Custom,
    Plain,
    Redis,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Zstd,
}

fn open(file: &Path, name: Option<&str>, scratch: &Path) -> Result<Import, Failure> {
    let shown = file.display();
    let failed = |error: std::io::Error| Failure::system(format!("read `{shown}`"), &error);
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is not a file"))
            .hint("a folder is saved by `backup` in a runbook"));
    }
    let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    let packing = packing(&beginning(File::open(file).map_err(failed)?).map_err(failed)?);
    let first = beginning(content(file, packing)?).map_err(failed)?;
    let kind = kind(&first).ok_or_else(|| {
        Failure::new(FailureKind::Invalid, format!("`{shown}` is nothing that can be looked at before it is kept"))
            .hint("tar archives, dumps of `pg_dump` and `pg_dumpall` (plain or custom) and of Redis can, also with gzip or zstd")
            .hint("anything else is saved as what a command prints: `#{ command: [\"cat\", …], name: … }`")
    })?;
    let name = name.map_or_else(|| name_of(file, kind), str::to_owned);
    let (content, unproven) = match kind {
        Kind::Tar => (archive::content(file, packing, scratch)?, None),
        Kind::Plain => (dump::plain(content(file, packing)?), None),
        Kind::Redis => (dump::redis(file, packing)?, None),
        Kind::Custom => {
            let unproven = dump::try_out(file, packing)?;
            (dump::plainly(content(file, packing)?), unproven)
        }
    };
    let kind = match kind {
        Kind::Tar => "a tar archive",
        Kind::Custom => "a dump of PostgreSQL, custom",
        Kind::Plain => "a dump of PostgreSQL, plain",
        Kind::Redis => "a dump of Redis",
    };
    Ok(Import { part: Part { name, from: shown.to_string(), content }, kind, time, unproven })
}

fn beginning(mut from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut first = Vec::new();
    from.by_ref().take(BEGINNING as u64).read_to_end(&mut first)?;
    Ok(first)
}

fn packing(first: &[u8]) -> Packing {
    match first {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        _ => Packing::None,
    }
}

/// What is in a file when it is unpacked.
fn content(file: &Path, packing: Packing) -> Result<Box<dyn Read + Send>, Failure> {
    let failed = |error: std::io::Error| Failure::system(format!("read `{}`", file.display()), &error);
    let opened = BufReader::with_capacity(128 << 10, File::open(file).map_err(failed)?);
    Ok(match packing {
        Packing::None => Box::new(opened),
        Packing::Gzip => Box::new(MultiGzDecoder::new(opened)),
        Packing::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(opened).map_err(failed)?),
    })
}

fn kind(first: &[u8]) -> Option<Kind> {
    let text = String::from_utf8_lossy(first);
    let is_dump = |what: &str| text.contains(what) && text.trim_start().starts_with("--");
    match () {
        () if first.starts_with(b"PGDMP") => Some(Kind::Custom),
        () if first.starts_with(b"REDIS") => Some(Kind::Redis),
        () if is_dump("PostgreSQL database dump") || is_dump("PostgreSQL database cluster dump") => Some(Kind::Plain),
        () if is_tar(first) => Some(Kind::Tar),
        () => None,
    }
}

/// Does an archive begin like this? Its first header has a checksum.
fn is_tar(first: &[u8]) -> bool {
    first.len() == BEGINNING
        && tar::Archive::new(Cursor::new(first))
            .entries()
            .is_ok_and(|mut entries| entries.next().is_some_and(|entry| entry.is_ok()))
}

/// The name of the part: that of the file, without what says how it is packed.
fn name_of(file: &Path, kind: Kind) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ends: &[&str] = if kind == Kind::Tar { &[".tgz", ".tzst", ".gz", ".zst", ".tar"] } else { &[".gz", ".zst"] };
    ends.iter().fold(name, |name, end| name.strip_suffix(end).map(str::to_owned).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_after_files() {
        for (file, kind, wanted) in [
            ("/b/site-2024.tar.gz", Kind::Tar, "site-2024"),
            ("/b/site.tgz", Kind::Tar, "site"),
            ("/b/shop.sql.gz", Kind::Plain, "shop.sql"),
            ("/b/shop.dump", Kind::Custom, "shop.dump"),
            ("/b/dump.rdb.zst", Kind::Redis, "dump.rdb"),
        ] {
            assert_eq!(name_of(Path::new(file), kind), wanted);
        }
    }

    #[test]
    fn what_is_none_of_them_is_not_taken_for_one() {
        for text in [&b""[..], b"hello", b"-- a comment\nselect 1;\n", &[0; 512]] {
            assert_eq!(kind(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
