use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::Wanted;
use super::store::Hold;
use crate::failure::{Failure, FailureKind};

/// How long to wait for others that have the repository.
const PATIENCE: Duration = Duration::from_secs(600);

/// A hold on the repository that ends with the process: several may add to it at a time, one alone may remove from it.
#[derive(Debug)]
pub struct Lock {
    _config: File,
}

impl Hold for Lock {}

impl Lock {
    /// Takes it, and waits for others up to ten minutes.
    pub fn take(root: &Path, alone: bool, wanted: &Wanted) -> Result<Self, Failure> {
        refuse_foreign(root)?;
        let shown = root.display();
        let config = File::open(root.join("config"))
            .map_err(|error| Failure::system(format!("open the repository `{shown}`"), &error))?;
        let how = if alone { FlockOperation::NonBlockingLockExclusive } else { FlockOperation::NonBlockingLockShared };
        let start = Instant::now();
        loop {
            match flock(&config, how) {
                Ok(()) => return Ok(Self { _config: config }),
                Err(rustix::io::Errno::WOULDBLOCK) if start.elapsed() < PATIENCE => wanted()?,
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let message = format!("others were at work in the repository `{shown}` for ten minutes");
                    return Err(Failure::new(FailureKind::Timeout, message));
                }
                Err(error) => return Err(Failure::system(format!("lock the repository `{shown}`"), &error.into())),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// `restic` leaves a file while it is at work, and takes no notice of anybody who does not.
fn refuse_foreign(root: &Path) -> Result<(), Failure> {
    let locks = std::fs::read_dir(root.join("locks")).into_iter().flatten().flatten().count();
    if locks == 0 {
        return Ok(());
    }
    let message = format!("`restic` is at work in the repository `{}`, or was killed there", root.display());
    Err(Failure::new(FailureKind::Conflict, message)
        .hint(format!("wait for it; when none is running: `restic -r {} unlock`", root.display())))
}
