use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2};
use rustix::io::Errno;

use super::Tree;

/// An entry of a folder that is held open: what is done through [`path`](Self::path) happens in that very folder, whatever
/// becomes of the names above it meanwhile.
#[derive(Debug)]
pub struct Held {
    folder: OwnedFd,
    real: PathBuf,
}

impl Held {
    /// Opens the folder of `real`, a path without links, starting from `root` and never above it (`openat2` with
    /// `RESOLVE_BENEATH`): a link on the way is an error.
    pub(super) fn open(root: &Path, real: PathBuf) -> std::io::Result<Self> {
        let folder = real.parent().unwrap_or(Path::new("/"));
        let below = folder.strip_prefix(root).unwrap_or(Path::new(""));
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        let root = rustix::fs::open(root, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { folder: beneath(&root, below, FOLDER)?, real })
    }

    /// The entry by way of the open folder: good for as long as this is held.
    pub fn path(&self) -> PathBuf {
        self.beside(self.real.file_name().unwrap_or_default())
    }

    /// Another entry of the same folder.
    pub fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder().join(name)
    }

    /// The folder itself.
    pub fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/", self.folder.as_raw_fd()))
    }

    /// The path as it was when the folder was opened, for messages.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Opens the entry and all below it, unless it has become a link.
    pub fn tree(&self) -> std::io::Result<Tree> {
        let name = self.real.file_name().map_or_else(|| Path::new("."), Path::new);
        Ok(Tree::of(beneath(&self.folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC)?))
    }

    /// Opens the entry for reading, unless it has become a link.
    pub fn read(&self, flags: OFlags) -> std::io::Result<File> {
        let name = self.real.file_name().map_or_else(|| Path::new("."), Path::new);
        let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(beneath(&self.folder, name, flags)?))
    }
}

/// A folder that is not there yet, in one that is held open.
#[derive(Debug)]
pub struct NewFolder {
    pub(super) held: Held,
    /// Its own name and those of the folders above it that are missing.
    pub(super) missing: PathBuf,
}

impl NewFolder {
    /// Makes it; `mode` is its own, and the folders above it get the usual one.
    pub fn make(self, mode: u32) -> std::io::Result<()> {
        let mut folder = self.held.folder;
        let last = self.missing.iter().count();
        for (at, name) in self.missing.iter().enumerate() {
            let mode = if at + 1 == last { mode } else { 0o777 };
            match mkdirat(&folder, name, Mode::from_raw_mode(mode)) {
                // Another may have made a folder above it meanwhile, but not this one.
                Err(Errno::EXIST) if at + 1 < last => {}
                made => made?,
            }
            folder = beneath(&folder, Path::new(name), FOLDER)?;
        }
        Ok(())
    }
}

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens what is below a folder, over no link.
fn beneath(folder: &OwnedFd, path: &Path, flags: OFlags) -> std::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mut attempts = 0;
    loop {
        match openat2(folder, path, flags, Mode::empty(), resolve) {
            // The kernel asks to be called again when something was renamed just then.
            Err(Errno::AGAIN) if attempts < 100 => attempts += 1,
            other => return Ok(other?),
        }
    }
}
