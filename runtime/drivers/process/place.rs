use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::identity::{Identity, boot_id};
use super::record::Record;
use crate::failure::{Failure, FailureKind};

/// The folder in which a kept program leaves what a later process needs; all of it for its owner's eyes only.
///
/// | file | written by | what |
/// |---|---|---|
/// | `boot` | who starts it | The machine's boot. Its lock is held by the keeper, and so says whether that one still lives. |
/// | `stdin` | who starts it | The input; removed once the keeper has it open. |
/// | `stdout`, `stderr` | the keeper | All output so far. |
/// | `started` | the keeper | Empty just before the program starts, its number and start time from then on. |
/// | `ended` | the keeper | How it ended. Before that, `ended.part` takes up the space, so that a full disk loses no end. |
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

/// How far a start came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The program was not started, and is not unless a keeper lives.
    NotYet,
    /// The program was about to be started.
    Begun,
    /// The program was started, as this process.
    As(Identity),
}

impl Place {
    /// A folder that is there, or not.
    pub fn at(folder: &Path) -> Self {
        Self { folder: std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()) }
    }

    /// Makes the folder new and takes its lock, which the keeper is to inherit. A folder in use is left alone.
    pub fn create(folder: &Path, stdin: Option<&[u8]>) -> Result<(Self, File), Failure> {
        let place = Self::at(folder);
        if place.is_held()? {
            let what = format!("the program started in `{}` still runs", place.folder.display());
            return Err(Failure::new(FailureKind::Conflict, what));
        }
        place.remove()?;
        place.fill(stdin).map(|lock| (place.clone(), lock)).map_err(|error| place.failure("create", &error))
    }

    fn fill(&self, stdin: Option<&[u8]>) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut lock = self.create_file("boot")?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        lock.write_all(boot_id().unwrap_or_default().as_bytes())?;
        if let Some(text) = stdin {
            self.create_file("stdin")?.write_all(text)?;
        }
        Ok(lock)
    }

    /// Removes the folder and all that is in it; that there is none is no failure.
    pub fn remove(&self) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failure("remove", &error)),
            _ => Ok(()),
        }
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file that was not there before.
    pub fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.file(name))
    }

    /// Does the keeper live, or something that may still become it?
    pub fn is_held(&self) -> Result<bool, Failure> {
        let lock = match File::open(self.file("boot")) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failure("look into", &error)),
        };
        // Shared, so that two who ask at once do not take each other for the keeper.
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(error) => Err(self.failure("look into", &error.into())),
        }
    }

    /// The machine's boot in which it was made.
    pub fn boot(&self) -> Option<String> {
        std::fs::read_to_string(self.file("boot")).ok().filter(|boot| !boot.is_empty())
    }

    /// How long ago it was made.
    pub fn age(&self) -> Duration {
        let made = std::fs::metadata(self.file("boot")).and_then(|boot| boot.modified());
        made.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default()
    }

    /// How far the start came.
    pub fn start(&self) -> Start {
        match std::fs::read_to_string(self.file("started")) {
            Ok(text) => Identity::parse(&text).map_or(Start::Begun, Start::As),
            Err(error) if error.kind() == ErrorKind::NotFound => Start::NotYet,
            Err(_) => Start::Begun,
        }
    }

    /// How it ended, if that was written down.
    pub fn record(&self) -> Option<Record> {
        Record::parse(&std::fs::read_to_string(self.file("ended")).ok()?)
    }

    fn failure(&self, what: &str, error: &io::Error) -> Failure {
        Failure::system(format!("{what} `{}`", self.folder.display()), error)
    }
}
