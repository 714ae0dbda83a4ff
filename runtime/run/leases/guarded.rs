//! Applications that a run changes: one run at a time, whatever its state folder and its machine. The lock lives on
//! the application's engine, is taken before the first change and kept until the run ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::drivers::docker::{Engine, EngineLease, HeldLock, HolderProcess, LockHolder, LockRequest};
use crate::journal::CallRecord;
use crate::primitive::{Call, Cancel, CancelReason, Failure, FailureKind, Guard, LogStream, Primitive, Services, Span};
use crate::run::{Execution, frame};

/// Between two looks at a lock that somebody else holds.
const PAUSE: Duration = Duration::from_secs(1);

/// The applications that a run changes or has changed, by engine and project.
#[derive(Default)]
pub(in crate::run) struct Guarded(Mutex<BTreeMap<(String, String), Arc<Application>>>);

/// One of them.
struct Application {
    engine: String,
    project: String,
    /// Locked for as long as the lock is waited for.
    lock: Mutex<Option<Held>>,
    /// An earlier process of this run has changed it.
    before: AtomicBool,
}

/// Its lock, ours.
#[derive(Clone)]
struct Held {
    engine: Arc<Engine>,
    lease: Arc<EngineLease>,
}

impl Guarded {
    fn of(&self, guard: &Guard) -> Arc<Application> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (engine, project) = (guard.engine.clone(), guard.project.clone());
        let application = all.entry((engine.clone(), project.clone())).or_insert_with(|| {
            let (lock, before) = (Mutex::default(), false.into());
            Arc::new(Application { engine, project, lock, before })
        });
        Arc::clone(application)
    }

    fn all(&self) -> Vec<Arc<Application>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The locks we have. One that is being waited for is not ours yet.
    fn held(&self) -> Vec<Held> {
        self.all().iter().filter_map(|application| application.lock.try_lock().ok()?.clone()).collect()
    }

    /// Do we have this one still? Whoever gives it back takes it from here before it goes from the engine.
    fn has(&self, lease: &Arc<EngineLease>) -> bool {
        self.held().iter().any(|held| Arc::ptr_eq(&held.lease, lease))
    }
}

/// Before a call changes an application: has its lock. A call that takes it by itself is waited for, unless an earlier process
/// has begun to change something.
pub(in crate::run) fn guard(
    run: &Execution,
    primitive: &dyn Primitive,
    call: &Call,
    path: &str,
    here: &frame::Frame,
) -> Result<(), Failure> {
    match guard_of(run, primitive, call, path, here) {
        Some(guard) if !guard.is_late || run.guarded.of(&guard).was_changed() => hold(run, &guard, here),
        _ => Ok(()),
    }
}

