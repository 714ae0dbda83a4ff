//! `docker()` and what can be done with an engine.

mod build;
mod containers;
mod copy;
mod engine;
mod exec;
mod health;
mod images;
mod lifecycle;
mod login;
mod logs;
mod networks;
mod output;
mod prune;
mod pull;
mod push;
mod run;
mod run_spec;
mod send;
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::on_engine::touches::Paths;
use super::on_engine::{KEY, STOPPED, engine_of, fate, machine};
use crate::drivers::docker::{Container, ContainerState, Engine};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, LogStream, Need, Outcome, Prediction, Primitive, Spec,
    Touches, Ty, handle, text_of,
};

/// The kind of the handle.
pub const DOCKER: &str = "docker";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[
    &Docker,
    &containers::Containers,
    &containers::Inspect,
    &lifecycle::Start,
    &lifecycle::Stop,
    &lifecycle::Restart,
    &lifecycle::Remove,
    &lifecycle::Rename,
    &health::WaitHealthy,
    &logs::Logs,
    &run::Run,
    &exec::Exec,
    &copy::CopyIn,
    &copy::CopyOut,
    &images::Image,
    &images::Images,
    &images::Tag,
    &images::RemoveImage,
    &prune::PruneImages,
    &pull::Pull,
    &push::Push,
    &send::SendImage,
    &build::Build,
    &networks::Networks,
    &networks::CreateNetwork,
    &networks::RemoveNetwork,
    &volumes::Volumes,
    &volumes::CreateVolume,
    &volumes::RemoveVolume,
    &engine::Version,
    &engine::DiskUsage,
];

/// How long the engine may take for what it does at once.
const ANSWER: Duration = Duration::from_secs(60);

/// Names an engine.
pub struct Docker;

static SPEC: Spec = Spec {
    name: "docker",
    receiver: None,
    args: &[Arg::optional(
        "host",
        Ty::OneOf(&[Ty::Str, Ty::Handle("ssh")]),
        "An `ssh` handle, or the engine's address: `ssh://host`, `unix:///path` or `tcp://host:port`. Without it `DOCKER_HOST`, \
         else the local socket.",
    )],
    options: None,
    returns: Some(DOCKER),
    effect: Effect::Pure,
    summary: "Names a Docker engine, to work with its containers, images, networks and volumes.",
    example: r#"docker().wait_healthy("shop-web-1");"#,
};

impl Primitive for Docker {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let host = call.optional(0).map(engine_of).transpose()?;
        Ok(handle(DOCKER, host.map_or_else(|| json!({}), |host| json!({ "host": host }))).into())
    }
}

/// The argument that names a container.
const CONTAINER: Arg = Arg::new("container", Ty::Str, "The container's name or id.");

/// A method of the handle that looks and takes no options, unless said otherwise.
const fn method(name: &'static str, args: &'static [Arg], summary: &'static str, example: &'static str) -> Spec {
    Spec { name, receiver: Some(DOCKER), args, options: None, returns: None, effect: Effect::Read, summary, example }
}

/// What a method needs: to do this with each of these names of its engine, and the machine the engine is on where the
/// script says which.
fn needs(spec: &Spec, call: &Call, names: impl IntoIterator<Item = String>) -> Vec<Need> {
    let host = call.receiver.get("host").filter(|host| !host.is_null());
    let names = names.into_iter().map(|name| Need::docker(name, spec.name));
    host.map(|host| machine(&text_of(Some(host)))).into_iter().chain(names).collect()
}

/// The engine the receiver names.
fn engine(context: &Context<'_>, call: &Call) -> Result<Arc<Engine>, Failure> {
    context.drivers.docker(call.receiver.get("host").and_then(Value::as_str))
}

/// What a call looks at or changes on its engine; everything where the engine cannot be told.
fn touches(context: &Context<'_>, call: &Call, of: impl FnOnce(Paths<'_>) -> Touches) -> Touches {
    engine(context, call).map_or(Touches::Anything, |engine| of(Paths(&engine)))
}

/// What is looked at before a change, and for a plan instead of it: how the call will end, and what the change needs to
/// be the same when it is made again.
struct Foreseen {
    outcome: Outcome,
    proof: Value,
}

