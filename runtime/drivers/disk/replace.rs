use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::{Held, LineChange, Place, short_name};
use crate::failure::{Failure, FailureKind};
use crate::units::FileMode;

/// The largest old file that is read to say which lines changed.
const COMPARED: u64 = 256 << 10;

/// What a write does to a file, or would do.
#[derive(Debug)]
pub struct Written {
    /// Is the file another one than before?
    pub changed: bool,
    /// Was there none before?
    pub created: bool,
    /// Was its content replaced, and not only its mode set?
    pub replaced: bool,
    /// Its permissions before; `None` when there was no file.
    pub mode_before: Option<FileMode>,
    /// Its permissions after; `None` for a new file that gets the usual ones.
    pub mode: Option<FileMode>,
    /// The lines that differ; `None` when the old content was too large or no text.
    pub lines: Option<LineChange>,
}

impl Written {
    /// The first write to a file that is not there yet, of a text that may not be known yet.
    pub fn created(text: Option<&str>, mode: Option<FileMode>) -> Self {
        let lines = text.and_then(|text| LineChange::between(b"", text.as_bytes()));
        Self { changed: true, created: true, replaced: false, mode_before: None, mode, lines }
    }

    /// What a write makes of a file that holds `before` and has that mode, as far as both are known.
    pub fn between(before: &str, after: &str, mode_before: Option<FileMode>, mode: Option<FileMode>) -> Self {
        let mode = mode.or(mode_before);
        let replaced = before != after;
        let lines = replaced.then(|| LineChange::between(before.as_bytes(), after.as_bytes())).flatten();
        Self { changed: replaced || mode != mode_before, created: false, replaced, mode_before, mode, lines }
    }

    /// A few words on what changed: `created`, `+3 -1 lines`, `mode 0600`; `None` when nothing did.
    pub fn note(&self) -> Option<String> {
        match (&self.lines, self.mode) {
            _ if self.created => Some("created".to_owned()),
            (Some(lines), _) => Some(lines.summary()),
            _ if self.replaced => Some("replaced".to_owned()),
            (None, Some(mode)) => self.changed.then(|| format!("mode {mode}")),
            (None, None) => None,
        }
    }

    /// What differs, one line each, and never what the file holds: `12 lines added, 3 removed`, `mode: 0644 → 0600`.
    pub fn details(&self) -> Vec<String> {
        let count = |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        let lines = self.lines.as_ref().filter(|lines| lines.added + lines.removed > 0).map(|lines| {
            match (lines.added, lines.removed) {
                (added, 0) => format!("{} added", count(added)),
                (0, removed) => format!("{} removed", count(removed)),
                (added, removed) => format!("{} added, {removed} removed", count(added)),
            }
        });
        let content = lines.or_else(|| self.replaced.then(|| "another content".to_owned()));
        let mode = match (self.mode_before, self.mode) {
            (Some(before), Some(after)) if before != after => Some(format!("mode: {before} → {after}")),
            (None, Some(after)) => Some(format!("mode: {after}")),
            _ => None,
        };
        content.into_iter().chain(mode).collect()
    }

    /// The lines that differ, for a log; none for a new file, and none for one that is for its owner's eyes only.
    pub fn shown(&self) -> Vec<String> {
        let is_private = self.mode.is_some_and(FileMode::is_private);
        let lines = self.lines.as_ref().filter(|_| !self.created && !is_private);
        lines.map(LineChange::shown).unwrap_or_default()
    }
}

/// The permissions that something new gets when none are asked for: all there are, without those of the process's `umask`.
/// `None` where the system does not tell it.
pub fn usual_mode(all: u32) -> Option<FileMode> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    Some(FileMode(all & !u32::from_str_radix(umask.trim(), 8).ok()?))
}

/// Makes `content` the content of a file, at once or not at all.
///
/// The same content is left alone, so that nothing that watches the file wakes up. Without a mode the file keeps the one
/// it has. It keeps its owner, and behind a link it is the link's target that is replaced. `about_to` hears of a change
/// right before it happens, and can keep it from happening.
pub fn write(
    mut replacement: Replacement,
    content: &[u8],
    about_to: &mut dyn FnMut(&Written) -> Result<(), Failure>,
) -> Result<Written, Failure> {
    let written = replacement.compare(content)?;
    if !written.created && !written.replaced {
        if written.changed {
            about_to(&written)?;
            replacement.set_mode()?;
        }
        return Ok(written);
    }
    replacement.write(content)?;
    replacement.commit(&mut || about_to(&written))?;
    Ok(written)
}

