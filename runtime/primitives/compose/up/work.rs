//! Carrying a plan out: every service as soon as what it waits for is ready, and none after the first failure.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::ledger::Ledger;
use super::place::{Awaited, Place, Plan, Step};
use super::{gate, replace};
use crate::primitive::{Failure, LogStream};
use crate::primitives::compose::app::{App, Existing, NEXT, PREVIOUS};
use crate::primitives::compose::namespaces::Namespaces;

/// What happened at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Nothing.
    Unchanged,
    /// Its container is gone.
    Removed,
    /// Its container was started.
    Started,
    /// Its container was restarted.
    Restarted,
    /// It got its first container.
    Created,
    /// It got another container.
    Recreated,
}

/// A place where everything went well.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// The place as it was planned.
    pub place: Place,
    /// What happened.
    pub action: Action,
    /// The id of the container in it; `None` when there is none any more.
    pub container: Option<String>,
}

/// How far a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Waiting,
    Started,
    Ready,
}

/// What may go on beside the gates: pulling nothing, but stopping, creating and starting.
const HANDLING: Duration = Duration::from_secs(30 * 60);
/// The limit of a gate that somebody depends on, when there is to be none.
const AWAITED: Duration = Duration::from_secs(90);

/// Carries a plan out; `limit` is the time each gate may take, zero for no gate.
pub(super) fn conduct(app: &App<'_>, existing: &Existing, plan: Plan, limit: Duration) -> Result<Vec<Done>, Failure> {
    let total = HANDLING + (limit + AWAITED) * u32::try_from(plan.places.len()).unwrap_or(1);
    let work = Work {
        app,
        limit,
        ledger: Ledger::default(),
        namespaces: Mutex::new(Namespaces::of(existing)),
        stages: plan.places.keys().map(|name| (name.clone(), watch::Sender::new(Stage::Waiting))).collect(),
        stop: watch::Sender::new(false),
        done: Mutex::default(),
        failures: Mutex::default(),
        plan,
    };
    let ended = app.context.wait(&format!("bringing `{}` up", app.name()), total, async {
        for leftover in existing.leftovers.iter().filter(|leftover| leftover.name.ends_with(NEXT)) {
            app.engine.remove(&leftover.id, true).await?;
        }
        join_all(work.plan.places.keys().map(|name| work.service(name))).await;
        Ok(())
    });
    if let Err(failure) = ended {
        return Err(work.interrupted(failure));
    }
    let mut failures = take(&work.failures);
    if failures.is_empty() {
        let mut done = take(&work.done);
        done.sort_by(|a, b| (&a.place.service, a.place.number).cmp(&(&b.place.service, b.place.number)));
        return Ok(done);
    }
    let first = failures.remove(0);
    Err(failures.into_iter().fold(first, |first, other| first.hint(format!("also: {}", other.message))))
}

struct Work<'a> {
    app: &'a App<'a>,
    plan: Plan,
    limit: Duration,
    ledger: Ledger,
    namespaces: Mutex<Namespaces>,
    stages: BTreeMap<String, watch::Sender<Stage>>,
    /// Set by the first failure: what has not begun does not begin, and nobody waits any longer.
    stop: watch::Sender<bool>,
    done: Mutex<Vec<Done>>,
    failures: Mutex<Vec<Failure>>,
}

