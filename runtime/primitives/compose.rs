//! `compose`: an application described by compose files, brought to run on an engine and put back when that fails.
//!
//! The handle only names files, variables and an engine; each method reads the files anew and reports all that is wrong
//! with them before anything happens. What runs is recognised by the labels of Compose v2, so its own commands work on
//! whatever is made here, and this on whatever they made.
//!
//! - `descriptor` is the handle, `app` the application it stands for while a method runs.
//! - `desired` turns a service into a container's specification, `differs` says in which fields one that runs differs.
//! - `up` decides (`up/plan`) and does (`up/work`, `up/replace`), behind the health gate (`up/gate`).
//! - `release` records what runs, `up/back` brings it back.

mod app;
mod build;
mod check_env;
mod confidential;
mod config;
mod dependencies;
mod descriptor;
mod desired;
mod differs;
mod down;
mod exec;
mod files;
mod images;
mod lifecycle;
mod logins;
mod logs;
mod migrations;
mod mounted;
mod namespaces;
mod ps;
mod pull;
mod recorded;
mod release;
mod run;
mod service;
mod up;

use serde_json::Value;

use super::on_engine::machine;
use super::on_engine::touches::{Paths, will_write};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Sink, Spec, Touches, Ty,
    text_of, unknown, unknown_of,
};

use descriptor::{Descriptor, Options};

/// Names an application.
struct Compose;

static SPEC: Spec = Spec {
    name: "compose",
    receiver: None,
    args: &[Arg::new("name", Ty::Str, "The project's name: what containers, networks and volumes are named after.")],
    options: Some(Options::SPEC),
    returns: Some("compose"),
    // Nothing is read but whether the files are there: the handle is the same on every resume.
    effect: Effect::Pure,
    summary: "Names an application described by compose files.",
    example: r#"let app = compose("shop", #{ files: ["compose.yaml", "compose.prod.yaml"], env: #{ TAG: "v1.4" } });"#,
};

impl Primitive for Compose {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        described(&call.options)
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("env", "a variable of the compose files")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let descriptor = Descriptor::new(context, call.str(0), call.options()?)?;
        Ok(descriptor.handle().into())
    }
}

/// `compose` and the methods of its handle.
pub(super) const ALL: &[&dyn Primitive] = &[
    &Compose,
    &build::Build,
    &check_env::CheckEnv,
    &config::Config,
    &dependencies::StartDependencies,
    &down::Down,
    &exec::Exec,
    &lifecycle::Restart,
    &lifecycle::Start,
    &lifecycle::Stop,
    &logs::Logs,
    &migrations::Crossed,
    &migrations::Migrated,
    &migrations::Migrating,
    &ps::Ps,
    &pull::Pull,
    &release::LastGood,
    &release::Remember,
    &release::Releases,
    &release::RunningIs,
    &run::Run,
    &service::ServiceOf,
    &up::Up,
];

/// What a method needs: to do this with the application, and what describes it.
fn needs(call: &Call, spec: &Spec) -> Vec<Need> {
    let application = Need::docker(call.receiver_needed("name"), spec.name);
    std::iter::once(application).chain(described(&call.receiver)).collect()
}

/// What the description of an application reaches, as options of `compose` or its handle have it: files outside of the
/// project, variables of the process, and the machine of its engine.
fn described(said: &Value) -> Vec<Need> {
    let texts = |field: &str| -> Vec<String> {
        match said.get(field) {
            Some(Value::Array(items)) => items.iter().map(|item| text_of(Some(item))).collect(),
            None | Some(Value::Null) => Vec::new(),
            other => vec![text_of(other)],
        }
    };
    let files = ["files", "env_file", "directory"].into_iter().flat_map(texts).filter_map(Need::read_outside);
    let variables = texts("inherit").into_iter().map(Need::variable);
    let named = ["host", "engine"].into_iter().filter_map(|option| said.get(option));
    let engines = named.map(|named| named.get("host").or(named.get("name")).unwrap_or(named));
    let engines = engines.filter(|engine| engine.is_string() || unknown_of(engine).is_some());
    files.chain(variables).chain(engines.map(|engine| machine(&text_of(Some(engine))))).collect()
}

/// What a call looks at or changes on its application's engine; everything where that cannot be told.
fn touches(context: &Context<'_>, call: &Call, of: impl FnOnce(Paths<'_>, &str) -> Touches) -> Touches {
    let descriptor = Descriptor::of(call).ok();
    let engine = descriptor.as_ref().and_then(|handle| context.drivers.docker(handle.engine.as_deref()).ok());
    match (descriptor, engine) {
        (Some(descriptor), Some(engine)) => of(Paths(&engine), &descriptor.name),
        _ => Touches::Anything,
    }
}

/// The files that describe an application.
fn files(context: &Context<'_>, call: &Call) -> Touches {
    let Ok(descriptor) = Descriptor::of(call) else { return Touches::Anything };
    let named = descriptor.files.iter().chain(&descriptor.env_file).chain([&descriptor.directory]);
    Touches::These(named.flat_map(|path| paths_of(Touches::disk(&context.resolve(path)))).collect())
}

fn paths_of(touches: Touches) -> Vec<Vec<String>> {
    if let Touches::These(paths) = touches { paths } else { Vec::new() }
}

/// Will an earlier call of the plan write the files that describe the application? Then nothing more is known.
fn is_written_before(context: &Context<'_>, call: &Call) -> bool {
    will_write(context, &files(context, call))
}

/// What is known of a call whose files are written before it.
fn vague(preview: &str) -> Prediction {
    let value = unknown(format!("what `{preview}` returns"));
    let change = Change::new(Action::Run, preview).detail("by files that are written before");
    Prediction::one(change.only_if("they ask for it"), value)
}

/// `sha256:3f2a91c0b7de` of a longer id or digest, as people compare them.
fn short(id: &str) -> String {
    let (name, digest) = id.rsplit_once('@').map_or(("", id), |(name, digest)| (name, digest));
    let cut = digest.char_indices().nth(19).map_or(digest, |(end, _)| &digest[..end]);
    if name.is_empty() { cut.to_owned() } else { format!("{name}@{cut}") }
}

/// Two hexadecimal digits for each byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

/// `1 service`, `3 services`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A list of service names among the options, as an error when it is empty: that would mean nothing, not everything.
fn names(value: &[String]) -> Option<&[String]> {
    (!value.is_empty()).then_some(value)
}

/// The text of a JSON scalar; `None` for lists, maps and nothing.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
