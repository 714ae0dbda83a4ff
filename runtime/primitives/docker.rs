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
mod volumes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::drivers::docker::Engine;
use crate::primitive::{Arg, Call, Context, Effect, Failure, LogStream, Outcome, Primitive, Spec, Ty, handle};

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
        Ty::Str,
        "The engine's address, `unix:///path` or `tcp://host:port`; without it `DOCKER_HOST`, else the local socket.",
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

    fn call(&self, _: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Ok(handle(DOCKER, call.optional(0).map_or_else(|| json!({}), |host| json!({ "host": host }))).into())
    }
}

/// The argument that names a container.
const CONTAINER: Arg = Arg::new("container", Ty::Str, "The container's name or id.");

/// A method of the handle that looks and takes no options, unless said otherwise.
const fn method(name: &'static str, args: &'static [Arg], summary: &'static str, example: &'static str) -> Spec {
    Spec { name, receiver: Some(DOCKER), args, options: None, returns: None, effect: Effect::Read, summary, example }
}

/// The engine the receiver names.
fn engine(context: &Context<'_>, call: &Call) -> Result<Arc<Engine>, Failure> {
    context.drivers.docker(call.receiver.get("host").and_then(serde_json::Value::as_str))
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

/// The labels of whatever a call creates, by which a later run finds it.
fn labels(context: &Context<'_>, own: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own;
    labels.insert("dev.runbook.project".into(), context.project.name().to_owned());
    labels.insert("dev.runbook.run".into(), context.run.id.to_string());
    labels.insert("dev.runbook.call".into(), context.path.to_owned());
    labels
}

/// A change that was made, or was not needed.
fn made(changed: bool) -> Outcome {
    if changed { Outcome::changed(true) } else { Outcome::unchanged(false) }
}

/// The log stream of a driver's output stream.
fn log_stream(stream: crate::drivers::docker::OutputStream) -> LogStream {
    match stream {
        crate::drivers::docker::OutputStream::Stdout => LogStream::Stdout,
        crate::drivers::docker::OutputStream::Stderr => LogStream::Stderr,
    }
}
