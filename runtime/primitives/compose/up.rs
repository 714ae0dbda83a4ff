//! `compose.up`: makes the engine run what the files say, or what a release recorded.
//!
//! First everything is decided and checked (`plan`, `back`, `ports`), then networks and volumes are made (`resources`), then
//! each container is put in its place (`work`, `batch`) and must pass its gate (`gate`), stop-first (`replace`) or beside
//! the old one (`rolling`, `roll`), as `manner` decided. Whatever interrupts this leaves each place with the container it
//! had or with one that proved itself (`ledger`).

mod back;
mod batch;
pub(super) mod gate;
mod intent;
mod ledger;
mod manner;
mod place;
mod plan;
mod ports;
mod replace;
mod report;
mod resources;
mod rest;
mod roll;
mod rolling;
mod sight;
mod work;

use std::time::Duration;

use serde_json::Value;

use intent::Intent;
use manner::{Commands, Order};
use place::Plan;
use resources::There;
use sight::Sight;
use work::Pace;

use super::app::{App, Existing};
use super::descriptor::Descriptor;
use super::images::{self, Images};
use super::logins::{LoginOption, Logins};
use super::release::Snapshot;
use super::{desired, is_written_before, needs, release, touches, vague};
use crate::compose::labels::Instance;
use crate::compose::{Application, Service};
use crate::primitive::{
    Arg, ByteSize, Call, Change, Context, Effect, Failure, Guard, Need, Outcome, Prediction, Primitive, Recovery, Sink,
    Span, Spec, Touches, Ty,
};

/// Brings an application up.
pub(super) struct Up;

crate::options! {
    /// Options of `compose.up`.
    pub struct Options {
        /// Only these services and what they depend on.
        services: Vec<String>,
        /// How long each service may take until it is healthy. Without a health check it must run for 2 s without a restart;
        /// one that ends with code 0 and is not restarted has done its work. `"0s"` does not wait.
        wait: Span = Span::seconds(90),
        /// Replace every container, even those that are as they should be.
        force_recreate: bool = false,
        /// Remove containers of services that the files no longer have. Without it they are only reported.
        remove_orphans: bool = false,
        /// How a container is replaced, instead of what the services' `update_config` says. `"stop-first"`: the new one is
        /// made, the old one stopped, the new one started. `"start-first"`: the new one starts beside the old one, which
        /// stops when the new one has taken over.
        order: Option<Order>,
        /// Start-first: how long both serve before the old one stops. Proxies must have looked up the new one by then.
        settle: Span = Span::seconds(3),
        /// Start-first: commands that make proxies look up again who serves, by service; they are run in its containers
        /// when the new one has joined and when the old one has stopped.
        reload: Commands,
        /// Where start-first is not possible: prove the new version in a container without the place first.
        canary: bool = true,
        /// Volumes and folders that two containers of a service may write to at the same time.
        shared_volumes: Vec<String>,
        /// How many releases keep their images on the engine, for going back.
        keep: usize = 5,
        /// How large all images of the application that are kept for going back may be together.
        budget: Option<ByteSize>,
        /// Keep a record of what runs afterwards, for `last_good` and rollbacks.
        record: bool = true,
        /// The login for the registry, as for `pull`; used for images that the engine lacks.
        login: Option<LoginOption>,
    }
}

impl Options {
    fn kept(&self) -> release::Kept {
        release::Kept { releases: self.keep, budget: self.budget.map(|budget| budget.0) }
    }
}

