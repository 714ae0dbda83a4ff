//! Whose a run is: the operating-system lock that proves its process lives, and what is recorded to show it.
//!
//! A heartbeat's age proves nothing (a stopped process, a busy disk, a changed clock), so life is an exclusive lock on
//! `runs/<id>.lock`: the kernel lets go of it when, and only when, the process is gone.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::pulse::{self, Pulse};
use crate::failure::{Failure, FailureKind};

/// How long a lock may stay taken that no living owner has.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the name of a lock begins with whose run has no number yet.
const AHEAD: &str = "ahead-";

/// A process, for display and for the case that its lock file was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        Self { machine: machine(), pid: i64::from(std::process::id()), started: start_of("self"), boot_id: boot_id() }
    }

    /// Sends it what Ctrl-C would send.
    pub(super) fn tell_to_stop(&self) -> Result<(), Failure> {
        // In another container the same number is another process.
        if !self.exists() {
            let message =
                format!("process {} on {} cannot be seen from here: cancel the run there", self.pid, self.machine);
            return Err(Failure::new(FailureKind::Refused, message));
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| Failure::new(FailureKind::System, "the run's process has no number"))?;
        kill_process(pid, Signal::TERM).map_err(|error| {
            Failure::system(format!("tell process {} to stop", self.pid), &error.into())
                .hint("only the user who started the run, or root, can stop it")
        })
    }

    /// Does a process of this number, start and boot exist on this machine?
    fn exists(&self) -> bool {
        self.started.is_some() && self.boot_id == boot_id() && start_of(&self.pid.to_string()) == self.started
    }
}

/// The lock that says "this run has a living owner", held until dropped.
#[derive(Debug)]
pub(super) struct Claim {
    _pulse: Option<Pulse>,
    file: Arc<File>,
    path: PathBuf,
}

impl Claim {
    /// Takes the lock of a run that no living process has: only inside a transaction that may write, so that of all who
    /// want it one is here.
    pub(super) fn take(state_folder: &Path, run: i64) -> Result<Self, Failure> {
        Self::take_file(lock_file(state_folder, run))
    }

    /// Takes the lock of a run that is yet to get its number, and has this name in the world.
    pub(super) fn take_ahead(state_folder: &Path, uid: &str) -> Result<Self, Failure> {
        Self::take_file(ahead_file(state_folder, uid))
    }

    fn take_file(path: PathBuf) -> Result<Self, Failure> {
        let failed = |error: &std::io::Error| Failure::system(format!("lock `{}`", path.display()), error);
        let began = Instant::now();
        loop {
            let file = open(&path).map_err(|error| failed(&error))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                // Whoever had it before may have removed the file after it was opened here.
                Ok(()) if is_at(&file, &path) => {
                    return Ok(Self { _pulse: None, file: Arc::new(file), path });
                }
                Ok(()) => {}
                // Somebody who only looks whether the owner lives holds it for a moment, and so does an owner about to go.
                Err(Errno::WOULDBLOCK) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
                Err(Errno::WOULDBLOCK) => {
                    let message = format!("another process holds `{}`", path.display());
                    return Err(Failure::new(FailureKind::Conflict, message));
                }
                Err(error) => {
                    let hint =
                        "the state folder must be on a file system with locks: set RUNBOOK_STATE to a local folder";
                    return Err(failed(&error.into()).hint(hint));
                }
            }
        }
    }

    /// Its run has got this number, and [`name_ahead`] gave the file that name.
    pub(super) fn of(self, state_folder: &Path, run: i64) -> Self {
        Self { path: lock_file(state_folder, run), ..self }
    }

    /// From now on it shows when its owner was alive last: once the transaction is over, for which others may wait.
    pub(super) fn beating(self) -> Self {
        Self { _pulse: Some(Pulse::of(&self.file)), ..self }
    }

    /// Lets go of the lock of a run that has ended or stands still; its file is needed no more.
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

/// Does that process belong to another machine than this one, which is `here`?
///
/// The name alone says little: a container gets a new one each time, and keeps the machine's boot.
pub(super) fn is_elsewhere(owner: &Process, here: &Process) -> bool {
    owner.machine != here.machine && (owner.boot_id.is_none() || owner.boot_id != here.boot_id)
}

/// Gives the lock that was taken ahead the name of its run: inside the transaction that begins it. False when it is not there.
pub(super) fn name_ahead(state_folder: &Path, uid: &str, run: i64) -> bool {
    std::fs::rename(ahead_file(state_folder, uid), lock_file(state_folder, run)).is_ok()
}

/// Removes what processes left that were killed while they waited for their run to begin.
pub(super) fn sweep(state_folder: &Path) {
    for entry in std::fs::read_dir(state_folder.join("runs")).into_iter().flatten().flatten() {
        let is_ahead = entry.file_name().to_str().is_some_and(|name| name.starts_with(AHEAD));
        let is_left =
            || File::open(entry.path()).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_ok());
        if is_ahead && is_left() {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// When the run's owner was alive for the last time, to the second; none when there is no lock file.
pub(super) fn last_seen(state_folder: &Path, run: i64) -> Option<jiff::Timestamp> {
    pulse::last(&lock_file(state_folder, run))
}

/// Removes the lock file of a run found dead: only inside the transaction that says so.
pub(super) fn forget(state_folder: &Path, run: i64) {
    let _ = std::fs::remove_file(lock_file(state_folder, run));
}

fn open(path: &Path) -> std::io::Result<File> {
    let open = || File::options().create(true).truncate(false).write(true).open(path);
    open().or_else(|error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(folder)) => std::fs::create_dir_all(folder).and_then(|()| open()),
        _ => Err(error),
    })
}

/// Is this open file the one that has that path now?
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |data: std::io::Result<std::fs::Metadata>| data.ok().map(|data| (data.dev(), data.ino()));
    identity(file.metadata()).is_some_and(|one| Some(one) == identity(path.metadata()))
}

fn ahead_file(state_folder: &Path, uid: &str) -> PathBuf {
    state_folder.join("runs").join(format!("{AHEAD}{uid}.lock"))
}

fn lock_file(state_folder: &Path, run: i64) -> PathBuf {
    state_folder.join("runs").join(format!("{run}.lock"))
}

/// Field 22 of `/proc/PID/stat`, see `proc_pid_stat(5)`; the name in parentheses may itself hold spaces and parentheses.
fn start_of(process: &str) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The name of this machine, or the one it was given.
fn machine() -> String {
    let given = std::env::var("RUNBOOK_MACHINE").ok().filter(|name| !name.is_empty());
    given.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// The present start of this machine.
pub(super) fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}
