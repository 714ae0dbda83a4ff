//! Locks held by a run: taken, kept up to date, given back.

mod guarded;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(super) use guarded::{Guarded, guard, has, hold, is_cut_off, park_all, was_guarded};

use super::{Execution, frame};
use crate::primitive::{Cancel, Failure, FailureKind, Lease, LeaseRequest, LogStream, Services, Span};

/// How often a holder says where it is.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Takes the lock that the runbook's header names, before the script begins.
pub(super) fn acquire_for_run(run: &Execution) -> Result<(), Failure> {
    let Some(request) = &run.lock else { return Ok(()) };
    let said = std::sync::Once::new();
    acquire(run, request, &run.cancel, &|holder| {
        said.call_once(|| {
            let line = format!("waiting for `{}`: held by run {} of {}", holder.name, holder.run, holder.owner);
            run.log("", LogStream::Info, &line);
        });
    })
    .map(drop)
}

/// Takes a lock, or says who has it.
pub(super) fn acquire(
    run: &Execution,
    request: &LeaseRequest,
    cancel: &Cancel,
    waiting: &dyn Fn(&Lease),
) -> Result<Lease, Failure> {
    let step = frame::current().map(|here| here.step.clone()).unwrap_or_default();
    if run.only_replays {
        let (name, owner) = (request.name.clone(), run.facts.started_by.clone());
        return Ok(Lease { name, run: run.facts.id, owner, step, since: jiff::Timestamp::now(), fence: 0 });
    }
    let began = Instant::now();
    loop {
        let holder = match run.journal.acquire(run.facts.id, &run.facts.started_by, request, &step)? {
            Ok(lease) => {
                if let Ok(mut held) = run.leases.lock() {
                    held.push(lease.clone());
                }
                return Ok(lease);
            }
            Err(holder) => holder,
        };
        if began.elapsed() >= request.wait {
            return Err(taken(&holder, request));
        }
        waiting(&holder);
        let pause = Duration::from_secs(1).min(request.wait.saturating_sub(began.elapsed()));
        let asked_to_stop =
            run.drivers.block_on(async { tokio::time::timeout(pause, cancel.requested()).await.is_ok() });
        if let Some(reason) = cancel.reason().filter(|_| asked_to_stop) {
            // A lock that the run had before it died is in the way of everything, of its cancellation too.
            let had_it = frame::current().is_some_and(|here| here.past == frame::Past::Ended);
            return Err(if had_it { taken(&holder, request) } else { reason.into() });
        }
    }
}

/// The lock as a plan takes it: not at all.
pub(super) fn imagined(run: &Execution, request: &LeaseRequest) -> Lease {
    Lease {
        name: request.name.clone(),
        run: run.facts.id,
        owner: run.facts.started_by.clone(),
        step: String::new(),
        since: run.facts.started_at,
        fence: 0,
    }
}

pub(super) fn release(run: &Execution, lease: &Lease) -> Result<(), Failure> {
    if let Ok(mut held) = run.leases.lock() {
        held.retain(|other| other.name != lease.name);
    }
    run.journal.release_lease(lease)
}

/// Gives back everything the run still holds.
pub(super) fn release_all(run: &Execution) {
    let held = run.leases.lock().map(|mut held| std::mem::take(&mut *held)).unwrap_or_default();
    for lease in held {
        // A lock that stays behind belongs to a dead run from now on, and the next one takes it over.
        let _ = run.journal.release_lease(&lease);
    }
    guarded::release_all(run);
}

/// Says every few seconds that the holder is alive, and at which step.
pub(super) fn keep_alive(run: &Arc<Execution>) {
    let run = Arc::downgrade(run);
    let Some(strong) = run.upgrade() else { return };
    strong.drivers.spawn(async move {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let Some(run) = run.upgrade().filter(|run| !run.ended.load(Ordering::Relaxed)) else { return };
            let held = run.leases.lock().map(|held| held.clone()).unwrap_or_default();
            for lease in held {
                let _ = run.journal.renew(&lease, &lease.step);
            }
            guarded::renew_all(&run).await;
        }
    });
}

/// Notes the step that began, for whoever finds the lock taken.
pub(super) fn note_step(run: &Execution, step: &str) {
    guarded::note_step(run, step);
    let Ok(mut held) = run.leases.lock() else { return };
    for lease in held.iter_mut() {
        step.clone_into(&mut lease.step);
        let _ = run.journal.renew(lease, step);
    }
}

fn taken(holder: &Lease, request: &LeaseRequest) -> Failure {
    let since = holder.since.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S");
    let at = if holder.step.is_empty() { String::new() } else { format!(", now at step `{}`", holder.step) };
    let waited = if request.wait.is_zero() { String::new() } else { format!(" (waited {})", Span(request.wait)) };
    Failure::new(
        FailureKind::Conflict,
        format!("`{}` is locked by run {} of {} since {since}{at}{waited}", holder.name, holder.run, holder.owner),
    )
    .hint(format!("look at it with `runbook show {}`", holder.run))
    .hint("wait for it with `lock(…, #{ wait: \"10m\" })` or `runbook run --wait 10m`")
}
