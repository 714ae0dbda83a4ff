//! Ending a process inside a container.
//!
//! The engine has no call for it: closing the streams of an exec leaves its process running, and the process number it
//! names is one of the engine's machine. So every command gets an environment variable nobody else has, which its
//! children inherit. Whatever carries it is killed: through `/proc` where the engine runs on this machine, else by a
//! shell in the container.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::StreamExt;

const VARIABLE: &str = "RUNBOOK_EXEC";
/// How long a dropped command may hold up its caller, who was promised an end within two seconds.
const ON_DROP: Duration = Duration::from_millis(1_500);

/// What a command's processes can be found and ended by.
#[derive(Clone)]
pub(super) struct Leash(Arc<Inner>);

struct Inner {
    api: Docker,
    may_be_here: bool,
    container: String,
    user: Option<String>,
    mark: String,
}

impl Leash {
    /// `mark` is what the processes carry; one that nobody else has is made up when it is empty.
    pub fn new(api: Docker, may_be_here: bool, container: &str, user: Option<&str>, mark: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let made_up = format!("{:x}-{:x}-{count:x}", std::process::id(), now.as_nanos());
        let mark = format!("{VARIABLE}={}", if mark.is_empty() { &made_up } else { mark });
        Self(Arc::new(Inner { api, may_be_here, container: container.to_owned(), user: user.map(str::to_owned), mark }))
    }

    /// The variable to start the command with.
    pub fn mark(&self) -> String {
        self.0.mark.clone()
    }

    /// Ends the command's processes when it is dropped.
    pub fn guard(self) -> Guard {
        Guard(Some(self))
    }

    /// Kills the processes. `false` when none could be found.
    pub async fn pull(&self) -> bool {
        self.kill_here() || self.kill_inside().await
    }

    fn kill_here(&self) -> bool {
        if !self.0.may_be_here {
            return false;
        }
        let mut killed = false;
        // A process may be about to start another, or not to have started yet.
        for pause in [0, 5, 20, 50] {
            std::thread::sleep(Duration::from_millis(pause));
            let found = marked_processes(&self.0.mark);
            if found.is_empty() && killed {
                break;
            }
            for process in found {
                killed |= rustix::process::kill_process(process, rustix::process::Signal::KILL).is_ok();
            }
        }
        killed
    }

    /// First as the command's own user: a container's root may usually not look into another user's process. What has
    /// become somebody else needs more rights, where the engine grants them.
    async fn kill_inside(&self) -> bool {
        let killed = self.kill_by_shell(self.0.user.clone(), false).await;
        self.kill_by_shell(Some("0".into()), true).await || killed
    }

    async fn kill_by_shell(&self, user: Option<String>, privileged: bool) -> bool {
        // The mark stands in the arguments of this shell, not in its environment, so it does not find itself.
        let script = "for round in 1 2 3; do for p in /proc/[0-9]*; do \
                      if grep -q \"$1\" $p/environ 2>/dev/null; then kill -9 ${p#/proc/} && echo killed; fi; done; done";
        let config = ExecConfig {
            attach_stdout: Some(true),
            user,
            privileged: Some(privileged),
            cmd: Some(["/bin/sh", "-c", script, "sh", &self.0.mark].map(str::to_owned).to_vec()),
            ..ExecConfig::default()
        };
        let Ok(exec) = self.0.api.create_exec(&self.0.container, config).await else { return false };
        let Ok(StartExecResults::Attached { mut output, .. }) =
            self.0.api.start_exec(&exec.id, None::<StartExecOptions>).await
        else {
            return false;
        };
        let mut killed = false;
        while let Some(Ok(chunk)) = output.next().await {
            killed |= chunk.as_ref().starts_with(b"killed");
        }
        killed
    }
}

fn marked_processes(mark: &str) -> Vec<rustix::process::Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let carries_mark = |number: &i32| {
        std::fs::read(format!("/proc/{number}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()))
    };
    numbers.filter(carries_mark).filter_map(rustix::process::Pid::from_raw).collect()
}

/// Kills what is on the leash when dropped, unless disarmed.
pub(super) struct Guard(Option<Leash>);

impl Guard {
    /// The command has ended by itself.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(leash) = self.0.take() else { return };
        if leash.kill_here() {
            return;
        }
        // Nothing may be awaited here, and the runtime may be on its way out: a thread of its own waits, and not for long.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let waiting = std::thread::Builder::new().name("exec-kill".into()).spawn(move || {
            runtime.block_on(async { tokio::time::timeout(ON_DROP, leash.kill_inside()).await.unwrap_or(false) })
        });
        if let Ok(thread) = waiting {
            let _ = thread.join();
        }
    }
}
