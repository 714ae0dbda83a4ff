use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::drivers::backup::Opener;
use crate::primitive::Failure;

/// Files up to this size wait in memory.
const SMALL: u64 = 256 << 10;

/// Where files wait until it is their turn: an archive has one after the other, and a repository begins with each when it
/// knows the next.
pub struct Spool {
    folder: PathBuf,
}

/// How many files waited so far, of all sources that are saved beside each other.
static WAITED: AtomicU64 = AtomicU64::new(0);
/// How often a file is made anew whose folder another source removed when it was done.
const TRIES: usize = 5;

impl Spool {
    /// A folder that only this user may look into; it is made when it is needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Keeps what is read until it is wanted. On the disk it has no name.
    pub fn keep(&self, bytes: u64, content: &mut dyn Read) -> Result<Opener, Failure> {
        if bytes <= SMALL {
            let mut kept = Vec::new();
            content.read_to_end(&mut kept).map_err(|error| Failure::system("read the archive", &error))?;
            return Ok(Box::new(move || Ok(Box::new(Cursor::new(kept)))));
        }
        let failed = |error: std::io::Error| Failure::system("keep a file until it is saved", &error);
        let mut file = self.file().map_err(failed)?;
        std::io::copy(content, &mut file).map_err(failed)?;
        Ok(Box::new(move || {
            file.seek(SeekFrom::Start(0)).map_err(|error| Failure::system("read what was kept", &error))?;
            Ok(Box::new(file))
        }))
    }

    fn file(&self) -> std::io::Result<File> {
        let mut made = self.made();
        for _ in 1..TRIES {
            match &made {
                Err(error) if error.kind() == ErrorKind::NotFound => made = self.made(),
                _ => break,
            }
        }
        made
    }

    fn made(&self) -> std::io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let number = WAITED.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("waiting-{}-{number}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // Of the call and of the run, when nothing else is in them.
        if std::fs::remove_dir(&self.folder).is_ok() {
            let _ = self.folder.parent().map(std::fs::remove_dir);
        }
    }
}
