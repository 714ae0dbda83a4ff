use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Block, Cancel, CancelReason, Catalogue, Change, Failure, FailureKind, Guard, Lease, LeaseRequest, Left, Need,
    NeedKind, Release, Span, Touches,
};
use crate::drivers::Drivers;
use crate::drivers::backup::Reach;
use crate::drivers::disk::{Place, Tree};
use crate::project::{Project, RegistryCredential};
use crate::secrets::{SecretText, Sources};

/// A file of this name in a run's folder says that what its calls left behind was dropped.
pub const MARKERS_DROPPED: &str = "dropped";

/// What a call may know about the run it is part of.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// The run's number, counted by the run log it is in.
    pub id: i64,
    /// The run's name in the world: 16 hexadecimal digits that no other run of any machine has.
    pub uid: String,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
    /// About how many seconds it still takes, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
}

impl From<Reach> for Progress {
    fn from(Reach { doing, done, total, left }: Reach) -> Self {
        Self { doing: doing.to_owned(), current: Some(done), total, seconds_left: left, ..Self::default() }
    }
}

/// Was a branch gone into by a process that died?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Yes: it is gone through again.
    Yes,
    /// No: it is new.
    No,
    /// No, and the call around it has ended without: it never will be.
    Never,
}

/// Makes a secret out of others. It is also handed bytes that depend on these and that nobody can guess, for a salt.
pub type MakeSecret = Box<dyn Fn(&[SecretText], [u8; 16]) -> Result<SecretText, Failure> + Send + Sync>;

