//! Putting a new container in the place of another one, so that there always is a way back.
//!
//! The new container is made under another name while the old one still serves: a missing image or a full disk costs
//! nothing. Only then the old one stops and hands over its name, and it is kept until the new one has proved itself.
//! When the new one cannot even be started the old one is back at once.

use std::time::{Duration, Instant};

use super::ledger::{self, InFlight, Ledger, Phase};
use super::place::Place;
use super::roll;
use crate::drivers::docker::{Container, ContainerSpec, Engine, Mount};
use crate::primitive::Failure;
use crate::primitives::compose::app::{NEXT, PREVIOUS};
use crate::primitives::compose::desired::Desired;
use crate::primitives::compose::files;

/// A container that was put in a place.
pub(super) struct Put {
    /// Its id.
    pub id: String,
    /// When it was started.
    pub started: Instant,
    /// How long the old one took to stop.
    pub stop: Option<Duration>,
}

/// Puts a new container in a place and starts it. The old one is kept until [`finish`].
pub(super) async fn put(engine: &Engine, ledger: &Ledger, place: &Place, desired: &Desired) -> Result<Put, Failure> {
    let old = place.present.as_ref();
    ledger.begin(&place.name, old);
    let result = exchange(engine, ledger, place, desired).await;
    let Err((phase, failure)) = result else { return result.map_err(|(_, failure)| failure) };
    let old = old.map(|old| (old.id.clone(), old.name.clone(), old.is_running()));
    let served = old.as_ref().is_some_and(|(_, _, ran)| *ran);
    let put_back = ledger::put_back(engine, &InFlight { name: place.name.clone(), old, phase }).await;
    ledger.end(&place.name);
    Err(match put_back {
        Ok(()) if served => failure.hint(format!("container `{}` from before serves as it did", place.name)),
        Ok(()) => failure,
        Err(problem) => failure.hint(format!("putting container `{}` back failed as well: {problem}", place.name)),
    })
}

/// The new container has proved itself: the old one goes.
pub(super) async fn finish(engine: &Engine, ledger: &Ledger, place: &Place) -> Result<(), Failure> {
    ledger.end(&place.name);
    // After a crash in the middle of a change it may still run.
    roll::end(engine, &format!("{}{PREVIOUS}", place.name)).await
}

/// Gives a place back to the container that was in it before, with everything it wrote.
pub(super) async fn reinstate(engine: &Engine, place: &Place, previous: &Container) -> Result<String, Failure> {
    if let Some(present) = &place.present {
        engine.stop(&present.id, None).await?;
        engine.remove(&present.id, false).await?;
    }
    engine.rename(&previous.id, &place.name).await?;
    if !place.idle {
        engine.start(&previous.id).await?;
    }
    Ok(previous.id.clone())
}

async fn exchange(engine: &Engine, ledger: &Ledger, place: &Place, desired: &Desired) -> Result<Put, (Phase, Failure)> {
    let preparing = |failure| (Phase::Preparing, failure);
    let (next, previous) = (format!("{}{NEXT}", place.name), format!("{}{PREVIOUS}", place.name));
    engine.remove(&next, true).await.map_err(preparing)?;
    let mut spec = ContainerSpec { name: next.clone(), ..desired.spec.clone() };
    if let Some(old) = &place.present {
        carry_over(&mut spec, old, &place.image.volumes);
    }
    let id = engine.create(&spec).await.map_err(preparing)?;
    files::put(engine, &id, &desired.inject).await.map_err(preparing)?;
    // From here on nobody serves for a while: what can be known before is looked for before.
    let is_kept = engine.find(&previous).await.map_err(preparing)?.is_some();

    let stopping = |failure| (Phase::Stopping, failure);
    let began = Instant::now();
    if let Some(old) = &place.present {
        ledger.phase(&place.name, Phase::Stopping);
        engine.stop(&old.id, None).await.map_err(stopping)?;
        if old.name != previous {
            if is_kept {
                engine.remove(&previous, false).await.map_err(stopping)?;
            }
            engine.rename(&old.id, &previous).await.map_err(stopping)?;
        }
    }
    ledger.phase(&place.name, Phase::Proving);
    let proving = |failure| (Phase::Proving, failure);
    engine.rename(&id, &place.name).await.map_err(proving)?;
    let started = Instant::now();
    let stop = place.present.as_ref().map(|_| started.duration_since(began));
    if !place.idle {
        engine.start_at_rest(&id, &place.name).await.map_err(proving)?;
    }
    Ok(Put { id, started, stop })
}

/// Anonymous volumes hold data too: the new container gets those of the old one, at the same places.
fn carry_over(spec: &mut ContainerSpec, old: &Container, image_volumes: &[String]) {
    for mounted in old.mounts.iter().filter(|mounted| mounted.is_anonymous()) {
        let taken = bound(spec, &mounted.target);
        match spec.mounts.iter_mut().find(|mount| mount.target == mounted.target) {
            Some(mount) if mount.source.is_empty() => mounted.name.clone_into(&mut mount.source),
            None if image_volumes.contains(&mounted.target) && !taken => {
                let (source, target) = (mounted.name.clone(), mounted.target.clone());
                spec.mounts.push(Mount { source, target, ..Mount::default() });
            }
            _ => {}
        }
    }
}

fn bound(spec: &ContainerSpec, target: &str) -> bool {
    spec.binds.iter().any(|bind| bind.split(':').nth(1) == Some(target)) || spec.tmpfs.contains_key(target)
}
