//! The health gate: does a container that was just started do its work?

use std::time::{Duration, Instant};

use super::plan::is_restarted;
use crate::drivers::docker::{Container, ContainerState, Engine, HealthStatus, HealthWait, Verdict};
use crate::primitive::{Failure, FailureKind, Span};
use crate::primitives::compose::app::App;

/// How long a container without a health check must run, without a restart.
const SETTLE: Duration = Duration::from_secs(2);
/// Between two looks at a container that is watched.
const LOOK: Duration = Duration::from_millis(250);

/// Why a container counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Its health check says so.
    Healthy,
    /// It has none, and stays up.
    Running,
    /// It ended with code 0, which was its work.
    Completed,
}

impl Passed {
    /// For the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Running => "running",
            Self::Completed => "completed",
        }
    }
}

/// Does this container need no waiting for?
pub(super) fn is_settled(container: &Container) -> bool {
    match container.state {
        ContainerState::Running => {
            container.health.as_ref().is_none_or(|health| health.status == HealthStatus::Healthy)
        }
        ContainerState::Exited => container.exit_code == Some(0),
        _ => false,
    }
}

/// Waits until a container of a service is ready; a job is ready when it ended with code 0.
pub(super) async fn wait(
    engine: &Engine,
    service: &str,
    container: &str,
    is_job: bool,
    limit: Duration,
) -> Result<Passed, Failure> {
    if is_job { job(engine, service, container, limit).await } else { serving(engine, service, container, limit).await }
}

/// The same for one container outside of `up`; no time means no waiting.
pub(crate) fn one(app: &App<'_>, service: &str, container: &str, limit: Duration) -> Result<(), Failure> {
    if limit.is_zero() {
        return Ok(());
    }
    app.progress(service, "waiting until healthy");
    let waiting = wait(&app.engine, service, container, false, limit);
    app.context.wait(&format!("waiting until `{service}` is healthy"), limit + Duration::from_secs(30), waiting)?;
    Ok(())
}

/// Waits until a container that passed its gate passes it once more.
pub(super) async fn again(engine: &Engine, service: &str, container: &str, limit: Duration) -> Result<(), Failure> {
    match engine.probe_again(container, limit).await {
        Ok(()) => Ok(()),
        Err(failure) => {
            let now = engine.find(container).await?;
            Err(explain(service, now.as_ref(), engine.diagnose(container, failure).await))
        }
    }
}

/// Watches a container that passed its gate for some time: does it go on doing its work?
pub(super) async fn watch(engine: &Engine, service: &str, container: &str, span: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    let first = engine.inspect(container).await?;
    while begun.elapsed() < span {
        tokio::time::sleep(LOOK.min(span.saturating_sub(begun.elapsed()))).await;
        let now = engine.inspect(container).await?;
        let after = Span(begun.elapsed().max(Duration::from_millis(1)));
        let what = if !now.is_running() || now.restart_count > first.restart_count {
            format!("container `{}` ended", now.name)
        } else if now.health.as_ref().is_some_and(|health| health.status == HealthStatus::Unhealthy) {
            format!("container `{}` is unhealthy", now.name)
        } else {
            continue;
        };
        let failure = Failure::new(FailureKind::Check, format!("{what} {after} after it had passed"));
        return Err(explain(service, Some(&now), engine.diagnose(container, failure).await));
    }
    Ok(())
}

async fn serving(engine: &Engine, service: &str, container: &str, limit: Duration) -> Result<Passed, Failure> {
    let wait = HealthWait { limit, settle: SETTLE, ..HealthWait::default() };
    match engine.wait_healthy(container, &wait).await {
        Ok(Verdict::Check | Verdict::Engine) => Ok(Passed::Healthy),
        Ok(Verdict::Running) => Ok(Passed::Running),
        Err(failure) => {
            let now = engine.find(container).await?;
            let completed = now.as_ref().is_some_and(|now| {
                now.state == ContainerState::Exited && now.exit_code == Some(0) && !is_restarted(now)
            });
            if completed { Ok(Passed::Completed) } else { Err(explain(service, now.as_ref(), failure)) }
        }
    }
}

async fn job(engine: &Engine, service: &str, container: &str, limit: Duration) -> Result<Passed, Failure> {
    let failure = match tokio::time::timeout(limit, engine.wait(container)).await {
        Ok(Ok(0)) => return Ok(Passed::Completed),
        Ok(Ok(code)) => Failure::new(FailureKind::Exit, format!("container `{container}` exited with code {code}")),
        Ok(Err(failure)) => return Err(failure),
        Err(_) => Failure::new(FailureKind::Timeout, format!("its work was not done within {}", Span(limit))),
    };
    let failure = engine.diagnose(container, failure).await;
    let now = engine.find(container).await?;
    Err(explain(service, now.as_ref(), failure))
}

/// A container that fails its gate is one kind of failure, however it fails; an engine that fails is another.
fn explain(service: &str, container: Option<&Container>, mut failure: Failure) -> Failure {
    if !matches!(failure.kind, FailureKind::Check | FailureKind::Exit | FailureKind::Timeout) {
        return failure;
    }
    let (timed_out, exited) = (failure.kind == FailureKind::Timeout, failure.kind == FailureKind::Exit);
    let message = match container {
        Some(container) => failure.message.replace(&format!("`{}`", container.id), &format!("`{}`", container.name)),
        None => failure.message.clone(),
    };
    failure.message = format!("service `{service}` failed its health gate: {message}");
    failure.kind = FailureKind::Check;
    let Some(container) = container else { return failure };
    if exited {
        failure = match container.exit_code {
            Some(126 | 127) => {
                failure.hint("the command could not be started: is its path right, and is it in the image?")
            }
            Some(137) if container.oom_killed => failure.hint("it ran out of memory: raise `mem_limit`"),
            _ => failure.hint("its last lines above say why it ended"),
        };
    }
    if timed_out && container.healthcheck.is_some() {
        failure = failure.hint("if it only needs longer, raise the option `wait`");
    }
    failure
}