/// Do we have the lock of an application?
pub(in crate::run) fn has(run: &Execution, guard: &Guard) -> bool {
    run.guarded.of(guard).lock.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// Takes the lock of an application the first time, and sees that it still is ours from then on.
pub(in crate::run) fn hold(run: &Execution, guard: &Guard, here: &frame::Frame) -> Result<(), Failure> {
    let application = run.guarded.of(guard);
    let mut lock = application.lock.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(held) = &*lock {
        return run.drivers.block_on(held.engine.check_lock(&held.lease)).map_err(|failure| lost(run, failure));
    }
    // A run that is being cancelled still has to know what an earlier process did: it asks, and does not wait.
    let (wait, cancel) = match here.cancel.reason() {
        None => (run.wait, here.cancel.clone()),
        Some(_) => (Duration::ZERO, Cancel::new()),
    };
    match take(run, &application, &here.step, wait, &cancel) {
        Ok(held) => *lock = Some(held),
        // What was begun stays as it is while somebody else changes it.
        Err(failure) if application.was_changed() && !failure.is_passing_through() => {
            return Err(run.stand(failure));
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// Did a call fail because the engine of an application that this run is changing is gone? Then nobody knows what became
/// of the call, and nothing can be undone there: the run stands still until the engine is back.
pub(in crate::run) fn is_cut_off(
    run: &Execution,
    primitive: &dyn Primitive,
    call: &Call,
    path: &str,
    here: &frame::Frame,
) -> bool {
    let Some(application) = changed(run, primitive, call, path, here) else { return false };
    let is_ours = application.lock.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    (is_ours || application.was_changed())
        && run.drivers.docker(application.address()).is_ok_and(|engine| !run.drivers.block_on(engine.answers()))
}

/// Notes that an earlier process of this run changed an application, and may still have its lock.
pub(in crate::run) fn was_guarded(
    run: &Execution,
    primitive: &dyn Primitive,
    call: &Call,
    record: &CallRecord,
    here: &frame::Frame,
) {
    if let Some(application) = changed(run, primitive, call, &record.path, here) {
        application.before.store(true, Ordering::Relaxed);
    }
}

/// Says how far the run is, on all locks. A lock that was lost brings the run to a stand; one that the run gave back
/// meanwhile was not lost.
pub(super) async fn renew_all(run: &Execution) {
    for held in run.guarded.held() {
        if let Err(failure) = held.engine.renew_lock(&held.lease).await
            && failure.kind == FailureKind::Conflict
            && run.guarded.has(&held.lease)
        {
            lost(run, failure);
        }
    }
}

/// Notes the step that began, for whoever finds a lock taken.
pub(super) fn note_step(run: &Execution, step: &str) {
    for held in run.guarded.held() {
        held.lease.note_step(step);
        run.drivers.spawn(async move {
            let _ = held.engine.show_step(&held.lease).await;
        });
    }
}

/// The run waits for a person: nobody else changes its applications meanwhile.
pub(in crate::run) fn park_all(run: &Execution) {
    for application in run.guarded.all() {
        let mut lock = application.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let held = match lock.take() {
            Some(held) => Ok(held),
            None if application.was_changed() => take(run, &application, "", Duration::ZERO, &Cancel::new()),
            None => continue,
        };
        let parked = held.and_then(|held| run.drivers.block_on(held.engine.park_lock(&held.lease)));
        if let Err(failure) = parked {
            let line = format!("`{}` can be changed by others while this run waits: {failure}", application.project);
            run.log("", LogStream::Warn, &line);
        }
    }
}

/// Gives back all locks of the run, those of its earlier processes included.
pub(super) fn release_all(run: &Execution) {
    for application in run.guarded.all() {
        let held = application.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let released = match held {
            Some(held) => run.drivers.block_on(held.engine.release_lock(&held.lease)),
            None if !application.was_changed() => continue,
            None => run
                .drivers
                .docker(application.address())
                .and_then(|engine| run.drivers.block_on(engine.release_lock_of(&run.facts.uid, &application.project))),
        };
        // A lock that stays behind belongs to a dead run from now on, and the next one takes it over.
        drop(released);
    }
}

/// The application that this call changes.
fn changed(
    run: &Execution,
    primitive: &dyn Primitive,
    call: &Call,
    path: &str,
    here: &frame::Frame,
) -> Option<Arc<Application>> {
    guard_of(run, primitive, call, path, here).map(|guard| run.guarded.of(&guard))
}

fn guard_of(run: &Execution, primitive: &dyn Primitive, call: &Call, path: &str, here: &frame::Frame) -> Option<Guard> {
    primitive.guards(&run.context(path, here, None), call)
}

/// Takes the lock of an application, or says who has it.
fn take(
    run: &Execution,
    application: &Application,
    step: &str,
    wait: Duration,
    cancel: &Cancel,
) -> Result<Held, Failure> {
    let engine = run.drivers.docker(application.address())?;
    let me = LockHolder {
        owner: run.facts.started_by.clone(),
        project: run.project.root().display().to_string(),
        run: run.facts.id,
        run_uid: run.facts.uid.clone(),
        process: HolderProcess::current(),
    };
    let mut request = LockRequest::new(&application.project, me);
    let began = Instant::now();
    let mut said = false;
    loop {
        let tried = until_cancelled(run, cancel, engine.acquire_lock(&mut request, step))??;
        let holder = match tried {
            Ok(lease) => return Ok(Held { engine, lease: Arc::new(lease) }),
            Err(holder) => holder,
        };
        if began.elapsed() >= wait {
            return Err(taken(&holder, engine.address(), wait));
        }
        if !said {
            let line = format!("waiting for `{}`: held by {}", holder.name, who(&holder));
            run.log("", LogStream::Info, &line);
            said = true;
        }
        let pause = PAUSE.min(wait.saturating_sub(began.elapsed()));
        until_cancelled(run, cancel, async { tokio::time::sleep(pause).await })?;
    }
}

fn until_cancelled<T>(run: &Execution, cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, Failure> {
    run.drivers.block_on(async {
        tokio::select! {
            biased;
            () = cancel.requested() => Err(cancel.reason().unwrap_or(CancelReason::Person).into()),
            done = work => Ok(done),
        }
    })
}

/// Somebody else may change the application now: whatever is going on ends, and nothing is undone.
fn lost(run: &Execution, failure: Failure) -> Failure {
    if failure.kind != FailureKind::Conflict {
        return failure;
    }
    let halted = run.stand(failure);
    run.cancel.cancel(CancelReason::LockLost);
    halted
}

impl Application {
    fn was_changed(&self) -> bool {
        self.before.load(Ordering::Relaxed)
    }

    /// `None` is the engine that is meant when none is named.
    fn address(&self) -> Option<&str> {
        Some(&*self.engine).filter(|engine| !engine.is_empty())
    }
}

/// ``run 12 of ann@laptop since 17:04:10, now at step `migrate` ``
fn who(holder: &HeldLock) -> String {
    let zone = jiff::tz::TimeZone::system();
    let since = holder.since.to_zoned(zone.clone());
    let today = since.date() == jiff::Timestamp::now().to_zoned(zone).date();
    let since = since.strftime(if today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" });
    let at = match (holder.parked, holder.step.as_str()) {
        (true, _) => ", and waits for a person".to_owned(),
        (false, "") => String::new(),
        (false, step) => format!(", now at step `{step}`"),
    };
    format!("run {} of {} since {since}{at}", holder.holder.run, holder.holder.owner)
}

fn taken(holder: &HeldLock, engine: &str, wait: Duration) -> Failure {
    let waited = if wait.is_zero() { String::new() } else { format!(" (waited {})", Span(wait)) };
    let message = format!("`{}` is locked on its engine by {}{waited}", holder.name, who(holder));
    let run = holder.holder.run;
    let look = format!("look at it with `runbook show {run}` in {}", holder.holder.project);
    let failure = Failure { nothing_begun: true, ..Failure::new(FailureKind::Conflict, message).hint(look) };
    let remove = format!("docker -H {engine} rm {}", holder.container);
    if holder.parked {
        return failure.hint(format!("it goes on or ends when somebody decides; if nobody ever will: {remove}"));
    }
    failure.hint(format!("wait for it with `runbook run --wait 10m`; if run {run} is gone for good: {remove}"))
}
