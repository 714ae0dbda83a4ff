//! Carrying a plan out: every service as soon as what it waits for is ready, and none after the first failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;

use super::intent::Intent;
use super::ledger::Ledger;
use super::manner::{self, Commands, Manner, Update};
use super::place::{Action, Awaited, Place, Plan, Step};
use super::{Options, gate, replace, roll};
use crate::primitive::{Failure, LogStream};
use crate::primitives::compose::app::{App, Existing, NEXT, PREVIOUS};
use crate::primitives::compose::namespaces::Namespaces;
use crate::primitives::compose::release::Timing;

/// A place where everything went well.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// The place as it was planned.
    pub place: Place,
    /// What happened.
    pub action: Action,
    /// The id of the container in it; `None` when there is none any more.
    pub container: Option<String>,
    /// How long its change took, where a container was started.
    pub timing: Option<Timing>,
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
pub(super) const AWAITED: Duration = Duration::from_secs(90);

/// How a plan is carried out.
#[derive(Clone, Copy)]
pub(super) struct Pace<'a> {
    /// The time each gate may take, zero for no gate.
    pub limit: Duration,
    /// How long two containers serve beside each other before the old one stops.
    pub settle: Duration,
    /// What makes proxies look their upstreams up again.
    pub reload: &'a Commands,
}

impl<'a> Pace<'a> {
    /// As the options of `up` say.
    pub fn of(options: &'a Options) -> Self {
        Self { limit: options.wait.0, settle: options.settle.0, reload: &options.reload }
    }
}

/// Carries a plan out. `before` is what an earlier process began of the same call.
pub(super) fn conduct(
    app: &App<'_>,
    existing: &Existing,
    plan: Plan,
    pace: Pace<'_>,
    before: &Intent,
) -> Result<Vec<Done>, Failure> {
    let total =
        HANDLING + plan.places.iter().map(|(name, places)| patience(&plan, pace, name, places)).sum::<Duration>();
    let work = Work {
        app,
        before,
        pace,
        ledger: Ledger::default(),
        namespaces: Mutex::new(Namespaces::of(existing)),
        stages: plan.places.keys().map(|name| (name.clone(), watch::Sender::new(Stage::Waiting))).collect(),
        stop: watch::Sender::new(false),
        done: Mutex::default(),
        retired: Mutex::default(),
        failures: Mutex::default(),
        leftovers: existing.leftovers.iter().map(|leftover| leftover.name.clone()).collect(),
        plan,
    };
    let ended = app.context.wait(&format!("bringing `{}` up", app.name()), total, async {
        for leftover in existing.leftovers.iter().filter(|leftover| leftover.name.ends_with(NEXT)) {
            roll::withdraw(&app.engine, leftover.name.trim_end_matches(NEXT)).await?;
        }
        join_all(work.plan.places.keys().map(|name| work.service(name))).await;
        work.forgotten(app.name()).await;
        Ok(())
    });
    if let Err(failure) = ended {
        return Err(work.interrupted(failure));
    }
    let mut failures = take(&work.failures);
    if failures.is_empty() {
        let mut done = before.complete(take(&work.done));
        done.sort_by(|a, b| (&a.place.service, a.place.number).cmp(&(&b.place.service, b.place.number)));
        return Ok(done);
    }
    let first = failures.remove(0);
    Err(failures.into_iter().fold(first, |first, other| first.hint(format!("also: {}", other.message))))
}

/// How long a service may take at most.
fn patience(plan: &Plan, pace: Pace<'_>, name: &str, places: &[Place]) -> Duration {
    let update = plan.updates.get(name).cloned().unwrap_or_default();
    let each = 2 * (pace.limit.max(AWAITED) + pace.settle + update.monitor + update.delay);
    pace.limit + AWAITED + each * u32::try_from(places.iter().filter(|place| place.is_replaced()).count()).unwrap_or(1)
}

