use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::Place;
use crate::failure::{Failure, FailureKind};
use crate::units::ByteSize;

/// Opens a regular file for reading. Folders, pipes and devices are refused: reading one may never end.
pub fn open(place: &Place) -> Result<(File, Metadata), Failure> {
    let shown = place.written();
    let failed = |error: &std::io::Error| Failure::system(format!("read `{shown}`"), error);
    let file = if place.is_confined() {
        place.source()?.read(OFlags::NONBLOCK).map_err(|error| failed(&error))?
    } else {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        OpenOptions::new().read(true).custom_flags(flags).open(place.path()).map_err(|error| failed(&error))?
    };
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    let kind = metadata.file_type();
    let what = match () {
        () if kind.is_file() => return Ok((file, metadata)),
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let failure = Failure::new(FailureKind::Invalid, format!("`{shown}` is {what}, not a file"));
    Err(if kind.is_dir() { failure.hint(format!("use `folder({shown:?})`")) } else { failure })
}

/// The text of a file of at most `limit` bytes.
pub fn text(place: &Place, limit: ByteSize) -> Result<String, Failure> {
    let shown = place.written();
    let (file, _) = open(place)?;
    let mut bytes = Vec::new();
    let read = file.take(limit.0.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::system(format!("read `{shown}`"), &error))?;
    if bytes.len() as u64 > limit.0 {
        return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is larger than {limit}"))
            .hint("raise the option `max` if the whole text is needed"));
    }
    let at = match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => at,
        None => match String::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error.utf8_error().valid_up_to(),
        },
    };
    Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is not text: its byte {at} is no part of UTF-8 text"))
        .hint("only text can be read; `copy`, `checksum` and `size` work on every file"))
}

/// SHA-256 of a file's content, 64 lower-case hexadecimal digits. `still_wanted` is asked once per megabyte.
pub fn checksum(place: &Place, still_wanted: &dyn Fn() -> Result<(), Failure>) -> Result<String, Failure> {
    let (mut file, _) = open(place)?;
    let mut sum = Checksum::default();
    let mut chunk = vec![0; 1 << 20];
    loop {
        still_wanted()?;
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => sum.add(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::system(format!("read `{}`", place.written()), &error)),
        }
    }
    Ok(sum.finish())
}

/// SHA-256 of a content, as [`checksum`] gives it of a file.
pub fn checksum_of(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// A short name for work in progress: the same for the same key, another one for every other.
pub fn short_name(key: &str) -> String {
    checksum_of(key.as_bytes()).split_off(48)
}

/// A checksum of what comes in parts.
#[derive(Default)]
pub struct Checksum(Sha256);

impl Checksum {
    /// Adds the next part.
    pub fn add(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// SHA-256 of all of it, as [`checksum`] gives it of a file.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + format!("{byte:02x}").as_str())
}

/// Is there something, behind every link? What cannot be looked at is a failure, not an absence.
pub fn exists(place: &Place) -> Result<Option<Metadata>, Failure> {
    if place.is_confined() && place.path().exists() {
        place.source()?;
    }
    match place.path().metadata() {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Failure::system(format!("look at `{}`", place.written()), &error)),
    }
}