/// What the run does on behalf of a call. Implemented once, in `run/`.
pub trait Services: Send + Sync {
    /// A line of output, redacted before anyone sees it.
    fn log(&self, path: &str, stream: LogStream, line: &str);
    /// How far the call is; lossy, for people only.
    fn progress(&self, path: &str, progress: Progress);
    /// Runs `work` as branch number `branch` of the call at `path`; calls inside get paths below it.
    fn in_branch(&self, path: &str, branch: usize, cancel: &Cancel, work: &mut dyn FnMut());
    /// The same for one of several attempts at the same.
    fn in_attempt(&self, path: &str, attempt: usize, cancel: &Cancel, work: &mut dyn FnMut()) {
        self.in_branch(path, attempt, cancel, work);
    }
    /// Registers a compensation, run in reverse order when the run fails or is cancelled.
    fn undo(&self, name: &str, block: Arc<dyn Block>);
    /// Runs now what was registered with [`undo`](Self::undo) inside of branch `branch` of the call at `path`, last first,
    /// and forgets it. Says how many blocks there were.
    fn put_back(&self, _path: &str, _branch: usize) -> Result<usize, Failure> {
        Ok(0)
    }
    /// Forgets what was registered there: it is not to be put back, whatever comes.
    fn keep(&self, _path: &str, _branch: usize) {}
    /// Registers a block to run at the end whatever happens.
    fn always(&self, block: Arc<dyn Block>);
    /// The runbook's parameters with defaults filled in.
    fn params(&self) -> &Value;
    /// Asks a person. At a terminal the answer comes at once; without one the run is parked until somebody approves or
    /// rejects it, or `expires` has passed. With a name, the answer at the terminal is to type it.
    fn confirm(&self, path: &str, question: &str, expires: Duration, name: Option<&str>) -> Result<bool, Failure>;
    /// Stores something about a call that goes on, for its probe; it survives the death of the process.
    fn mark(&self, path: &str, marker: &Value) -> Result<(), Failure>;
    /// Was anything inside branch `branch` of the call at `path` done before, by a process that died?
    fn reached(&self, path: &str, branch: usize) -> Reached;
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
    ///
    /// A call records at most one release of a project: asked again by the same call, it is the one recorded before.
    fn record_release(&self, path: &str, project: &str, content: &Value) -> Result<Release, Failure>;
    /// Releases of a project in this environment, newest first.
    fn releases(&self, project: &str) -> Result<Vec<Release>, Failure>;
    /// Does the run have this application to itself?
    fn has_lock(&self, _guard: &Guard) -> bool {
        true
    }
    /// Makes sure that it has, before the first change of a call whose guard is late. The failure names who has it instead.
    fn take_lock(&self, _guard: &Guard) -> Result<(), Failure> {
        Ok(())
    }
    /// What the run log keeps of backups; nothing is kept where there is no run log.
    fn catalogue(&self) -> Option<&dyn Catalogue> {
        None
    }
    /// May the call that is being made reach this, too? The failure says what is missing and where it is declared.
    fn granted(&self, need: &Need) -> Result<(), Failure>;
    /// Is this host named where HTTP addresses are declared, so that it may be one of a private network? `None` where
    /// nothing is declared.
    fn names_host(&self, host: &str) -> Option<bool>;
    /// The folders that a path to read or write must not leave, wherever links lead.
    fn confines(&self, kind: NeedKind, path: &str) -> Vec<PathBuf>;
    /// Marks a text as secret from now on: it is masked in everything that leaves the process.
    fn mask(&self, secret: &str);
    /// The handle of a secret of the environment.
    fn secret(&self, name: &str) -> Result<Value, Failure>;
    /// Records, before it happens, that the call at `path` puts that secret there: one that does not stand among what is
    /// recorded of the call.
    fn note_secret(&self, path: &str, secret: &str, sink: &str) -> Result<(), Failure>;
    /// The handle of a secret that is made out of texts in which there are others. It is named after `how`.
    fn make_secret(&self, how: &str, texts: &[&str], make: MakeSecret) -> Result<Value, Failure>;
    /// The names of the run's secrets that stand as they are in this text.
    fn secrets_in(&self, text: &str) -> Vec<String>;
    /// In a plan: the changes that earlier calls will have made, for a prediction that builds on them.
    fn planned(&self) -> Vec<Change> {
        Vec::new()
    }
    /// In a plan: notes in what state a planned change leaves a path of this machine. Elsewhere there is nothing to note.
    fn leaves(&self, _path: &Path, _left: Left) {}
    /// In a plan: notes what the call at `path` found where it would change something, by its checksum. The plan is stale
    /// when that is another by then.
    fn found(&self, _path: &str, _what: &str, _checksum: &str) -> Result<(), Failure> {
        Ok(())
    }
    /// In a plan: how planned changes leave that path, and whether that is certain.
    fn left(&self, _path: &Path) -> Option<(Left, bool)> {
        None
    }
    /// In a plan: may a planned change alter that path of which nobody knows what it does?
    fn is_doubtful(&self, _path: &Path) -> bool {
        false
    }
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
    /// The same, except in a probe: what happened has to be known whether the run is to go on or not, so nobody asks a
    /// probe to stop; but what it finds at work need not be waited for once the run was told to.
    pub stop: Cancel,
    /// When the run's time is over.
    pub deadline: Option<Instant>,
    /// What the run does for the call.
    pub services: &'a dyn Services,
    /// What the call said of itself before its process died; only a probe and the clean-up see one.
    pub marker: Option<Value>,
    /// Is this a plan? Then nothing is changed, and nobody waits.
    pub planning: bool,
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

    /// Sleeps before the next attempt of a block, unless that attempt was made before the process died.
    pub fn sleep_before(&self, branch: usize, time: Duration) -> Result<(), Failure> {
        match self.services.reached(self.path, branch) {
            _ if self.planning => Ok(()),
            Reached::Yes => Ok(()),
            Reached::No => self.sleep(time),
            Reached::Never => Err(Failure::new(FailureKind::Cancelled, "not reached before")),
        }
    }

    /// Is nothing new to be begun in this call? One that had ended when a process died is gone through to its end, whatever the run has
    /// been told since: what it arranges is in the run log.
    pub fn is_to_stop(&self) -> bool {
        self.cancel.reason().is_some() && !self.had_ended()
    }

    /// Had this call, which arranges others, ended before this process took the run up?
    pub fn had_ended(&self) -> bool {
        self.services.reached(self.path, usize::MAX) == Reached::Never
    }