impl Foreseen {
    /// There is something to do.
    fn change(value: impl Into<Value>, change: Change) -> Self {
        Self { outcome: Outcome::changed(value).made([change]), proof: Value::Null }
    }

    /// There is nothing to do.
    fn nothing(value: impl Into<Value>) -> Self {
        Self { outcome: Outcome::unchanged(value), proof: Value::Null }
    }

    fn proof(self, proof: impl Into<Value>) -> Self {
        Self { proof: proof.into(), ..self }
    }

    fn prediction(self) -> Prediction {
        Prediction { value: self.outcome.value, changes: self.outcome.changes }
    }
}

/// A change that leads to the same when it is made twice. It is announced first, so that a call made again after a crash
/// tells what it would have told the first time.
fn converge(
    context: &Context<'_>,
    foreseen: impl FnOnce() -> Result<Foreseen, Failure>,
    make: impl FnOnce(&Foreseen) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let foreseen = if let Some(announced) = context.announced() {
        Foreseen { outcome: announced.outcome, proof: announced.proof }
    } else {
        let foreseen = foreseen()?;
        if foreseen.outcome.changed == Some(true) {
            context.announce(&foreseen.outcome, &foreseen.proof)?;
        }
        foreseen
    };
    if foreseen.outcome.changed == Some(true) {
        make(&foreseen)?;
    }
    Ok(foreseen.outcome)
}

/// A container as it will be after the earlier calls of a plan; `None` when there is none.
fn container_after(context: &Context<'_>, call: &Call) -> Result<Option<Container>, Failure> {
    let found = ask(context, call, "inspecting a container", async |engine| engine.find(call.str(0)).await)?;
    let name = found.as_ref().map_or_else(|| call.str(0).to_owned(), |found| found.name.clone());
    let Some(planned) = fate(context, &format!("container {name}")) else { return Ok(found) };
    if planned.action == Action::Remove {
        return Ok(None);
    }
    let state = if planned.detail.iter().any(|line| line == STOPPED) {
        ContainerState::Exited
    } else {
        ContainerState::Running
    };
    Ok(Some(Container { name, state, ..found.unwrap_or_default() }))
}

/// The same, where there must be one.
fn present(context: &Context<'_>, call: &Call) -> Result<Container, Failure> {
    match container_after(context, call)? {
        Some(found) => Ok(found),
        None => ask(context, call, "inspecting a container", async |engine| engine.inspect(call.str(0)).await),
    }
}

/// Will a thing be there after the earlier calls of a plan?
fn is_there(context: &Context<'_>, what: &str, there: bool) -> bool {
    fate(context, what).map_or(there, |planned| planned.action != Action::Remove)
}

/// Takes ids, times and counters out of what was seen.
fn without(value: &Value, fields: &[&str]) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| without(item, fields)).collect(),
        Value::Object(map) => {
            let kept = map.iter().filter(|(name, _)| !fields.contains(&name.as_str()));
            kept.map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        other => other.clone(),
    }
}

/// Asks the engine something it answers at once; `what` completes "timed out after 60s while …".
fn ask<T>(
    context: &Context<'_>,
    call: &Call,
    what: &str,
    question: impl AsyncFnOnce(&Engine) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let engine = engine(context, call)?;
    context.wait(what, ANSWER, question(&engine))
}

/// The label that says which run made it.
const RUN: &str = "dev.runbook.run";

/// The label of a container that was made to be thrown away, with all that it keeps.
const SCRATCH: &str = "dev.runbook.scratch";

/// The labels of whatever a call creates, by which a later run finds it.
fn labels(context: &Context<'_>, own: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own;
    labels.insert("dev.runbook.project".into(), context.project.name().to_owned());
    labels.insert(RUN.into(), context.run.id.to_string());
    labels.insert("dev.runbook.call".into(), context.path.to_owned());
    labels.insert(KEY.into(), context.key());
    labels
}

/// The log stream of a driver's output stream.
fn log_stream(stream: crate::drivers::docker::OutputStream) -> LogStream {
    match stream {
        crate::drivers::docker::OutputStream::Stdout => LogStream::Stdout,
        crate::drivers::docker::OutputStream::Stderr => LogStream::Stderr,
    }
}
