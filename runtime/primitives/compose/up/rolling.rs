//! Start-first, one container: boot, prove, join, serve beside the old one, take over, let the old one end.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::gate::{self, Passed};
use super::manner::Update;
use super::place::Place;
use super::roll;
use super::work::{AWAITED, Work, of_service};
use crate::compose::labels;
use crate::drivers::docker::{Container, ContainerSpec, ExecRequest};
use crate::primitive::{Evidence, Failure, FailureKind, LogStream};
use crate::primitives::compose::app::{NEXT, PREVIOUS};
use crate::primitives::compose::desired::Desired;
use crate::primitives::compose::release::Timing;
use crate::primitives::compose::up::manner::seconds;

/// How long a command that reloads a proxy may take.
const RELOAD: Duration = Duration::from_secs(60);

impl Work<'_> {
    /// Replaces the container of a place; `None` when another service failed before it had taken over.
    pub(super) async fn roll(
        &self,
        place: &Place,
        desired: &Desired,
        update: &Update,
    ) -> Result<Option<(String, Timing)>, Failure> {
        let (engine, service) = (&self.app.engine, &place.service);
        let Some(old) = &place.present else { return Ok(None) };
        let mut desired = desired.clone();
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).resolve(&mut desired.spec)?;
        let proved = self.prove_beside(place, &desired, update).await;
        let (id, start) = match proved {
            Ok(Some(proved)) => proved,
            Ok(None) => {
                roll::withdraw(engine, &place.name).await?;
                self.ledger.end(&place.name);
                return Ok(None);
            }
            Err(failure) => {
                let withdrawn = roll::withdraw(engine, &place.name).await;
                self.ledger.end(&place.name);
                let failure = failure.hint(format!("container `{}` from before serves as it did", place.name));
                return Err(match withdrawn {
                    Ok(()) => failure,
                    Err(problem) => failure.hint(format!("the new container could not be removed: {problem}")),
                });
            }
        };
        if let Err(failure) = roll::hand_over(engine, &self.ledger, place, old, &id).await {
            let failure = of_service(service, failure);
            return Err(match self.ledger.put_back(engine, &place.name).await {
                Ok(()) => failure,
                Err(problem) => failure.hint(format!("putting `{}` back failed as well: {problem}", place.name)),
            });
        }
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).set(service, &id);
        self.app.context.log(LogStream::Info, &format!("{service}: {} took over, the old one ends", place.name));
        self.app.progress(service, "letting the old one end");
        let ending = Instant::now();
        engine.stop(&old.id, None).await.map_err(|failure| of_service(service, failure))?;
        let timing = Timing::new(start, Some(ending.elapsed()));
        *self.retired.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        if let Err(failure) = self.reload(service).await {
            self.app.context.log(LogStream::Warn, &failure.message);
        }
        self.ledger.end(&place.name);
        Ok(Some((id, timing)))
    }

    /// Starts the new container beside the old one and proves that it serves; how long it took to start.
    async fn prove_beside(
        &self,
        place: &Place,
        desired: &Desired,
        update: &Update,
    ) -> Result<Option<(String, Duration)>, Failure> {
        let (engine, service) = (&self.app.engine, &place.service);
        self.forgotten(service).await;
        self.app.progress(service, "starting the new one beside the old one");
        let made = roll::make(engine, &self.ledger, place, desired).await;
        let id = made.map_err(|failure| of_service(service, failure))?;
        let began = Instant::now();
        engine.start(&id).await.map_err(|failure| of_service(service, failure))?;
        self.app.progress(service, "waiting until healthy");
        if !self.is_healthy(service, &id).await? {
            return Ok(None);
        }
        let start = began.elapsed();
        let line = format!("{service}: the new {} is healthy beside the old one after {}", place.name, shown(start));
        self.app.context.log(LogStream::Info, &line);
        let joined = roll::join(engine, &self.ledger, &place.name, &id, &desired.spec.networks).await;
        joined.map_err(|failure| of_service(service, failure))?;
        // What it had connected to was cut once: it must have got over that before it is alone.
        tokio::select! {
            again = gate::again(engine, service, &id, self.limit()) => again?,
            () = self.stopped() => return Ok(None),
        }
        self.reload(service).await?;
        self.app.progress(service, "serving beside the old one");
        let watching = gate::watch(engine, service, &id, self.pace.settle.max(update.monitor));
        tokio::select! {
            watched = watching => watched.map(|()| Some((id.clone(), start))),
            () = self.stopped() => Ok(None),
        }
    }

    /// Waits until proxies have forgotten the address of a container that was retired: the engine gives it to the next one
    /// that starts, of whatever service, which would get requests that are not for it.
    pub(super) async fn forgotten(&self, service: &str) {
        while let Some(since) = self.since_retired().filter(|since| *since < self.pace.settle) {
            self.app.progress(service, "waiting until the old address is forgotten");
            tokio::select! {
                () = tokio::time::sleep(self.pace.settle.saturating_sub(since)) => {}
                () = self.stopped() => return,
            }
        }
    }

    fn since_retired(&self) -> Option<Duration> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).map(|retired| retired.elapsed())
    }

    /// How long a gate may take that cannot be left out: nobody hands over to a container that nobody looked at.
    fn limit(&self) -> Duration {
        if self.pace.limit.is_zero() { AWAITED } else { self.pace.limit }
    }

    /// Waits at the gate for a container that is to serve; `false` when another service failed meanwhile.
    async fn is_healthy(&self, service: &str, id: &str) -> Result<bool, Failure> {
        let passed = tokio::select! {
            passed = gate::wait(&self.app.engine, service, id, false, self.limit()) => passed?,
            () = self.stopped() => return Ok(false),
        };
        if passed == Passed::Completed {
            let message = format!("service `{service}` failed its health gate: the new container ended with code 0");
            return Err(self.app.engine.diagnose(id, Failure::new(FailureKind::Check, message)).await);
        }
        Ok(true)
    }

    /// Proves a new version without the place; `false` when another service failed meanwhile.
    pub(super) async fn canary(&self, place: &Place, desired: &Desired) -> Result<bool, Failure> {
        let (engine, service) = (&self.app.engine, &place.service);
        let mut desired = desired.clone();
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).resolve(&mut desired.spec)?;
        self.forgotten(service).await;
        self.app.progress(service, "starting a canary");
        let proved = async {
            let made = roll::make_canary(engine, &self.ledger, place, &desired).await;
            let id = made.map_err(|failure| of_service(service, failure))?;
            let began = Instant::now();
            engine.start(&id).await.map_err(|failure| of_service(service, failure))?;
            self.app.progress(service, "waiting until the canary is healthy");
            Ok(self.is_healthy(service, &id).await?.then(|| began.elapsed()))
        };
        let proved: Result<Option<Duration>, Failure> = proved.await;
        let withdrawn = roll::withdraw(engine, &place.name).await;
        self.ledger.end(&place.name);
        let start = proved.map_err(|failure| {
            failure
                .hint("this was a canary: without the place's ports and names, and without what the old one writes to")
                .hint(format!("container `{}` from before serves as it did", place.name))
        })?;
        withdrawn?;
        let Some(start) = start else { return Ok(false) };
        let line = format!("{service}: the canary of {} was healthy after {}", place.name, shown(start));
        self.app.context.log(LogStream::Info, &line);
        Ok(true)
    }

    /// Gives a place back to its old container, which boots beside the new one.
    pub(super) async fn unroll(&self, place: &Place, present: &Container, previous: &Container) -> Result<(), Failure> {
        let (engine, service) = (&self.app.engine, &place.service);
        let networks = ContainerSpec::from_inspect(previous)?.networks;
        if !previous.is_running() {
            roll::hide(engine, &previous.id, &networks).await?;
            engine.start(&previous.id).await?;
            if !self.is_healthy(service, &previous.id).await? {
                return Ok(());
            }
            roll::join(engine, &self.ledger, &place.name, &previous.id, &networks).await?;
            gate::again(engine, service, &previous.id, self.limit()).await?;
            self.reload(service).await?;
            tokio::time::sleep(self.pace.settle).await;
        }
        engine.rename(&present.id, &format!("{}{NEXT}", place.name)).await?;
        engine.rename(&previous.id, &place.name).await?;
        engine.stop(&present.id, None).await?;
        engine.remove(&present.id, true).await?;
        self.reload(service).await
    }

    /// Makes the proxies look up again who serves.
    async fn reload(&self, service: &str) -> Result<(), Failure> {
        for (proxy, command) in &self.pace.reload.0 {
            if proxy == service {
                continue;
            }
            let of = [format!("{}={}", labels::PROJECT, self.app.name()), format!("{}={proxy}", labels::SERVICE)];
            let found = self.app.engine.containers(&of).await?;
            let serving = found.iter().filter(|found| {
                let one_off = found.labels.get(labels::ONEOFF).is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
                let running = found.state == crate::drivers::docker::ContainerState::Running;
                running && !one_off && !found.name.ends_with(NEXT) && !found.name.ends_with(PREVIOUS)
            });
            for container in serving {
                let mut said = Vec::new();
                let request = ExecRequest { command: command.clone(), limit: Some(RELOAD), ..ExecRequest::default() };
                let mut keep = |_, line: &str| said.push(line.to_owned());
                let finished = self.app.engine.exec(&container.id, &request, None, &mut keep).await?;
                if finished.exit_code != 0 {
                    let message = format!(
                        "service `{service}`: reloading `{proxy}` with `{}` ended with code {}",
                        command.join(" "),
                        finished.exit_code
                    );
                    let failure = Failure::new(FailureKind::Exit, message);
                    return Err(Failure {
                        evidence: vec![Evidence { title: "what it said".into(), text: said.join("\n") }],
                        ..failure
                    });
                }
            }
        }
        Ok(())
    }
}

fn shown(time: Duration) -> String {
    seconds(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