static SPEC: Spec = Spec {
    name: "up",
    receiver: Some("compose"),
    args: &[Arg::optional("release", Ty::Handle("release"), "Bring back exactly this, instead of what the files say.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Makes the application run as its files say, replacing only what differs, each service behind its health check.",
    example: r#"app.up(#{ wait: "90s", remove_orphans: true });"#,
};

impl Primitive for Up {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    /// Commands that reload a proxy are commands in a container.
    fn needs(&self, call: &Call) -> Vec<Need> {
        let reloads = call.options.get("reload").is_some_and(|reload| !reload.is_null());
        let exec = reloads.then(|| Need::docker(call.receiver_needed("name"), "exec"));
        needs(call, &SPEC).into_iter().chain(exec).collect()
    }

    fn preview(&self, call: &Call) -> String {
        let name = call.receiver_str("name");
        match call.optional(0) {
            Some(release) => match release.get("number").and_then(Value::as_i64) {
                Some(number) => format!("bring {name} back to release {number}"),
                None => format!("bring {name} back to what ran before"),
            },
            None => format!("bring {name} up"),
        }
    }

    /// Where everything is as it should be nobody is kept away; what a release recorded is put back as one change.
    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Some(Guard { is_late: call.optional(0).is_none(), ..Descriptor::guard(call)? })
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        if let Some(release) = call.optional(0) {
            return back::bring(context, call, release, &options);
        }
        let (app, everything) = opened(context, call, &options)?;
        let logins = Logins::of(context, options.login.clone());
        let earlier = Intent::of_earlier(context);
        let guard = app.descriptor.itself();
        let is_ours = context.services.has_lock(&guard);
        let mut sight = Sight::of(&app)?;
        if (is_ours || !sight.is_locked)
            && earlier.is_empty()
            && let Some(outcome) = rest::outcome(&app, &everything, &sight, &options)?
        {
            return Ok(outcome);
        }
        context.services.take_lock(&guard)?;
        if !is_ours {
            // Until now others may have changed it.
            sight = Sight::of(&app)?;
        }
        let Sight { existing, there, images: held, labelled, .. } = sight;
        let images = images::bring(&app, &held, &logins)?;
        // It may have taken long.
        let existing = if images.brought { app.existing()? } else { existing };
        let mut plan = plan::make(&app, &everything, &existing, &images.held, &options)?;
        plan.warn(context);
        earlier.adjust(context, &mut plan);
        ports::order(&mut plan);
        ports::check(&app, &plan)?;
        let missing = resources::foresee(&app, &there);
        let rests = plan.rests() && existing.leftovers.is_empty() && earlier.is_empty() && !images.brought;
        let intent = earlier.mark(context, &plan, [images.changes, missing.clone()].concat())?;
        if !rests {
            release::keep_running(&app)?;
        }
        if !missing.is_empty() {
            resources::create(&app)?;
        }
        let done = work::conduct(&app, &existing, plan, Pace::of(&options), &earlier)?;
        let changed = report::log(&app, &done);
        if options.record {
            let now = if rests && missing.is_empty() {
                let images = held.into_values().map(|image| (image.id.clone(), image)).collect();
                Snapshot::seen(&app, &existing, labelled, images)?
            } else {
                Snapshot::take(&app)?
            };
            release::record(&app, now, changed, None, &report::timings(&done), options.kept())?;
        }
        Ok(concluded(report::outcome(&done, None), intent))
    }

    /// What is as it should be is left alone, so going on means calling it again; what it did before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project_and_images(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        if let Some(release) = call.optional(0) {
            return back::foresee(context, call, release, &options);
        }
        if is_written_before(context, call) {
            return Ok(vague(&self.preview(call)));
        }
        let (app, everything) = opened(context, call, &options)?;
        let there = app.look("looking at networks and volumes", There::of(&app))?;
        resources::check(&app, &there)?;
        let logins = Logins::of(context, options.login.clone());
        let images = images::foresee(&app, &logins)?;
        let existing = app.existing()?.after_planned(context);
        let plan = plan::make(&app, &everything, &existing, &images.held, &options)?;
        plan.warn(context);
        ports::check(&app, &plan)?;
        let made = [images.changes, resources::foresee(&app, &there)].concat();
        let done = report::foreseen(plan);
        Ok(Prediction { value: report::value(&done, None), changes: [made, report::changes(&done)].concat() })
    }
}

