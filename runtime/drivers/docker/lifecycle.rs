//! Starting, stopping and removing containers.

use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::{
    KillContainerOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    RestartContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::Engine;
use super::errors::failure;
use crate::failure::{Failure, FailureKind};

/// A container removed while it is waited for ends the wait as an exit whose code the engine does not know.
const WAIT_FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Engine {
    /// Starts it. `false` when it ran already.
    pub async fn start(&self, container: &str) -> Result<bool, Failure> {
        let before = self.inspect(container).await?;
        if before.is_running() {
            return Ok(false);
        }
        self.start_at_rest(container, &before.name).await.map(|()| true)
    }

    /// Starts one that is known not to run; `name` is how it is called in messages.
    pub async fn start_at_rest(&self, container: &str, name: &str) -> Result<(), Failure> {
        // A start waits for networks and mounts, not for the application.
        let api = self.patient(Duration::from_secs(300)).await?;
        match api.start_container(container, None).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let failure = failure(self.address(), format!("start container `{name}`"), error);
                Err(self.name_port_holder(failure).await)
            }
        }
    }

    /// Asks it to stop and kills it after `grace` (`None`: its own stop time). `false` when it did not run.
    pub async fn stop(&self, container: &str, grace: Option<Duration>) -> Result<bool, Failure> {
        let before = self.inspect(container).await?;
        if !before.is_running() && before.state != super::ContainerState::Restarting {
            return Ok(false);
        }
        let mut options = StopContainerOptionsBuilder::default();
        if let Some(grace) = grace {
            options = options.t(whole_seconds(grace));
        }
        let own = before.raw.pointer("/Config/StopTimeout").and_then(serde_json::Value::as_u64);
        let limit = grace.unwrap_or(Duration::from_secs(own.unwrap_or(10))) + Duration::from_secs(60);
        let stopped = self.patient(limit).await?.stop_container(container, Some(options.build())).await;
        stopped.map_err(|error| failure(self.address(), format!("stop container `{}`", before.name), error))?;
        Ok(true)
    }

    /// Stops it (see [`Engine::stop`]) and starts it again.
    pub async fn restart(&self, container: &str, grace: Option<Duration>) -> Result<(), Failure> {
        let mut options = RestartContainerOptionsBuilder::default();
        if let Some(grace) = grace {
            options = options.t(whole_seconds(grace));
        }
        let limit = grace.unwrap_or(Duration::from_secs(60)) + Duration::from_secs(120);
        let restarted = self.patient(limit).await?.restart_container(container, Some(options.build())).await;
        restarted.map_err(|error| failure(self.address(), format!("restart container `{container}`"), error))
    }

    /// Sends a signal, as in `SIGHUP`.
    pub async fn kill(&self, container: &str, signal: &str) -> Result<(), Failure> {
        let options = KillContainerOptionsBuilder::default().signal(signal).build();
        let killed = self.api().await?.kill_container(container, Some(options)).await;
        killed.map_err(|error| failure(self.address(), format!("send {signal} to container `{container}`"), error))
    }

    /// Removes it, running or not; with `volumes` its anonymous volumes too. `false` when there was none.
    pub async fn remove(&self, container: &str, volumes: bool) -> Result<bool, Failure> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(volumes).build();
        match self.api().await?.remove_container(container, Some(options)).await {
            Ok(()) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(Error::DockerResponseServerError { status_code: 409, message }) if message.contains("in progress") => {
                self.gone(container).await?;
                Ok(true)
            }
            Err(error) => Err(failure(self.address(), format!("remove container `{container}`"), error)),
        }
    }

    /// Removes one that was never started. One that runs after all is a conflict, and goes on.
    pub async fn discard(&self, container: &str) -> Result<(), Failure> {
        let options = RemoveContainerOptionsBuilder::default().force(false).v(true).build();
        match self.api().await?.remove_container(container, Some(options)).await {
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(failure(self.address(), format!("remove container `{container}`"), error)),
        }
    }

    /// Gives it another name.
    pub async fn rename(&self, container: &str, name: &str) -> Result<(), Failure> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        let renamed = self.api().await?.rename_container(container, options).await;
        renamed.map_err(|error| failure(self.address(), format!("rename container `{container}` to `{name}`"), error))
    }

    /// Waits until its process ends; returns the exit code, at once when it ended before.
    pub async fn wait(&self, container: &str) -> Result<i64, Failure> {
        self.wait_until(container, "not-running").await
    }

    /// Waits until its process ends next: call it before starting what may end at once.
    pub async fn wait_next_exit(&self, container: &str) -> Result<i64, Failure> {
        self.wait_until(container, "next-exit").await
    }

    async fn wait_until(&self, container: &str, condition: &str) -> Result<i64, Failure> {
        let api = self.patient(WAIT_FOR_EVER).await?;
        let options = WaitContainerOptionsBuilder::default().condition(condition).build();
        let mut answers = std::pin::pin!(api.wait_container(container, Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // bollard reports any code but 0 as an error.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(failure(self.address(), format!("wait for container `{container}`"), error)),
            None => Err(Failure::new(
                FailureKind::Unreachable,
                format!("the engine hung up while container `{container}` was waited for"),
            )),
        }
    }

    /// Waits until somebody else's removal is through.
    async fn gone(&self, container: &str) -> Result<(), Failure> {
        for _ in 0..100 {
            if self.find(container).await?.is_none() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Failure::new(FailureKind::Timeout, format!("container `{container}` is being removed, without end")))
    }
}

fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs() + u64::from(time.subsec_nanos() > 0)).unwrap_or(i32::MAX)
}
