use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Wanted;
use super::remote::Line;
use super::repository::Access;
use super::store::Hold;
use crate::drivers::process::Stream;
use crate::drivers::ssh::{Hosts, Script, Target, quoted};
use crate::failure::{Failure, FailureKind};

/// How long to wait for others that have the repository.
const PATIENCE: Duration = Duration::from_secs(600);
/// So long after it was taken first a hold may be taken again whose connection was lost. What nobody needs is marked first and
/// removed a day later, so that whoever adds something within this time loses nothing, also when somebody pruned in between.
const RENEWABLE: Duration = Duration::from_secs(20 * 60 * 60);

/// A lock that a shell on the host holds, for as long as its connection lasts: the same that a `runbook` there would hold.
pub struct Grip {
    hosts: Arc<Hosts>,
    target: Target,
    /// Not the runtime: it must not end on one of its own threads.
    runtime: Handle,
    /// The folder of the repository, and its place for messages.
    root: String,
    shown: String,
    access: Access,
    wanted: Wanted,
    since: Instant,
    held: Mutex<Held>,
}

/// A shell that holds it.
struct Held {
    is_over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // With its channel, the shell's input ends, and so does the lock.
        self.task.abort();
    }
}

impl std::fmt::Debug for Grip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a grip on {}", self.shown)
    }
}

impl Grip {
    /// Takes it, and waits for others up to ten minutes.
    pub fn take(line: &Line, root: &str, shown: &str, access: Access, wanted: &Wanted) -> Result<Self, Failure> {
        let nobody = line.runtime.spawn(async {});
        let grip = Self {
            hosts: Arc::clone(&line.hosts),
            target: line.target.clone(),
            runtime: line.runtime.handle().clone(),
            root: root.to_owned(),
            shown: shown.to_owned(),
            access,
            wanted: Arc::clone(wanted),
            since: Instant::now(),
            held: Mutex::new(Held { is_over: Arc::new(AtomicBool::new(true)), task: nobody }),
        };
        let held = grip.hold()?;
        *grip.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(grip)
    }

    /// Is it still held? Whoever removes something has to know that nobody came in between; others take it again.
    pub fn check(&self) -> Result<(), Failure> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.access == Access::Alone || self.since.elapsed() > RENEWABLE {
            return Err(lost(&self.shown));
        }
        *held = self.hold()?;
        Ok(())
    }

    fn script(&self) -> Script {
        let config = quoted(&format!("{}/config", self.root));
        let how = if self.access == Access::Alone { "-x" } else { "-s" };
        let text = format!(
            "command -v flock >/dev/null || {{ finish failed there is no flock; exit; }}\n\
             {{ if flock {how} -w {seconds} 9; then echo held; cat >/dev/null; finish done; else finish busy; fi; }} \
             9<{config} || finish failed {config} cannot be opened",
            seconds = PATIENCE.as_secs()
        );
        Script { is_leashed: true, ..Script::new(text) }
    }

    /// Has a shell hold it.
    fn hold(&self) -> Result<Held, Failure> {
        let script = self.script();
        let (is_held, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let trouble: Arc<Mutex<Option<Failure>>> = Arc::default();
        let (hosts, target) = (Arc::clone(&self.hosts), self.target.clone());
        let (held, over, said) = (Arc::clone(&is_held), Arc::clone(&is_over), Arc::clone(&trouble));
        let task = self.runtime.spawn(async move {
            let mut complaints = Vec::new();
            let mut on_output = |stream, text: &[u8]| match stream {
                Stream::Stdout => held.store(true, Ordering::Relaxed),
                Stream::Stderr => complaints.extend_from_slice(text),
            };
            let ended = hosts.script(&target, &script, &mut on_output).await;
            let failure = match ended {
                Ok(said) if said.words == "busy" => Failure::new(
                    FailureKind::Timeout,
                    "others were at work in the repository for ten minutes".to_owned(),
                ),
                Ok(said) => {
                    let complaints = String::from_utf8_lossy(&complaints).trim().to_owned();
                    let why =
                        if complaints.is_empty() { said.words.trim_start_matches("failed ") } else { &complaints };
                    Failure::new(FailureKind::System, format!("`{}`: {why}", target.name))
                }
                Err(trouble) => trouble.into(),
            };
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            over.store(true, Ordering::Relaxed);
        });
        let shell = Held { is_over, task };
        while !is_held.load(Ordering::Relaxed) {
            if shell.is_over.load(Ordering::Relaxed) {
                let failure = trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return Err(failure.unwrap_or_else(|| lost(&self.shown)));
            }
            (self.wanted)()?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(shell)
    }
}

impl Hold for Arc<Grip> {
    fn check(&self) -> Result<(), Failure> {
        Grip::check(self)
    }
}

/// The hold went with its connection.
pub fn lost(shown: &str) -> Failure {
    let message = format!("the connection that held the repository `{shown}` was lost");
    Failure::new(FailureKind::Unreachable, message).hint("run it again: what was done stays done")
}
