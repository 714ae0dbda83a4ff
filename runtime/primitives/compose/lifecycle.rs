//! `compose.restart`, `compose.stop` and `compose.start`: containers as they are, without looking at the files' changes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::app::App;
use super::descriptor::Descriptor;
use super::up::gate;
use super::{needs, touches};
use crate::compose::labels::Instance;
use crate::drivers::docker::{Container, ContainerState};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Guard, LogStream, Need, Outcome, Prediction,
    Primitive, Recovery, Span, Spec, Touches, Ty,
};
use crate::primitives::on_engine::{RESTARTED, STARTED, STOPPED, noted};

/// Restarts containers.
pub(super) struct Restart;
/// Stops containers.
pub(super) struct Stop;
/// Starts containers.
pub(super) struct Start;

crate::options! {
    /// Options of `compose.restart` and `compose.start`.
    pub struct StartOptions {
        /// How long each service may take until it is healthy; `"0s"` does not wait.
        wait: Span = Span::seconds(90),
        /// How long a container may take to stop before it is killed; its own time when left out.
        grace: Option<Span>,
    }
}

crate::options! {
    /// Options of `compose.stop`.
    pub struct StopOptions {
        /// How long a container may take to stop before it is killed; its own time when left out.
        grace: Option<Span>,
    }
}

const SERVICE: Arg =
    Arg::optional("services", Ty::OneOf(&[Ty::Str, Ty::Strings]), "A service or several; all when left out.");

static RESTART: Spec = Spec {
    name: "restart",
    receiver: Some("compose"),
    args: &[SERVICE],
    options: Some(StartOptions::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Restarts the containers of services and waits until they are healthy.",
    example: r#"app.restart("api", #{ wait: "60s" });"#,
};

static STOP: Spec = Spec {
    name: "stop",
    receiver: Some("compose"),
    args: &[SERVICE],
    options: Some(StopOptions::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Stops the containers of services, those that depend on others first, and keeps them.",
    example: r#"app.stop(["worker", "api"]);"#,
};

static START: Spec = Spec {
    name: "start",
    receiver: Some("compose"),
    args: &[SERVICE],
    options: Some(StartOptions::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Starts containers that were stopped, in dependency order, and waits until they are healthy.",
    example: "app.start();",
};

impl Primitive for Restart {
    fn spec(&self) -> &'static Spec {
        &RESTART
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &RESTART)
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StartOptions = call.options()?;
        let app = App::open(context, call)?;
        let chosen = in_order(&app, call)?;
        let before = Before::of(context, &chosen, |_| true)?;
        for container in &chosen {
            let (name, service) = (&container.name, &container.service);
            // What an earlier process restarted is another process now.
            if before.0.get(name) == Some(&container.found.started) || !container.found.is_running() {
                app.progress(service, "restarting");
                let limit = grace(options.grace, &container.found) + Duration::from_secs(120);
                let restarting = app.engine.restart(&container.found.id, options.grace.map(|span| span.0));
                context.wait(&format!("restarting `{name}`"), limit, restarting)?;
            }
            gate::one(&app, service, &container.found.id, options.wait.0)?;
            context.log(LogStream::Info, &format!("{service}: restarted {name}"));
        }
        let note = format!("{} restarted", chosen.len());
        let (value, changes) = told(&chosen, RESTARTED, RESTARTED, |_| true);
        Ok(Outcome::changed(value).note(note).made(changes))
    }

    /// What was restarted already is left alone: when each was started before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let app = App::open(context, call)?;
        let chosen = in_order(&app, call)?;
        let (value, changes) = told(&chosen, RESTARTED, RESTARTED, |_| true);
        Ok(Prediction { value, changes })
    }
}

impl Primitive for Stop {
    fn spec(&self) -> &'static Spec {
        &STOP
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &STOP)
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let app = App::open(context, call)?;
        let chosen: Vec<Chosen> = in_order(&app, call)?.into_iter().rev().collect();
        let before = Before::of(context, &chosen, Chosen::stops)?;
        for container in &chosen {
            app.progress(&container.service, "stopping");
            let limit = grace(options.grace, &container.found) + Duration::from_secs(60);
            let stopping = app.engine.stop(&container.found.id, options.grace.map(|span| span.0));
            if context.wait(&format!("stopping `{}`", container.name), limit, stopping)? {
                context.log(LogStream::Info, &format!("{}: stopped {}", container.service, container.name));
            }
        }
        let (value, changes) = told(&chosen, STOPPED, "not running", |container| before.has(container));
        Ok(outcome(value, changes, chosen.len(), STOPPED))
    }

    /// What is stopped already is left alone; what ran before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let app = App::open(context, call)?;
        let chosen: Vec<Chosen> = in_order(&app, call)?.into_iter().rev().collect();
        let (value, changes) = told(&chosen, STOPPED, "not running", Chosen::stops);
        Ok(Prediction { value, changes })
    }
}

