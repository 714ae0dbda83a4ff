//! Whose a run is: the operating-system lock that proves its process lives, and what is recorded to show it.
//!
//! A heartbeat's age proves nothing (a stopped process, a busy disk, a changed clock), so life is an exclusive lock on
//! `runs/<id>.lock`: the kernel lets go of it when, and only when, the process is gone.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;

/// A process, for display and for the case that its lock file was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub machine: String,
    pub pid: i64,
    /// Ticks after boot; `None` where the system does not tell.
    pub started: Option<i64>,
    pub boot_id: Option<String>,
}

impl Process {
    /// This process.
    pub(super) fn current() -> Self {
        Self {
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: i64::from(std::process::id()),
            started: start_of("self"),
            boot_id: boot_id(),
        }
    }

    /// Does a process of this number, start and boot exist on this machine?
    fn exists(&self) -> bool {
        self.started.is_some() && self.boot_id == boot_id() && start_of(&self.pid.to_string()) == self.started
    }
}

/// The lock that says "this run has a living owner", held until dropped.
#[derive(Debug)]
pub(super) struct Claim {
    _file: File,
    path: PathBuf,
}

impl Claim {
    /// Takes the lock of a run that nobody else knows yet.
    pub(super) fn take(state_folder: &Path, run: i64) -> Result<Self, Failure> {
        let path = lock_file(state_folder, run);
        let what = || format!("lock `{}`", path.display());
        let open = || File::options().create(true).truncate(false).write(true).open(&path);
        let file = open()
            .or_else(|error| match (error.kind(), path.parent()) {
                (ErrorKind::NotFound, Some(folder)) => std::fs::create_dir_all(folder).and_then(|()| open()),
                _ => Err(error),
            })
            .map_err(|error| Failure::system(what(), &error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            Failure::system(what(), &error.into())
                .hint("the state folder must be on a file system with locks: set RUNBOOK_STATE to a local folder")
        })?;
        Ok(Self { _file: file, path })
    }

    /// Lets go of the lock of a run that has ended; its file is needed no more.
    pub(super) fn end(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Does the process that owns this run live?
pub(super) fn is_alive(state_folder: &Path, run: i64, owner: &Process) -> bool {
    match File::open(lock_file(state_folder, run)) {
        // Shared, so that two who ask at once do not take each other for the owner.
        Ok(file) => flock(&file, FlockOperation::NonBlockingLockShared).is_err(),
        Err(error) if error.kind() == ErrorKind::NotFound => owner.exists(),
        // Cannot be looked at (another user's): never call a run dead on a guess.
        Err(_) => true,
    }
}

/// Removes the lock file of a run found dead.
pub(super) fn forget(state_folder: &Path, run: i64) {
    let _ = std::fs::remove_file(lock_file(state_folder, run));
}

fn lock_file(state_folder: &Path, run: i64) -> PathBuf {
    state_folder.join("runs").join(format!("{run}.lock"))
}

/// Field 22 of `/proc/PID/stat`, see `proc_pid_stat(5)`; the name in parentheses may itself hold spaces and parentheses.
fn start_of(process: &str) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
