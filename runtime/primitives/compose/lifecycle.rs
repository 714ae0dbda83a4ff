//! `compose.restart`, `compose.stop` and `compose.start`: containers as they are, without looking at the files' changes.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::app::App;
use super::up::gate;
use crate::drivers::docker::Container;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Probe, Span, Spec, Ty,
};

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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StartOptions = call.options()?;
        let app = App::open(context, call)?;
        let mut results = Map::new();
        for container in in_order(&app, call)? {
            let (name, service) = (&container.name, &container.service);
            app.progress(service, "restarting");
            let limit = grace(options.grace, &container.found) + Duration::from_secs(120);
            let restarting = app.engine.restart(&container.found.id, options.grace.map(|span| span.0));
            context.wait(&format!("restarting `{name}`"), limit, restarting)?;
            gate::one(&app, service, &container.found.id, options.wait.0)?;
            context.log(LogStream::Info, &format!("{service}: restarted {name}"));
            results.insert(name.clone(), json!("restarted"));
        }
        let note = format!("{} restarted", results.len());
        Ok(Outcome::changed(Value::Object(results)).note(note))
    }
}

impl Primitive for Stop {
    fn spec(&self) -> &'static Spec {
        &STOP
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let app = App::open(context, call)?;
        let (mut results, mut stopped) = (Map::new(), 0);
        for container in in_order(&app, call)?.into_iter().rev() {
            app.progress(&container.service, "stopping");
            let limit = grace(options.grace, &container.found) + Duration::from_secs(60);
            let stopping = app.engine.stop(&container.found.id, options.grace.map(|span| span.0));
            let did = context.wait(&format!("stopping `{}`", container.name), limit, stopping)?;
            if did {
                stopped += 1;
                context.log(LogStream::Info, &format!("{}: stopped {}", container.service, container.name));
            }
            results.insert(container.name.clone(), json!(if did { "stopped" } else { "not running" }));
        }
        Ok(outcome(results, stopped, "stopped"))
    }

    /// What is stopped already is left alone.
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }
}

impl Primitive for Start {
    fn spec(&self) -> &'static Spec {
        &START
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StartOptions = call.options()?;
        let app = App::open(context, call)?;
        let containers = in_order(&app, call)?;
        if containers.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, format!("`{}` has no containers to start", app.name()))
                .hint("make them with `up`"));
        }
        let (mut results, mut started) = (Map::new(), 0);
        for container in containers {
            app.progress(&container.service, "starting");
            let what = format!("starting `{}`", container.name);
            let did = context.wait(&what, Duration::from_secs(300), app.engine.start(&container.found.id))?;
            if did {
                started += 1;
                gate::one(&app, &container.service, &container.found.id, options.wait.0)?;
                context.log(LogStream::Info, &format!("{}: started {}", container.service, container.name));
            }
            results.insert(container.name.clone(), json!(if did { "started" } else { "running" }));
        }
        Ok(outcome(results, started, "started"))
    }

    /// What runs already is left alone.
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }
}

fn outcome(results: Map<String, Value>, changed: usize, word: &str) -> Outcome {
    let rest = results.len() - changed;
    let note = match (changed, rest) {
        (0, rest) => format!("{rest} as they were"),
        (changed, 0) => format!("{changed} {word}"),
        (changed, rest) => format!("{changed} {word}, {rest} as they were"),
    };
    let value = Value::Object(results);
    if changed > 0 { Outcome::changed(value).note(note) } else { Outcome::unchanged(value).note(note) }
}

/// A container that a call is about.
struct Chosen {
    service: String,
    name: String,
    found: Container,
}

/// The containers of the services that were asked for, dependencies first.
fn in_order(app: &App<'_>, call: &Call) -> Result<Vec<Chosen>, Failure> {
    let asked = if call.str(0).is_empty() { call.strings(0) } else { vec![call.str(0).to_owned()] };
    for name in &asked {
        app.service(name)?;
    }
    let existing = app.existing()?;
    let order: Vec<String> = app.model.order().into_iter().flatten().map(|start| start.service).collect();
    let mut services: Vec<String> =
        if asked.is_empty() { existing.services().into_iter().map(str::to_owned).collect() } else { asked };
    services.sort_by_key(|name| order.iter().position(|other| other == name).unwrap_or(usize::MAX));
    let mut chosen = Vec::new();
    for service in services {
        for (_, found) in existing.of(&service) {
            chosen.push(Chosen { service: service.clone(), name: found.name.clone(), found: found.clone() });
        }
    }
    Ok(chosen)
}

/// How long a container may take to stop.
fn grace(given: Option<Span>, container: &Container) -> Duration {
    let own = container.raw.pointer("/Config/StopTimeout").and_then(Value::as_u64);
    given.map_or_else(|| Duration::from_secs(own.unwrap_or(10)), |span| span.0)
}