impl Primitive for Start {
    fn spec(&self) -> &'static Spec {
        &START
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &START)
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StartOptions = call.options()?;
        let app = App::open(context, call)?;
        let chosen = startable(&app, call)?;
        let before = Before::of(context, &chosen, Chosen::starts)?;
        for container in &chosen {
            app.progress(&container.service, "starting");
            let what = format!("starting `{}`", container.name);
            context.wait(&what, Duration::from_secs(300), app.engine.start(&container.found.id))?;
            if before.has(container) {
                gate::one(&app, &container.service, &container.found.id, options.wait.0)?;
                context.log(LogStream::Info, &format!("{}: started {}", container.service, container.name));
            }
        }
        let (value, changes) = told(&chosen, STARTED, "running", |container| before.has(container));
        Ok(outcome(value, changes, chosen.len(), STARTED))
    }

    /// What runs already is left alone; what did not run before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let app = App::open(context, call)?;
        let (value, changes) = told(&startable(&app, call)?, STARTED, "running", Chosen::starts);
        Ok(Prediction { value, changes })
    }
}

/// The containers that a call changes, and when each had been started before: noted, so that the call made again after a
/// crash knows what there was to do.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Before(BTreeMap<String, String>);

impl Before {
    fn of(context: &Context<'_>, chosen: &[Chosen], is_changed: fn(&Chosen) -> bool) -> Result<Self, Failure> {
        if let Some(before) = noted(context) {
            return Ok(before);
        }
        let changed = chosen.iter().filter(|container| is_changed(container));
        let before = Self(changed.map(|one| (one.name.clone(), one.found.started.clone())).collect());
        if !before.0.is_empty() {
            context.mark(&json!(before))?;
        }
        Ok(before)
    }

    fn has(&self, container: &Chosen) -> bool {
        self.0.contains_key(&container.name)
    }
}

/// What is told of the containers: one word for those that are changed, another for the rest.
fn told(chosen: &[Chosen], word: &str, otherwise: &str, is_changed: impl Fn(&Chosen) -> bool) -> (Value, Vec<Change>) {
    let (mut results, mut changes) = (Map::new(), Vec::new());
    for container in chosen {
        let changed = is_changed(container);
        results.insert(container.name.clone(), (if changed { word } else { otherwise }).into());
        if changed {
            changes.push(Change::new(Action::Update, format!("container {}", container.name)).detail(word));
        }
    }
    (Value::Object(results), changes)
}

/// The containers to start; without any there is nothing that could be started.
fn startable(app: &App<'_>, call: &Call) -> Result<Vec<Chosen>, Failure> {
    let chosen = in_order(app, call)?;
    if chosen.is_empty() {
        return Err(Failure::new(FailureKind::NotFound, format!("`{}` has no containers to start", app.name()))
            .hint("make them with `up`"));
    }
    Ok(chosen)
}

fn outcome(value: Value, changes: Vec<Change>, all: usize, word: &str) -> Outcome {
    let (changed, rest) = (changes.len(), all - changes.len());
    let note = match (changed, rest) {
        (0, rest) => format!("{rest} as they were"),
        (changed, 0) => format!("{changed} {word}"),
        (changed, rest) => format!("{changed} {word}, {rest} as they were"),
    };
    let outcome = if changed > 0 { Outcome::changed(value) } else { Outcome::unchanged(value) };
    outcome.note(note).made(changes)
}

/// A container that a call is about.
struct Chosen {
    service: String,
    name: String,
    found: Container,
}

impl Chosen {
    fn stops(&self) -> bool {
        self.found.is_running() || self.found.state == ContainerState::Restarting
    }

    fn starts(&self) -> bool {
        !self.found.is_running()
    }
}

/// The containers of the services that were asked for, dependencies first.
fn in_order(app: &App<'_>, call: &Call) -> Result<Vec<Chosen>, Failure> {
    let asked = if call.str(0).is_empty() { call.strings(0) } else { vec![call.str(0).to_owned()] };
    for name in &asked {
        app.service(name)?;
    }
    let existing = app.existing()?.after_planned(app.context);
    let order: Vec<String> = app.model.order().into_iter().flatten().map(|start| start.service).collect();
    let mut services: Vec<String> =
        if asked.is_empty() { existing.services().into_iter().map(str::to_owned).collect() } else { asked };
    if !existing.made.is_empty() && call.optional(0).is_none() {
        services.extend(app.model.services.keys().cloned());
    }
    services.sort();
    services.dedup();
    services.sort_by_key(|name| order.iter().position(|other| other == name).unwrap_or(usize::MAX));
    let mut chosen = Vec::new();
    for service in services {
        for (_, found) in existing.of(&service) {
            chosen.push(Chosen { service: service.clone(), name: found.name.clone(), found: found.clone() });
        }
        // In a plan: those that an earlier call makes.
        let coming = app
            .model
            .services
            .get(&service)
            .into_iter()
            .flat_map(|of| (1..=of.replicas()).map(|number| of.name_of(app.name(), &Instance::Replica(number))));
        for name in coming.filter(|name| existing.made.contains(name)) {
            if !chosen.iter().any(|known| known.name == name) {
                let found = Container { name: name.clone(), state: ContainerState::Running, ..Container::default() };
                chosen.push(Chosen { service: service.clone(), name, found });
            }
        }
    }
    Ok(chosen)
}

/// How long a container may take to stop.
fn grace(given: Option<Span>, container: &Container) -> Duration {
    let own = container.raw.pointer("/Config/StopTimeout").and_then(Value::as_u64);
    given.map_or_else(|| Duration::from_secs(own.unwrap_or(10)), |span| span.0)
}