    /// A name for this call that no other call of any run has, and that stays the same when a run is resumed: for
    /// labels and idempotency keys.
    pub fn key(&self) -> String {
        format!("{}/{}", self.run.uid, self.path)
    }

    /// Notes something about this call that its probe will need, before the effect: what [`marker`](Self::marker) has.
    pub fn mark(&self, marker: &Value) -> Result<(), Failure> {
        self.services.mark(self.path, marker)
    }

    /// A folder of this machine for what this call leaves behind to be probed by. The call makes and removes it.
    pub fn marker_folder(&self) -> std::path::PathBuf {
        self.project.state_folder().join("calls").join(&self.run.uid).join(self.path)
    }

    /// Was everything in the folders of this run's calls dropped, because nobody went on with it for so long? Then that a
    /// folder is missing says nothing.
    pub fn are_markers_dropped(&self) -> bool {
        self.project.state_folder().join("calls").join(&self.run.uid).join(MARKERS_DROPPED).exists()
    }

    /// Fails when the run has been told to stop.
    pub fn still_wanted(&self) -> Result<(), Failure> {
        self.cancel.reason().map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// Asks for what the call turned out to need besides what its arguments say: where a redirect leads, what a template
    /// includes.
    pub fn granted(&self, need: &Need) -> Result<(), Failure> {
        self.services.granted(need)
    }

    /// The value of a secret that a call has by its name only, for that place: masked, granted and recorded. The one way to
    /// read one.
    pub fn secret_for(&self, sink: &str, name: &str) -> Result<SecretText, Failure> {
        self.granted(&Need::secret(name))?;
        let text = Sources::of(self.project)?.get(name)?.text;
        self.services.mask(text.expose());
        self.services.note_secret(self.path, name, sink)?;
        Ok(text)
    }

    /// Who to be at a registry, as the project file or the Docker client has it: masked and recorded, likewise.
    pub fn registry_login(&self, registry: &str) -> Result<Option<RegistryCredential>, Failure> {
        let found = self.project.registry_login(registry)?;
        if let Some(login) = &found {
            self.services.mask(&login.password);
            self.services.note_secret(self.path, &login.name, &format!("the login at {registry}"))?;
        }
        Ok(found)
    }

    /// A path of a script that is looked into: not outside of what is granted, wherever links lead.
    pub fn readable(&self, path: &str) -> Result<Place, Failure> {
        Ok(Place::new(self.project.root(), path)?.within(self.services.confines(NeedKind::Read, path)))
    }

    /// A path of a script that is changed, confined likewise.
    pub fn writable(&self, path: &str) -> Result<Place, Failure> {
        Ok(Place::new(self.project.root(), path)?.within(self.services.confines(NeedKind::Write, path)))
    }

    /// Writes a line to the run's log and the console.
    pub fn log(&self, stream: LogStream, line: &str) {
        self.services.log(self.path, stream, line);
    }

    /// Says how far the call is.
    pub fn progress(&self, progress: Progress) {
        self.services.progress(self.path, progress);
    }

    /// In a plan: how the changes planned so far leave a file or folder, and whether that is certain.
    pub fn left(&self, place: &Place) -> Option<(Left, bool)> {
        self.services.left(&place.name())
    }

    /// What a call touches that looks at or changes a file or folder of this machine, as a script writes its path.
    pub fn touches(&self, path: &str) -> Touches {
        Place::new(self.project.root(), path).map_or(Touches::Nothing, |place| Touches::disk(&place.name()))
    }

    /// What a path of a script leads to, behind every link: refused where that is outside of what it says or of what is granted.
    pub fn real(&self, path: &str) -> Result<std::path::PathBuf, Failure> {
        Ok(self.readable(path)?.source()?.real().to_owned())
    }

    /// A file or folder to be read as a whole, held open.
    pub fn tree(&self, path: &str) -> Result<Tree, Failure> {
        let tree = self.readable(path)?.source()?.tree();
        tree.map_err(|error| Failure::system(format!("read `{path}`"), &error))
    }

    /// A path of a script: relative ones are relative to the project's folder.
    pub fn resolve(&self, path: &str) -> std::path::PathBuf {
        self.project.root().join(path)
    }
}