pub(super) struct Work<'a> {
    pub(super) app: &'a App<'a>,
    pub(super) before: &'a Intent,
    pub(super) plan: Plan,
    pub(super) pace: Pace<'a>,
    pub(super) ledger: Ledger,
    pub(super) namespaces: Mutex<Namespaces>,
    stages: BTreeMap<String, watch::Sender<Stage>>,
    /// Set by the first failure: what has not begun does not begin, and nobody waits any longer.
    pub(super) stop: watch::Sender<bool>,
    pub(super) done: Mutex<Vec<Done>>,
    /// When a container was retired last that proxies may still know.
    pub(super) retired: Mutex<Option<Instant>>,
    failures: Mutex<Vec<Failure>>,
    /// The names of containers that an interrupted replacement left.
    leftovers: BTreeSet<String>,
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
        if self.in_batches(name).await? {
            self.reach(name, Stage::Ready);
        }
        Ok(())
    }

    /// Brings a place to what the plan says and proves it. `false` when another service failed meanwhile, so that it was
    /// given up.
    pub(super) async fn place(&self, place: &Place, update: &Update) -> Result<bool, Failure> {
        let began = Instant::now();
        let (action, container, timing) = if let (Step::Put(desired), Manner::StartFirst) = (&place.step, place.manner)
        {
            let Some((id, timing)) = self.roll(place, desired, update).await? else { return Ok(false) };
            self.reach(&place.service, Stage::Started);
            (Action::Recreated, Some(id), Some(timing))
        } else {
            if let (Step::Put(desired), Manner::Canary) = (&place.step, place.manner)
                && !self.canary(place, desired).await?
            {
                return Ok(false);
            }
            let Some(exchanged) = self.exchange(place, update, began).await? else { return Ok(false) };
            exchanged
        };
        let done = Done { place: place.clone(), action, container, timing };
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        Ok(true)
    }

    /// What is in a place has proved itself: what was in it before goes. Where nothing was done and nothing left, there is
    /// none.
    pub(super) async fn finish(&self, place: &Place) -> Result<(), Failure> {
        let untouched = matches!(place.step, Step::Keep) && self.before.of(&place.name).is_none();
        if untouched && !self.leftovers.contains(&format!("{}{PREVIOUS}", place.name)) {
            self.ledger.end(&place.name);
            return Ok(());
        }
        replace::finish(&self.app.engine, &self.ledger, place).await
    }

    /// Stop-first, and everything that replaces nothing. `None` when it was given up.
    async fn exchange(
        &self,
        place: &Place,
        update: &Update,
        mut began: Instant,
    ) -> Result<Option<(Action, Option<String>, Option<Timing>)>, Failure> {
        let (action, container, stop) = self.step(place, &mut began).await?;
        let mut timing = None;
        if let Some(container) = &container {
            if !self.pass(place, container, action).await? {
                return Ok(None);
            }
            let starts = matches!(action, Action::Created | Action::Recreated);
            timing = (starts && self.serves(place)).then(|| Timing::new(began.elapsed(), stop));
            // A process that died while it watched proved nothing.
            let is_new = action == Action::Recreated || self.before.replaced(&place.name);
            if is_new
                && !update.monitor.is_zero()
                && self.serves(place)
                && !self.proved(place, container, update).await?
            {
                return Ok(None);
            }
        }
        if let (Some(timing), Manner::Canary) = (&timing, place.manner) {
            let away = manner::seconds(timing.start + timing.stop.unwrap_or_default());
            let line = format!("{}: {} did not answer for about {away}", place.service, place.name);
            self.app.context.log(LogStream::Info, &line);
        }
        Ok(Some((action, container, timing)))
    }

    /// Watches what passed its gate; `false` when another service failed meanwhile.
    async fn proved(&self, place: &Place, container: &str, update: &Update) -> Result<bool, Failure> {
        self.app.progress(&place.service, "watching the new one");
        let watching = gate::watch(&self.app.engine, &place.service, container, update.monitor);
        let watched = tokio::select! {
            watched = watching => watched.map(|()| true),
            () = self.stopped() => Ok(false),
        };
        if !matches!(watched, Ok(true)) {
            // As at the gate: it stays as it is, and the old one is kept beside it.
            self.ledger.end(&place.name);
        }
        watched
    }

    /// Is it there to go on, and not to do some work and end?
    fn serves(&self, place: &Place) -> bool {
        !place.idle && !self.plan.jobs.contains(&place.service)
    }

    /// Does what the plan says; returns the container that is in the place now, and how long the old one took to stop.
    /// `began` becomes the time at which the new one was started.
    async fn step(
        &self,
        place: &Place,
        began: &mut Instant,
    ) -> Result<(Action, Option<String>, Option<Duration>), Failure> {
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
                self.forgotten(service).await;
                let doing = if present.is_some() { "replacing" } else { "creating" };
                self.app.progress(service, doing);
                let mut desired = desired.clone();
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).resolve(&mut desired.spec)?;
                let created = replace::put(engine, &self.ledger, place, &desired).await;
                let put = created.map_err(|failure| of_service(service, failure))?;
                let id = put.id;
                *began = put.started;
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).set(service, &id);
                let action = if present.is_some() { Action::Recreated } else { Action::Created };
                Ok((action, Some(id), put.stop))
            }
            (Step::Reinstate(previous), _) => {
                self.app.progress(service, "putting back");
                let back = replace::reinstate(engine, place, previous).await;
                let id = back.map_err(|failure| of_service(service, failure))?;
                self.namespaces.lock().unwrap_or_else(PoisonError::into_inner).set(service, &id);
                Ok((Action::Recreated, Some(id), None))
            }
            (Step::Start, Some(id)) => {
                self.app.progress(service, "starting");
                engine.start(&id).await.map_err(|failure| of_service(service, failure))?;
                Ok((Action::Started, Some(id), None))
            }
            (Step::Restart, Some(id)) => {
                self.app.progress(service, "restarting");
                engine.restart(&id, None).await.map_err(|failure| of_service(service, failure))?;
                Ok((Action::Restarted, Some(id), None))
            }
            (Step::Remove, Some(id)) => {
                self.app.progress(service, "removing");
                engine.stop(&id, None).await?;
                engine.remove(&id, false).await?;
                Ok((Action::Removed, None, None))
            }
            (_, id) => Ok((Action::Unchanged, id, None)),
        }
    }

    /// Waits at the gate. `false` when another service failed meanwhile, so that nobody waits for this one any more.
    async fn pass(&self, place: &Place, container: &str, action: Action) -> Result<bool, Failure> {
        // What was put there a moment ago has not proved itself, whoever put it there.
        let fresh = action != Action::Unchanged || self.before.of(&place.name).is_some();
        let settled = !fresh && place.present.as_ref().is_some_and(gate::is_settled);
        let service = &place.service;
        self.reach(service, Stage::Started);
        let awaited = self.plan.after.values().any(|after| after.get(service) == Some(&Awaited::Ready));
        let limit = if self.pace.limit.is_zero() && awaited { AWAITED } else { self.pace.limit };
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

    pub(super) async fn stopped(&self) {
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

pub(super) fn of_service(service: &str, mut failure: Failure) -> Failure {
    failure.message = format!("service `{service}`: {}", failure.message);
    failure
}

fn take<T>(items: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *items.lock().unwrap_or_else(PoisonError::into_inner))
}
