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
mod namespaces;
mod ps;
mod pull;
mod release;
mod run;
mod service;
mod up;

use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Outcome, Primitive, Spec, Ty};

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
    &down::Down,
    &exec::Exec,
    &lifecycle::Restart,
    &lifecycle::Start,
    &lifecycle::Stop,
    &logs::Logs,
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

/// The engine names volumes that nobody named with 64 hexadecimal digits.
fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
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