/// The application, and everything its files say, whatever was chosen of it.
fn opened<'a>(context: &'a Context<'a>, call: &Call, options: &Options) -> Result<(App<'a>, Application), Failure> {
    let mut app = App::open(context, call)?;
    app.warn();
    let everything = app.model.clone();
    app.only(&options.services)?;
    desired::check(&app)?;
    Ok((app, everything))
}

/// The result with everything that was changed, containers last.
fn concluded(mut outcome: Outcome, intent: Intent) -> Outcome {
    let containers = std::mem::replace(&mut outcome.changes, intent.made);
    outcome.made(containers)
}

/// Makes networks and volumes that a service needs, and starts what it depends on where that does not run. What runs is
/// left as it is, however much the files may have changed: a migration is no deployment. `before` is told what will be
/// changed. Returns what `up` returns, of what did not run.
pub(super) fn dependencies(
    app: &App<'_>,
    service: &Service,
    logins: &Logins,
    start: bool,
    wait: Duration,
    before: &mut dyn FnMut(Vec<Change>) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let there = app.look("looking at networks and volumes", There::of(app))?;
    resources::check(app, &there)?;
    let made = resources::foresee(app, &there);
    let existing = app.existing()?;
    let others = others(app, service, &existing);
    if !start || others.model.services.is_empty() {
        before(made)?;
        resources::create(app)?;
        return Ok(report::value(&[], None));
    }
    let images = images::ensure(&others, logins)?;
    let plan = plan_dependencies(app, &others, &existing, &images)?;
    ports::check(app, &plan)?;
    let containers = report::changes(&report::foreseen(plan.clone()));
    before([images.changes, made, containers].concat())?;
    resources::create(app)?;
    let options = Options::default();
    let pace = Pace { limit: wait, ..Pace::of(&options) };
    let done = work::conduct(&others, &existing, plan, pace, &Intent::default())?;
    report::log(&others, &done);
    Ok(report::value(&done, None))
}

/// What [`dependencies`] changes and returns.
pub(super) fn foresee_dependencies(
    app: &App<'_>,
    service: &Service,
    logins: &Logins,
    start: bool,
) -> Result<Prediction, Failure> {
    let there = app.look("looking at networks and volumes", There::of(app))?;
    resources::check(app, &there)?;
    let made = resources::foresee(app, &there);
    let existing = app.existing()?.after_planned(app.context);
    let others = others(app, service, &existing);
    if !start || others.model.services.is_empty() {
        return Ok(Prediction { value: report::value(&[], None), changes: made });
    }
    let images = images::foresee(&others, logins)?;
    let plan = plan_dependencies(app, &others, &existing, &images)?;
    let done = report::foreseen(plan);
    let changes = [images.changes, made, report::changes(&done)].concat();
    Ok(Prediction { value: report::value(&done, None), changes })
}

/// What a service depends on and does not run. Images of what runs are no concern of the call.
fn others<'a>(app: &App<'a>, service: &Service, existing: &Existing) -> App<'a> {
    let mut model = app.model.clone();
    let runs = |name: &str| {
        let planned = model
            .services
            .get(name)
            .is_some_and(|other| existing.made.contains(&other.name_of(&model.name, &Instance::Replica(1))));
        planned || existing.of(name).any(|(_, found)| found.is_running())
    };
    let idle: Vec<String> =
        model.services.keys().filter(|name| **name != service.name && !runs(name)).cloned().collect();
    model.services.retain(|name, _| idle.contains(name));
    App { context: app.context, descriptor: app.descriptor.clone(), model, engine: app.engine.clone() }
}

fn plan_dependencies(app: &App<'_>, others: &App<'_>, existing: &Existing, images: &Images) -> Result<Plan, Failure> {
    let mut plan = plan::make(others, &app.model, existing, &images.held, &Options::default())?;
    plan.warn(app.context);
    for place in plan.places.values_mut().flatten() {
        if let Some(present) = &place.present {
            place.step = plan::at_rest(present);
            place.reasons.clear();
            place.condition = None;
        }
    }
    plan.jobs = others.model.services.keys().filter(|name| desired::is_job(&app.model, name)).cloned().collect();
    Ok(plan)
}
