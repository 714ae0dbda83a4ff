//! Containers that are paused for a while, and wake up whatever happens.
//!
//! Nothing wakes a paused container but somebody who asks for it. So that a process that is killed leaves none behind, this same
//! executable is started once more, under another name, before the first container is paused: it wakes them when its input ends,
//! which it does with whoever holds the other end, and at the latest when the time is over.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use bollard::errors::Error;

use super::errors::failure;
use super::{ContainerState, Engine};
use crate::failure::{Failure, FailureKind};

/// The name this executable is started under to wake containers; what `ps` shows.
const NAME: &str = "runbook-waker";

impl Engine {
    /// Freezes all processes of a container.
    pub async fn pause(&self, container: &str) -> Result<(), Failure> {
        let paused = self.api().await?.pause_container(container).await;
        paused.map_err(|error| failure(self.address(), format!("pause container `{container}`"), error))
    }

    /// Lets them go on. One that is not paused, or gone, needs nothing.
    pub async fn wake(&self, container: &str) -> Result<(), Failure> {
        match self.api().await?.unpause_container(container).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(Error::DockerResponseServerError { message, .. }) if message.contains("is not paused") => Ok(()),
            Err(error) => Err(failure(self.address(), format!("wake container `{container}`"), error)),
        }
    }

    /// Pauses these containers as far as they run. They wake with [`Paused::wake`], with the end of this process however it
    /// comes, and after `limit`.
    pub async fn pause_all(&self, containers: &[String], limit: Duration, program: &Path) -> Result<Paused, Failure> {
        let mut running = Vec::new();
        for container in containers {
            if self.inspect(container).await?.state == ContainerState::Running {
                running.push(container.clone());
            }
        }
        let mut paused = Paused { containers: running, since: Instant::now(), limit, waker: None };
        if paused.containers.is_empty() {
            return Ok(paused);
        }
        paused.waker = Some(self.start_waker(&paused.containers, limit, program)?);
        for container in &paused.containers {
            if let Err(failure) = self.pause(container).await {
                paused.wake(self).await?;
                return Err(failure);
            }
        }
        Ok(paused)
    }

    fn start_waker(&self, containers: &[String], limit: Duration, program: &Path) -> Result<Waker, Failure> {
        let failed = |error: std::io::Error| Failure::system("start what wakes paused containers again", &error);
        let mut command = Command::new(program);
        command.arg0(NAME).arg(self.address()).arg(limit.as_secs().to_string()).args(containers);
        // What is meant for this process does not hit it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        let Some(line) = child.stdin.take() else {
            return Err(Failure::new(FailureKind::System, "what wakes paused containers has no input"));
        };
        Ok(Waker { line: Some(line), child })
    }
}

/// Containers that are paused.
pub struct Paused {
    containers: Vec<String>,
    since: Instant,
    limit: Duration,
    waker: Option<Waker>,
}

struct Waker {
    line: Option<ChildStdin>,
    child: Child,
}

impl Drop for Waker {
    fn drop(&mut self) {
        drop(self.line.take());
        let _ = self.child.wait();
    }
}

impl Paused {
    /// Those that were paused.
    pub fn containers(&self) -> &[String] {
        &self.containers
    }

    /// Lets them go on, and says for how long they stood still: a failure when that was longer than they might.
    pub async fn wake(&mut self, engine: &Engine) -> Result<Duration, Failure> {
        let mut first = Ok(());
        for container in &self.containers {
            first = first.and(engine.wake(container).await);
        }
        let stood = self.since.elapsed();
        self.waker = None;
        first?;
        if stood > self.limit {
            let message = format!("the containers were woken after {}", crate::units::Span(self.limit));
            return Err(Failure::new(FailureKind::Timeout, message).hint("`pause` says how long they may stand still"));
        }
        Ok(stood)
    }
}

/// Wakes containers if that is what this process was started for, and says what to exit with.
pub fn keep_awake() -> Option<ExitCode> {
    let mut words = std::env::args();
    if words.next().is_none_or(|name| name != NAME) {
        return None;
    }
    let (Some(address), Some(limit)) = (words.next(), words.next().and_then(|limit| limit.parse().ok())) else {
        return Some(ExitCode::FAILURE);
    };
    let containers: Vec<String> = words.collect();
    let (sender, ended) = channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(sender);
    });
    // Nothing is ever sent: it ends with the input, or with the time.
    let Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) =
        ended.recv_timeout(Duration::from_secs(limit))
    else {
        return Some(ExitCode::FAILURE);
    };
    let woken = wake_all(&address, &containers);
    Some(if woken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wake_all(address: &str, containers: &[String]) -> bool {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
    let Ok(engine) = Engine::at(address) else { return false };
    containers.iter().all(|container| {
        (0..5).any(|attempt| {
            if attempt > 0 {
                std::thread::sleep(Duration::from_secs(1));
            }
            runtime
                .block_on(async { tokio::time::timeout(Duration::from_secs(20), engine.wake(container)).await })
                .is_ok_and(|woken| woken.is_ok())
        })
    })
}
