use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::{Block, Cancel, CancelReason, Failure, FailureKind, Lease, LeaseRequest, Release, Span};
use crate::drivers::Drivers;
use crate::project::Project;

/// What a call may know about the run it is part of.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The run's number.
    pub id: i64,
    /// The environment's name.
    pub environment: String,
    /// The runbook's path, relative to the project.
    pub runbook: String,
    /// `user@machine` of whoever started it.
    pub started_by: String,
    /// When it started.
    pub started_at: Timestamp,
}

/// Where a log line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output of a command or container.
    Stdout,
    /// Standard error of a command or container.
    Stderr,
    /// `info(…)` of the script.
    Info,
    /// `warn(…)` of the script or of the runtime.
    Warn,
}

/// How far a long call is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// What is moving: a service, an image layer; empty for the call itself.
    pub item: String,
    /// What it is doing: `pulling`, `waiting until healthy`.
    pub doing: String,
    /// How far, in units of `total` (bytes for transfers).
    pub current: Option<u64>,
    /// Out of how much.
    pub total: Option<u64>,
}

/// What the run does on behalf of a call. Implemented once, in `run/`.
pub trait Services: Send + Sync {
    /// A line of output, redacted before anyone sees it.
    fn log(&self, path: &str, stream: LogStream, line: &str);
    /// How far the call is; lossy, for people only.
    fn progress(&self, path: &str, progress: Progress);
    /// Runs `work` as branch number `branch` of the call at `path`; calls inside get paths below it.
    fn in_branch(&self, path: &str, branch: usize, cancel: &Cancel, work: &mut dyn FnMut());
    /// Registers a compensation, run in reverse order when the run fails or is cancelled.
    fn undo(&self, name: &str, block: Arc<dyn Block>);
    /// Registers a block to run at the end whatever happens.
    fn always(&self, block: Arc<dyn Block>);
    /// The runbook's parameters with defaults filled in.
    fn params(&self) -> &Value;
    /// Asks the person at the terminal; refused when there is none.
    fn confirm(&self, question: &str) -> Result<bool, Failure>;
    /// Takes a lock for the rest of the run; the failure names the holder. `still_waiting` is called about once a second.
    fn acquire(
        &self,
        request: &LeaseRequest,
        cancel: &Cancel,
        still_waiting: &dyn Fn(&Lease),
    ) -> Result<Lease, Failure>;
    /// Gives a lock of this run back before the run ends.
    fn release_lease(&self, lease: &Lease) -> Result<(), Failure>;
    /// Stores what runs now as a release of this run; it becomes good when the run ends well.
    fn record_release(&self, project: &str, content: &Value) -> Result<Release, Failure>;
    /// Releases of a project in this environment, newest first.
    fn releases(&self, project: &str) -> Result<Vec<Release>, Failure>;
    /// Marks a text as secret from now on: it is masked in everything that leaves the process.
    fn mask(&self, secret: &str);
}

/// Everything a call may see of the world and of its run.
pub struct Context<'a> {
    /// The run.
    pub run: &'a RunFacts,
    /// The project file, the chosen environment and the project's folder.
    pub project: &'a Project,
    /// The outside world.
    pub drivers: &'a Drivers,
    /// This call's path, as in `3.1.2`: stable over resumes, unique in the run, usable as an idempotency key.
    pub path: &'a str,
    /// Asked to stop?
    pub cancel: Cancel,
    /// When the run's time is over.
    pub deadline: Option<Instant>,
    /// What the run does for the call.
    pub services: &'a dyn Services,
}

impl Context<'_> {
    /// Waits for async work: until it ends, the run is told to stop, or `limit` passes. The one way to wait.
    ///
    /// `what` completes the sentence "timed out after 30s while …".
    pub fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.still_wanted()?;
        self.drivers.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.requested() => {
                    Err(self.cancel.reason().unwrap_or(CancelReason::Person).into())
                }
                result = tokio::time::timeout(limit, work) => result.unwrap_or_else(|_| {
                    Err(Failure::new(FailureKind::Timeout, format!("timed out after {} while {what}", Span(limit))))
                }),
            }
        })
    }

    /// Sleeps, unless told to stop.
    pub fn sleep(&self, time: Duration) -> Result<(), Failure> {
        let asleep = async {
            tokio::time::sleep(time).await;
            Ok(())
        };
        self.wait("sleeping", time + Duration::from_secs(60), asleep)
    }

    /// Fails when the run has been told to stop.
    pub fn still_wanted(&self) -> Result<(), Failure> {
        self.cancel.reason().map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// Writes a line to the run's log and the console.
    pub fn log(&self, stream: LogStream, line: &str) {
        self.services.log(self.path, stream, line);
    }

    /// Says how far the call is.
    pub fn progress(&self, progress: Progress) {
        self.services.progress(self.path, progress);
    }

    /// A path of a script: relative ones are relative to the project's folder.
    pub fn resolve(&self, path: &str) -> std::path::PathBuf {
        self.project.root().join(path)
    }
}
