//! The containers of a service, so many at a time, and what becomes of them when one fails.

use std::sync::PoisonError;

use futures_util::future::join_all;

use super::manner::{Manner, OnFailure, Update};
use super::place::{Action, Place};
use super::work::{Done, Work};
use super::{replace, roll};
use crate::primitive::{Failure, LogStream, Span};
use crate::primitives::compose::app::PREVIOUS;

/// A place that failed, and how.
type Failed<'p> = (&'p Place, Failure);

impl Work<'_> {
    /// Brings the places of a service to what the plan says. `false` when another service failed meanwhile.
    pub(super) async fn in_batches(&self, name: &str) -> Result<bool, Failure> {
        let places = self.plan.places.get(name).map(Vec::as_slice).unwrap_or_default();
        let update = self.plan.updates.get(name).cloned().unwrap_or_default();
        let replaced = places.iter().filter(|place| place.is_replaced()).count();
        let (mut failed, mut before): (Vec<Failed<'_>>, bool) = (Vec::new(), false);
        for batch in batches(places, &update) {
            if *self.stop.borrow() || (before && !self.pause(name, &update, batch).await) {
                return Ok(false);
            }
            before |= batch.iter().any(Place::is_replaced);
            let results = join_all(batch.iter().map(|place| self.place(place, &update))).await;
            for (place, result) in batch.iter().zip(results) {
                match result {
                    Ok(true) if update.on_failure == OnFailure::Rollback => {}
                    Ok(true) => self.finish(place).await?,
                    Ok(false) => return Ok(false),
                    Err(failure) => failed.push((place, failure)),
                }
            }
            let goes_on = update.on_failure == OnFailure::Continue || is_tolerated(failed.len(), replaced, &update);
            if !failed.is_empty() && !goes_on {
                break;
            }
        }
        self.concluded(places, failed, replaced, &update).await
    }

    async fn concluded(
        &self,
        places: &[Place],
        mut failed: Vec<Failed<'_>>,
        replaced: usize,
        update: &Update,
    ) -> Result<bool, Failure> {
        let tolerated = is_tolerated(failed.len(), replaced, update);
        let mut returned = Vec::new();
        if update.on_failure != OnFailure::Pause || tolerated {
            for (place, _) in &failed {
                returned.extend(self.give_back(place).await?.then(|| place.name.clone()));
            }
        }
        if failed.is_empty() || tolerated {
            for (place, failure) in &failed {
                let line = format!("{}: {failure}: within `max_failure_ratio`, so it goes on", place.name);
                self.app.context.log(LogStream::Warn, &line);
            }
            if update.on_failure == OnFailure::Rollback {
                for place in places.iter().filter(|place| !failed.iter().any(|(other, _)| other.name == place.name)) {
                    self.finish(place).await?;
                }
            }
            return Ok(true);
        }
        if update.on_failure == OnFailure::Rollback {
            match self.roll_back(places).await {
                Ok(names) => returned.extend(names),
                Err(problem) => {
                    let (_, failure) = failed.remove(0);
                    return Err(failure.hint(format!("putting the old containers back failed as well: {problem}")));
                }
            }
        }
        let mut all = failed.into_iter().map(|(_, failure)| failure);
        let Some(first) = all.next() else { return Ok(true) };
        let failure = all.fold(first, |first, other| first.hint(format!("also: {}", other.message)));
        if returned.is_empty() {
            return Err(failure);
        }
        returned.sort();
        let serve = if returned.len() == 1 { "serves" } else { "serve" };
        Err(failure.hint(format!(
            "`failure_action: {}`: {} {serve} as before",
            update.on_failure.word(),
            returned.join(", ")
        )))
    }

    /// Gives the old containers of a service their places back; returns the names of the places.
    async fn roll_back(&self, places: &[Place]) -> Result<Vec<String>, Failure> {
        let taken: Vec<String> = {
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            let is_new = |done: &&Done| done.action == Action::Recreated || self.before.replaced(&done.place.name);
            done.iter().filter(is_new).map(|done| done.place.name.clone()).collect()
        };
        let mut back = Vec::new();
        for place in places.iter().filter(|place| taken.contains(&place.name)) {
            back.extend(self.give_back(place).await?.then(|| place.name.clone()));
        }
        Ok(back)
    }

    /// Gives a place back to the container that was in it; `false` when that is not kept any more, or never left it.
    async fn give_back(&self, place: &Place) -> Result<bool, Failure> {
        let engine = &self.app.engine;
        let Some(previous) = engine.find(&format!("{}{PREVIOUS}", place.name)).await? else { return Ok(false) };
        self.app.progress(&place.service, "putting the old one back");
        let present = engine.find(&place.name).await?;
        match &present {
            Some(present) if place.manner == Manner::StartFirst => self.unroll(place, present, &previous).await?,
            _ => {
                let place = Place { present, ..place.clone() };
                replace::reinstate(engine, &place, &previous).await?;
            }
        }
        roll::withdraw(engine, &place.name).await?;
        self.ledger.end(&place.name);
        self.app.context.log(LogStream::Info, &format!("{}: {} is back", place.service, place.name));
        Ok(true)
    }

    /// The pause between two batches; `false` when another service failed meanwhile.
    async fn pause(&self, name: &str, update: &Update, batch: &[Place]) -> bool {
        if update.delay.is_zero() || !batch.iter().any(Place::is_replaced) {
            return true;
        }
        self.app.progress(name, &format!("waiting {} before the next", Span(update.delay)));
        tokio::select! {
            () = tokio::time::sleep(update.delay) => true,
            () = self.stopped() => false,
        }
    }
}

/// Neighbours that are replaced together, and each other place by itself.
fn batches<'p>(places: &'p [Place], update: &Update) -> Vec<&'p [Place]> {
    let at_once = if update.parallelism == 0 { usize::MAX } else { update.parallelism };
    let mut batches = Vec::new();
    for run in places.chunk_by(|a, b| a.is_replaced() && b.is_replaced()) {
        batches.extend(run.chunks(at_once));
    }
    batches
}

fn is_tolerated(failed: usize, replaced: usize, update: &Update) -> bool {
    #[allow(clippy::cast_precision_loss)] // numbers of containers
    let share = failed as f64 / replaced.max(1) as f64;
    failed > 0 && share <= update.tolerated
}
