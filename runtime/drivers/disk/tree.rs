use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::Result;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat};
use rustix::io::Errno;

/// A file or a folder that is held open, to be read with all that is below it: whatever becomes of names meanwhile, what
/// is read is what was below it, and no link is followed.
#[derive(Debug)]
pub struct Tree {
    entry: File,
}

impl Tree {
    /// What is at a path; a link is followed there.
    pub fn at(path: &Path) -> Result<Self> {
        Ok(Self::of(openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// An entry of this folder; a link is itself.
    pub fn child(&self, name: impl AsRef<Path>) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self::of(openat(&self.entry, name.as_ref(), flags, Mode::empty())?))
    }

    /// Opens a file below this folder for reading, over no link that leads out of it.
    pub fn file(&self, path: &Path) -> Result<File> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut attempts = 0;
        loop {
            match openat2(&self.entry, path, flags, Mode::empty(), resolve) {
                // The kernel asks to be called again when something was renamed just then.
                Err(Errno::AGAIN) if attempts < 100 => attempts += 1,
                opened => return Ok(File::from(opened?)),
            }
        }
    }

    /// What it is.
    pub fn metadata(&self) -> Result<Metadata> {
        self.entry.metadata()
    }

    /// Opens the file for reading.
    pub fn read(&self) -> Result<File> {
        // By way of a link of `/proc`, which leads to what is open and to nothing else; one to a link is refused by the kernel.
        File::open(self.proc())
    }

    /// Where the link leads.
    pub fn link(&self) -> Result<PathBuf> {
        let target = readlinkat(&self.entry, "", Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    /// The names in this folder, in order.
    pub fn names(&self) -> Result<Vec<OsString>> {
        let entries = std::fs::read_dir(self.proc())?;
        let mut names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// What was opened, if only as a path.
    pub(super) fn of(opened: OwnedFd) -> Self {
        Self { entry: File::from(opened) }
    }

    fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.entry.as_raw_fd()))
    }
}
