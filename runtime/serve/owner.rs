//! One service per state folder.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::failure::{Failure, FailureKind};

const FILE: &str = "service.lock";

/// The lock that says "this folder has a living service", held until dropped; the kernel lets go of it when, and only
/// when, the process is gone.
#[derive(Debug)]
pub struct Owner {
    _file: File,
}

impl Owner {
    /// Becomes the folder's service; fails when another process is.
    pub fn claim(state_folder: &Path) -> Result<Self, Failure> {
        let path = state_folder.join(FILE);
        let failed = |error: &std::io::Error| Failure::system(format!("lock `{}`", path.display()), error);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut process = String::new();
                let _ = file.read_to_string(&mut process);
                let message = format!("process {} is the service of `{}`", process.trim(), state_folder.display());
                return Err(Failure::new(FailureKind::Conflict, message)
                    .hint("one service looks after one state folder: stop that one first"));
            }
            Err(error) => return Err(failed(&error.into())),
        }
        file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(|error| failed(&error))?;
        Ok(Self { _file: file })
    }
}