impl Work<'_> {
    async fn service(&self, name: &str) {
        if let Err(failure) = self.bring_up(name).await {
            self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
            self.stop.send_replace(true);
        }
    }

    async fn bring_up(&self, name: &str) -> Result<(), Failure> {
        for (other, awaited) in self.plan.after.get(name).into_iter().flatten() {
            let stage = if *awaited == Awaited::Ready { Stage::Ready } else { Stage::Started };
            if !self.reached(name, other, stage).await {
                return Ok(());
            }
        }
        for place in self.plan.places.get(name).into_iter().flatten() {
            if *self.stop.borrow() {
                return Ok(());
            }
            let (action, container) = self.step(place).await?;
            if let Some(container) = &container
                && !self.pass(place, container, action).await?
            {
                return Ok(());
            }
            replace::finish(&self.app.engine, &self.ledger, place).await?;
            let done = Done { place: place.clone(), action, container };
            self.done.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        }
        self.reach(name, Stage::Ready);
        Ok(())
    }

    /// Does what the plan says; returns the container that is in the place now.
    async fn step(&self, place: &Place) -> Result<(Action, Option<String>), Failure> {
        let engine = &self.app.engine;
        let (service, present) = (&place.service, place.present.as_ref());
        let id = present.map(|present| present.id.clone());
        if let Some(present) = present.filter(|present| present.name.ends_with(PREVIOUS))
            && !matches!(place.step, Step::Put(_) | Step::Remove)
        {
            engine.rename(&present.id, &place.name).await?;
        }
        match (&place.step, id) {
            (Step::Put(desired), _) => {
                let doing = if present.is_some() { "replacing" } else { "creating" };
                self.app.progress(service, doing);
                let mut desired = desired.clone();
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).resolve(&mut desired.spec)?;
                let created = replace::put(engine, &self.ledger, place, &desired).await;
                let id = created.map_err(|failure| of_service(service, failure))?;
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).set(service, &id);
                let action = if present.is_some() { Action::Recreated } else { Action::Created };
                Ok((action, Some(id)))
            }
            (Step::Reinstate(previous), _) => {
                self.app.progress(service, "putting back");
                let back = replace::reinstate(engine, place, previous).await;
                let id = back.map_err(|failure| of_service(service, failure))?;
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).set(service, &id);
                Ok((Action::Recreated, Some(id)))
            }
            (Step::Start, Some(id)) => {
                self.app.progress(service, "starting");
                engine.start(&id).await.map_err(|failure| of_service(service, failure))?;
                Ok((Action::Started, Some(id)))
            }
            (Step::Restart, Some(id)) => {
                self.app.progress(service, "restarting");
                engine.restart(&id, None).await.map_err(|failure| of_service(service, failure))?;
                Ok((Action::Restarted, Some(id)))
            }
            (Step::Remove, Some(id)) => {
                self.app.progress(service, "removing");
                engine.stop(&id, None).await?;
                engine.remove(&id, false).await?;
                Ok((Action::Removed, None))
            }
            (_, id) => Ok((Action::Unchanged, id)),
        }
    }

    /// Waits at the gate. `false` when another service failed meanwhile, so that nobody waits for this one any more.
    async fn pass(&self, place: &Place, container: &str, action: Action) -> Result<bool, Failure> {
        let settled = action == Action::Unchanged && place.present.as_ref().is_some_and(gate::is_settled);
        let service = &place.service;
        self.reach(service, Stage::Started);
        let awaited = self.plan.after.values().any(|after| after.get(service) == Some(&Awaited::Ready));
        let limit = if self.limit.is_zero() && awaited { AWAITED } else { self.limit };
        let is_job = self.plan.jobs.contains(service);
        let ended = place.present.as_ref().is_some_and(|present| !present.is_running());
        if place.idle || limit.is_zero() || (settled && (!is_job || ended)) {
            return Ok(true);
        }
        self.app.progress(service, if is_job { "waiting until its work is done" } else { "waiting until healthy" });
        let waiting = gate::wait(&self.app.engine, service, container, is_job, limit);
        let passed = tokio::select! {
            passed = waiting => passed,
            () = self.stopped() => {
                self.ledger.end(&place.name);
                return Ok(false);
            }
        };
        match passed {
            Ok(passed) => {
                self.app.context.log(LogStream::Info, &format!("{service}: {} is {}", place.name, passed.word()));
                Ok(true)
            }
            Err(failure) => {
                // It stays as it is, for whoever wants to look; the old one is kept beside it.
                self.ledger.end(&place.name);
                Err(failure)
            }
        }
    }

    fn reach(&self, service: &str, stage: Stage) {
        if let Some(sender) = self.stages.get(service) {
            sender.send_if_modified(|now| {
                let further = *now < stage;
                *now = (*now).max(stage);
                further
            });
        }
    }

    /// Waits until another service is so far; `false` when it never will be.
    async fn reached(&self, service: &str, other: &str, stage: Stage) -> bool {
        let Some(sender) = self.stages.get(other) else { return true };
        let mut stages = sender.subscribe();
        if *stages.borrow() < stage {
            self.app.progress(service, &format!("waiting for {other}"));
        }
        tokio::select! {
            reached = stages.wait_for(|now| *now >= stage) => reached.is_ok(),
            () = self.stopped() => false,
        }
    }

    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as the work.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// The run was told to stop, or the time is over: no place may stay between two containers.
    fn interrupted(&self, failure: Failure) -> Failure {
        let lost = self.app.context.drivers.block_on(self.ledger.settle(&self.app.engine));
        lost.into_iter().fold(failure, |failure, name| {
            failure.hint(format!("container `{name}` could not be put back in time: `up` again sees to it"))
        })
    }
}

fn of_service(service: &str, mut failure: Failure) -> Failure {
    failure.message = format!("service `{service}`: {}", failure.message);
    failure
}

fn take<T>(items: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *items.lock().unwrap_or_else(PoisonError::into_inner))
}