/// A file being written beside the one it will replace. Dropped before [`commit`](Self::commit), it leaves nothing.
pub struct Replacement {
    shown: String,
    target: Held,
    temporary: PathBuf,
    file: Option<File>,
    is_on_disk: bool,
    old: Option<Metadata>,
    mode: Option<FileMode>,
}

impl Replacement {
    /// Finds out what would be replaced; nothing is created before the first write.
    ///
    /// The new file stands under a name made of `key` until it is whole: a process that dies in between leaves it, and the
    /// next one with the same key takes it away.
    pub fn begin(place: &Place, mode: Option<FileMode>, key: &str) -> Result<Self, Failure> {
        let shown = place.written().to_owned();
        let target = place.target()?;
        let old = match target.path().symlink_metadata() {
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
        let name = target.real().file_name().unwrap_or_default().to_string_lossy();
        // A name may have 255 bytes; a long one is cut to leave room for the rest.
        let name: String = name.chars().take(50).collect();
        let temporary = target.beside(format!(".{name}.runbook-{}", short_name(key)));
        Ok(Self { shown, target, temporary, file: None, is_on_disk: false, old, mode })
    }

    /// What writing this would change, found out by looking only.
    pub fn compare(&self, content: &[u8]) -> Result<Written, Failure> {
        let old = self.old_content(COMPARED.max(content.len() as u64))?;
        let is_equal = old.as_deref() == Some(content);
        let before = match &self.old {
            None => Some(Vec::new()),
            Some(_) => old.filter(|old| !is_equal && old.len() as u64 <= COMPARED),
        };
        let lines = before.and_then(|before| LineChange::between(&before, content));
        Ok(Written { lines, ..self.difference(is_equal) })
    }

    /// The same where it is known already whether the content is equal.
    pub fn difference(&self, is_equal: bool) -> Written {
        let mode_before = self.old.as_ref().map(FileMode::of);
        let mode = self.mode.or(mode_before);
        let created = self.old.is_none();
        let replaced = !created && !is_equal;
        let changed = created || replaced || mode != mode_before;
        Written { changed, created, replaced, mode_before, mode, lines: None }
    }

    /// Takes away what a process that died has left of this very replacement.
    pub fn clear(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::system(format!("remove what an earlier attempt left of `{}`", self.shown), &error))
            }
            _ => Ok(()),
        }
    }

    /// The content that would be replaced; `None` when there is none or more than `limit` bytes of it.
    fn old_content(&self, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        if self.old.as_ref().is_none_or(|old| old.len() > limit) {
            return Ok(None);
        }
        let mut content = Vec::new();
        let read = self.target.read(OFlags::NONBLOCK).and_then(|mut file| file.read_to_end(&mut content));
        read.map(|_| Some(content)).map_err(|error| Failure::system(format!("read `{}`", self.shown), &error))
    }

    /// Leaves the content as it is and only sets the mode.
    pub fn set_mode(self) -> Result<(), Failure> {
        let Some(FileMode(mode)) = self.mode else { return Ok(()) };
        let opened = self.target.read(OFlags::NONBLOCK);
        let set = opened.and_then(|file| file.set_permissions(Permissions::from_mode(mode)));
        set.map_err(|error| Failure::system(format!("change the mode of `{}`", self.shown), &error))
    }

    /// Adds to the new content.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        if self.file.is_none() {
            self.create()?;
        }
        let written = self.file.as_mut().map_or(Ok(()), |file| file.write_all(chunk));
        written.map_err(|error| self.failed(&error))
    }

    /// Puts the new file in the old one's place, safe on disk when this returns; `about_to` is asked right before.
    pub fn commit(mut self, about_to: &mut dyn FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        if self.file.is_none() {
            self.create()?;
        }
        let Some(file) = self.file.take() else { return Ok(()) };
        if let Some(mode) = self.mode.map(|mode| mode.0).or(self.old.as_ref().map(|old| old.mode() & 0o7777)) {
            file.set_permissions(Permissions::from_mode(mode)).map_err(|error| self.failed(&error))?;
        }
        file.sync_all().map_err(|error| self.failed(&error))?;
        about_to()?;
        std::fs::rename(&self.temporary, self.target.path()).map_err(|error| self.failed(&error))?;
        self.is_on_disk = false;
        // The content is safe; a file system that cannot sync a folder does not undo that.
        let _ = File::open(self.target.folder()).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// A new file is closed to others until it has its final mode, unless it will get the usual one anyway.
    fn create(&mut self) -> Result<(), Failure> {
        self.clear()?;
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
