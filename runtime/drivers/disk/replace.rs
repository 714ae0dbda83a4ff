use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{LineChange, Place};
use crate::failure::{Failure, FailureKind};
use crate::units::FileMode;

/// The largest old file that is read to say which lines changed.
const COMPARED: u64 = 256 << 10;

/// What a write did.
#[derive(Debug)]
pub struct Written {
    /// Is the file another one than before?
    pub changed: bool,
    /// Was there none before?
    pub created: bool,
    /// Was its content replaced, and not only its mode set?
    pub replaced: bool,
    /// Its permissions now.
    pub mode: FileMode,
    /// The lines that differ; `None` when the old content was too large or no text.
    pub lines: Option<LineChange>,
}

impl Written {
    /// A few words on what changed: `created`, `+3 -1 lines`, `mode 0600`; `None` when nothing did.
    pub fn note(&self) -> Option<String> {
        match &self.lines {
            _ if self.created => Some("created".to_owned()),
            Some(lines) => Some(lines.summary()),
            None if self.replaced => Some("replaced".to_owned()),
            None => self.changed.then(|| format!("mode {}", self.mode)),
        }
    }

    /// The lines that differ, for a log; none for a new file, and none for one that is for its owner's eyes only.
    pub fn shown(&self) -> Vec<String> {
        let lines = self.lines.as_ref().filter(|_| !self.created && !self.mode.is_private());
        lines.map(LineChange::shown).unwrap_or_default()
    }
}

/// Makes `content` the content of a file, at once or not at all.
///
/// The same content is left alone, so that nothing that watches the file wakes up. Without a mode the file keeps the one
/// it has. It keeps its owner, and behind a link it is the link's target that is replaced.
pub fn write(place: &Place, content: &[u8], mode: Option<FileMode>) -> Result<Written, Failure> {
    let mut replacement = Replacement::begin(place, mode)?;
    let old = replacement.old_content(COMPARED.max(content.len() as u64))?;
    if old.as_deref() == Some(content) {
        return replacement.keep();
    }
    let created = replacement.old.is_none();
    let before = if created { Some(Vec::new()) } else { old.filter(|old| old.len() as u64 <= COMPARED) };
    let lines = before.and_then(|before| LineChange::between(&before, content));
    replacement.write(content)?;
    let mode = replacement.commit()?;
    Ok(Written { changed: true, created, replaced: !created, mode, lines })
}

/// A file being written beside the one it will replace. Dropped before [`commit`](Self::commit), it leaves nothing.
pub struct Replacement {
    shown: String,
    target: PathBuf,
    temporary: PathBuf,
    file: Option<File>,
    is_on_disk: bool,
    old: Option<Metadata>,
    mode: Option<FileMode>,
}

impl Replacement {
    /// Finds out what would be replaced; nothing is created before the first write.
    pub fn begin(place: &Place, mode: Option<FileMode>) -> Result<Self, Failure> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let shown = place.written().to_owned();
        let target = place.target()?;
        let old = match target.metadata() {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is a folder, not a file")));
            }
            Ok(metadata) if !metadata.is_file() => {
                return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is a pipe or device, not a file")));
            }
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Failure::system(format!("write `{shown}`"), &error)),
        };
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        // A name may have 255 bytes; a long one is cut to leave room for the rest.
        let name: String = name.chars().take(50).collect();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = target.with_file_name(format!(".{name}.runbook-{}-{count}", std::process::id()));
        Ok(Self { shown, target, temporary, file: None, is_on_disk: false, old, mode })
    }

    /// The content that would be replaced; `None` when there is none or more than `limit` bytes of it.
    fn old_content(&self, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        if self.old.as_ref().is_none_or(|old| old.len() > limit) {
            return Ok(None);
        }
        let read = std::fs::read(&self.target);
        read.map(Some).map_err(|error| Failure::system(format!("read `{}`", self.shown), &error))
    }

    /// Leaves the content as it is and only sees to the mode.
    pub fn keep(self) -> Result<Written, Failure> {
        let before = self.old.as_ref().map_or(0o644, |old| old.mode() & 0o7777);
        let wanted = self.mode.map_or(before, |mode| mode.0);
        if wanted != before {
            let set = std::fs::set_permissions(&self.target, Permissions::from_mode(wanted));
            set.map_err(|error| Failure::system(format!("change the mode of `{}`", self.shown), &error))?;
        }
        Ok(Written { changed: wanted != before, created: false, replaced: false, mode: FileMode(wanted), lines: None })
    }

    /// Adds to the new content.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        if self.file.is_none() {
            self.create()?;
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(chunk));
        written.map_err(|error| self.failed(&error))
    }

    /// Puts the new file in the old one's place, safe on disk when this returns, and says which mode it has.
    pub fn commit(mut self) -> Result<FileMode, Failure> {
        if self.file.is_none() {
            self.create()?;
        }
        let Some(file) = self.file.take() else { return Ok(FileMode(0)) };
        if let Some(mode) = self.mode.map(|mode| mode.0).or(self.old.as_ref().map(|old| old.mode() & 0o7777)) {
            file.set_permissions(Permissions::from_mode(mode)).map_err(|error| self.failed(&error))?;
        }
        let mode = file.metadata().map_err(|error| self.failed(&error))?.mode() & 0o7777;
        file.sync_all().map_err(|error| self.failed(&error))?;
        std::fs::rename(&self.temporary, &self.target).map_err(|error| self.failed(&error))?;
        self.is_on_disk = false;
        // The content is safe; a file system that cannot sync a folder does not undo that.
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(FileMode(mode))
    }

    /// A new file is closed to others until it has its final mode, unless it will get the usual one anyway.
    fn create(&mut self) -> Result<(), Failure> {
        let mode = if self.mode.is_none() && self.old.is_none() { 0o666 } else { 0o600 };
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&self.temporary);
        let file = opened.map_err(|error| self.failed(&error))?;
        self.is_on_disk = true;
        if let Some(old) = &self.old {
            let new = file.metadata().map_err(|error| self.failed(&error))?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid())
                && let Err(error) = fchown(&file, Some(old.uid()), Some(old.gid()))
            {
                return Err(Failure::system(format!("keep the owner of `{}`", self.shown), &error)
                    .hint("run as its owner or as root, or remove the file first"));
            }
        }
        self.file = Some(file);
        Ok(())
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        let failure = Failure::system(format!("write `{}`", self.shown), error);
        match error.kind() {
            std::io::ErrorKind::StorageFull => failure.hint("free some space; the old file is untouched"),
            _ => failure,
        }
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if self.is_on_disk {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}
