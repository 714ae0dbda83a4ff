//! Waiting until a container is ready.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Container, ContainerState, Engine, ExecRequest, HealthCheck, HealthStatus};
use crate::failure::{Failure, FailureKind};

/// How to wait until a container is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthWait {
    /// How long at most.
    pub limit: Duration,
    /// Between two looks.
    pub every: Duration,
    /// A container without a health check counts as ready when it has been running for so long.
    pub settle: Duration,
}

impl Default for HealthWait {
    fn default() -> Self {
        Self { limit: Duration::from_secs(60), every: Duration::from_millis(200), settle: Duration::from_secs(1) }
    }
}

/// Why a container counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its health check's command succeeded when we ran it.
    Check,
    /// The engine's own probe succeeded.
    Engine,
    /// It has no health check, and stays up.
    Running,
}

/// A container that the engine restarted so often while it was waited for is not going to come up.
const RESTARTS: i64 = 3;
/// How long a probe of ours may take.
const PROBE: Duration = Duration::from_secs(5);
/// Bytes of a probe's output that are kept.
const PROBE_OUTPUT: usize = 2_000;

impl Engine {
    /// Waits until a container is ready; the failure carries what can be found out about it.
    ///
    /// The engine makes its first probe only after the check's whole interval. So the check's own command is run here
    /// as well, with the same user and environment, and whoever sees success first decides. Only the engine can decide
    /// the contrary, because only it knows the check's retries and start period.
    pub async fn wait_healthy(&self, container: &str, wait: &HealthWait) -> Result<Verdict, Failure> {
        let first = self.inspect(container).await?;
        let begun = Instant::now();
        let last = Mutex::new(None);
        let waiting = self.watch(container, &first, wait, begun, &last);
        let failure = match tokio::time::timeout(wait.limit, waiting).await {
            Ok(Ok(verdict)) => return Ok(verdict),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::new(
                FailureKind::Timeout,
                format!("container `{}` was not healthy within {}", first.name, crate::units::Span(wait.limit)),
            ),
        };
        let failure = match last.into_inner() {
            Ok(Some(probe)) => failure.evidence(format!("our last probe of {}", first.name), probe),
            _ => failure,
        };
        // It may be gone, or its engine: the failure matters more than its evidence.
        let diagnosis = tokio::time::timeout(Duration::from_secs(10), self.diagnose(container, failure.clone())).await;
        Err(diagnosis.unwrap_or(failure))
    }

    /// Waits until the health check's own command succeeds once more, whatever the engine made of it before: something
    /// has changed around the container. One without a check has nothing to say.
    pub async fn probe_again(&self, container: &str, limit: Duration) -> Result<(), Failure> {
        let (begun, last) = (Instant::now(), Mutex::new(None));
        loop {
            let now = self.inspect(container).await?;
            not_ended(&now)?;
            let Some(check) = now.healthcheck.clone() else { return Ok(()) };
            if self.probe_succeeds(&now, &check, &last).await {
                return Ok(());
            }
            if begun.elapsed() >= limit {
                let message =
                    format!("container `{}` was not healthy again within {}", now.name, crate::units::Span(limit));
                let failure = Failure::new(FailureKind::Timeout, message);
                let said = last.into_inner().ok().flatten();
                return Err(match said {
                    Some(probe) => failure.evidence(format!("our last probe of {}", now.name), probe),
                    None => failure,
                });
            }
            tokio::time::sleep(HealthWait::default().every).await;
        }
    }

    async fn watch(
        &self,
        container: &str,
        first: &Container,
        wait: &HealthWait,
        begun: Instant,
        last: &Mutex<Option<String>>,
    ) -> Result<Verdict, Failure> {
        let (mut up_since, mut restarts) = (None, first.restart_count);
        loop {
            let now = self.inspect(container).await?;
            not_ended(&now)?;
            if now.restart_count != restarts {
                // Between two looks it ended and was started again: being up counts from then.
                (up_since, restarts) = (None, now.restart_count);
            }
            if now.restart_count - first.restart_count >= RESTARTS {
                let code = now
                    .exit_code
                    .or(first.exit_code)
                    .map_or_else(String::new, |code| format!(", last with code {code}"));
                return Err(Failure::new(
                    FailureKind::Exit,
                    format!("container `{}` keeps exiting and being restarted{code}", now.name),
                ));
            }
            if let (Some(health), Some(check)) = (&now.health, &now.healthcheck) {
                match health.status {
                    HealthStatus::Healthy => return Ok(Verdict::Engine),
                    HealthStatus::Unhealthy => {
                        return Err(Failure::new(
                            FailureKind::Check,
                            format!(
                                "container `{}` is unhealthy: {} probes failed in a row",
                                now.name, health.failing_streak
                            ),
                        ));
                    }
                    HealthStatus::Starting if now.state == ContainerState::Running => {
                        if self.probe_succeeds(&now, check, last).await {
                            return Ok(Verdict::Check);
                        }
                    }
                    HealthStatus::Starting => {}
                }
            } else if now.state == ContainerState::Running {
                let since: Instant = *up_since.get_or_insert(begun.max(Instant::now()));
                if since.elapsed() >= wait.settle {
                    return Ok(Verdict::Running);
                }
            } else {
                up_since = None;
            }
            tokio::time::sleep(wait.every).await;
        }
    }

    /// Runs the check's command once. Whatever goes wrong only means "not yet", and is kept in `last`.
    async fn probe_succeeds(&self, container: &Container, check: &HealthCheck, last: &Mutex<Option<String>>) -> bool {
        let Some(command) = probe_command(container, check) else { return false };
        // A probe that hangs must not keep us from looking: the engine's own has all the time the check says.
        let limit = check.timeout.unwrap_or(PROBE).min(PROBE);
        let request = ExecRequest { command, limit: Some(limit), ..ExecRequest::default() };
        let mut said = Vec::new();
        let result = self.exec(&container.id, &request, None, &mut |_, line| said.push(line.to_owned())).await;
        let (passed, outcome) = match result {
            Ok(finished) => (finished.exit_code == 0, format!("exit code {}", finished.exit_code)),
            Err(failure) => (false, failure.message),
        };
        if let Ok(mut last) = last.lock() {
            let said = said.join("\n");
            *last = Some(format!("{outcome}: {}", said.get(..PROBE_OUTPUT).unwrap_or(&said)));
        }
        passed
    }
}

fn probe_command(container: &Container, check: &HealthCheck) -> Option<Vec<String>> {
    let (kind, words) = check.test.split_first()?;
    match kind.as_str() {
        "CMD" => Some(words.to_vec()),
        "CMD-SHELL" => {
            let shell = match container.shell.as_slice() {
                [] => vec!["/bin/sh".to_owned(), "-c".to_owned()],
                shell => shell.to_vec(),
            };
            Some([shell.as_slice(), words].concat())
        }
        _ => None,
    }
}

fn not_ended(container: &Container) -> Result<(), Failure> {
    let name = &container.name;
    match container.state {
        ContainerState::Exited | ContainerState::Dead | ContainerState::Removing => {
            let memory = if container.oom_killed { ": it ran out of memory" } else { "" };
            let code = container.exit_code.unwrap_or_default();
            Err(Failure::new(FailureKind::Exit, format!("container `{name}` exited with code {code}{memory}")))
        }
        ContainerState::Created => {
            Err(Failure::new(FailureKind::Check, format!("container `{name}` is not running: it was never started")))
        }
        ContainerState::Running | ContainerState::Paused | ContainerState::Restarting => Ok(()),
    }
}
