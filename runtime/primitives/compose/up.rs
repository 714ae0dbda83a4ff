//! `compose.up`: makes the engine run what the files say, or what a release recorded.
//!
//! First everything is decided and checked (`plan`, `back`, `ports`), then networks and volumes are made (`resources`), then
//! each container is put in its place (`work`, `replace`) and must pass its gate (`gate`). Whatever interrupts this leaves
//! each place with the container it had or with one that proved itself (`ledger`).

mod back;
pub(super) mod gate;
mod ledger;
mod place;
mod plan;
mod ports;
mod replace;
mod report;
mod resources;
mod work;

use std::time::Duration;

use serde_json::Value;

use super::app::App;
use super::desired;
use super::images;
use super::logins::{LoginOption, Logins};
use super::release;
use crate::compose::Service;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Probe, Span, Spec, Ty,
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
        /// How a container is replaced. `"stop-first"`: the new one is made, the old one stopped, the new one started; the
        /// old one is kept until the new one is healthy.
        order: Option<String>,
        /// Keep a record of what runs afterwards, for `last_good` and rollbacks.
        record: bool = true,
        /// The login for the registry, as for `pull`; used for images that the engine lacks.
        login: Option<LoginOption>,
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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        check_order(&options)?;
        if let Some(release) = call.optional(0) {
            return back::bring(context, call, release, options);
        }
        let mut app = App::open(context, call)?;
        app.warn();
        let everything = app.model.clone();
        app.only(&options.services)?;
        resources::check(&app)?;
        let logins = Logins::of(context, options.login.clone());
        let images = images::ensure(&app, &logins)?;
        let existing = app.existing()?;
        let plan = plan::make(&app, &everything, &existing, &images, &options)?;
        ports::check(&app, &plan)?;
        resources::create(&app)?;
        let done = work::conduct(&app, &existing, plan, options.wait.0)?;
        let changed = report::log(&app, &done);
        if options.record {
            release::record(&app, changed)?;
        }
        Ok(report::outcome(&done, None))
    }

    /// What is as it should be is left alone, so going on means calling it again.
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }
}

/// Makes networks and volumes that a service needs, and starts what it depends on where that does not run. What runs is
/// left as it is, however much the files may have changed: a migration is no deployment.
pub(super) fn dependencies(
    app: &App<'_>,
    service: &Service,
    logins: &Logins,
    start: bool,
    wait: Duration,
) -> Result<(), Failure> {
    resources::check(app)?;
    let mut others = App {
        context: app.context,
        descriptor: app.descriptor.clone(),
        model: app.model.clone(),
        engine: app.engine.clone(),
    };
    others.model.services.remove(&service.name);
    resources::create(app)?;
    if !start || others.model.services.is_empty() {
        return Ok(());
    }
    let existing = app.existing()?;
    // Images of what runs are no concern of this call.
    others.model.services.retain(|name, _| existing.of(name).all(|(_, found)| !found.is_running()));
    let images = images::ensure(&others, logins)?;
    let mut plan = plan::make(&others, &app.model, &existing, &images, &Options::default())?;
    for place in plan.places.values_mut().flatten() {
        if let Some(present) = &place.present {
            place.step = plan::at_rest(present);
            place.reasons.clear();
        }
    }
    plan.jobs = others.model.services.keys().filter(|name| desired::is_job(&app.model, name)).cloned().collect();
    ports::check(app, &plan)?;
    let done = work::conduct(&others, &existing, plan, wait)?;
    report::log(&others, &done);
    Ok(())
}

fn check_order(options: &Options) -> Result<(), Failure> {
    match options.order.as_deref() {
        None | Some("stop-first") => Ok(()),
        Some("start-first") => {
            Err(Failure::new(FailureKind::Option, "option `order`: `start-first` is not supported yet")
                .hint("leave it out: the default is `stop-first`"))
        }
        Some(other) => Err(Failure::new(FailureKind::Option, format!("option `order` cannot be `{other}`"))
            .hint("the only order so far is `stop-first`")),
    }
}

/// Says that containers of services that the files do not have are there.
fn report_orphans(app: &App<'_>, orphans: &[(String, String)]) {
    for (service, container) in orphans {
        let line = format!(
            "container `{container}` belongs to service `{service}`, which the files do not have: `remove_orphans: true` removes it"
        );
        app.context.log(LogStream::Warn, &line);
    }
}
