//! `ssh(host)` and what can be done on a host.

mod account;
mod arm;
mod command;
mod cron_line;
mod directory;
mod disk_free;
mod download;
mod exec;
mod facts;
mod firewall;
mod forward;
mod package;
mod placed;
mod port_open;
mod read;
mod service;
mod template;
mod thing;
mod tree;
mod upload;
mod write;

use std::time::Duration;

use serde_json::{Value, json};

use crate::drivers::Drivers;
use crate::drivers::ssh::{Script, Target};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches, Ty, handle, target_named,
};

/// The kind of the handle.
pub const SSH: &str = "ssh";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[
    &Ssh,
    &exec::EXEC,
    &exec::SHELL,
    &read::Read,
    &write::Write,
    &template::Template,
    &upload::Upload,
    &download::Download,
    &forward::Forward,
    &arm::Arm,
    &arm::CONFIRM,
    &arm::REVERT,
    &directory::DIRECTORY,
    &account::USER,
    &package::PACKAGE,
    &service::SERVICE,
    &cron_line::CRON_LINE,
    &firewall::FIREWALL,
    &disk_free::DiskFree,
    &disk_free::AtLeast,
    &facts::Facts,
    &port_open::PortOpen,
];

/// How long a host may take for what it does at once, connecting included.
const ANSWER: Duration = Duration::from_secs(90);

crate::options! {
    /// Options of `ssh`.
    pub struct Options {
        /// Who everything is run as on the host, through `sudo -n`. Without it: the host's `become`, else whoever logs in.
        user: Option<String>,
    }
}

/// Names a host.
pub struct Ssh;

static SPEC: Spec = Spec {
    name: "ssh",
    receiver: None,
    args: &[Arg::new("host", Ty::Str, "A host of the project file or of `~/.ssh/config`, or `user@address:port`.")],
    options: Some(Options::SPEC),
    returns: Some(SSH),
    effect: Effect::Pure,
    summary: "Names a host that is reached over SSH, to run commands there and to work with its files.",
    example: r#"let host = ssh("web-1"); host.disk_free("/").at_least("2GiB");"#,
};

impl Primitive for Ssh {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let name = call.str(0);
        target_named(context.project.file(), name)?;
        let entry = context.project.file().hosts.get(name);
        let user = options.user.or_else(|| entry.and_then(|entry| entry.becomes.clone()));
        let named = json!({ "name": name });
        Ok(handle(SSH, user.map_or(named, |user| json!({ "name": name, "user": user }))).into())
    }
}

/// What a host tells about itself.
pub async fn facts_of(drivers: &Drivers, target: &Target) -> Result<Value, Failure> {
    facts::look(drivers, target, None).await
}

/// The host the receiver names.
fn target(context: &Context<'_>, call: &Call) -> Result<Target, Failure> {
    target_named(context.project.file(), call.receiver_str("name"))
}

/// Who the receiver's commands are run as.
fn user(call: &Call) -> Option<&str> {
    call.receiver.get("user").and_then(Value::as_str)
}

/// The machine, and what is done on it.
fn needs(call: &Call, more: impl IntoIterator<Item = Need>) -> Vec<Need> {
    std::iter::once(Need::host(call.receiver_needed("name"))).chain(more).collect()
}

/// A method of the handle that looks and takes no options, unless said otherwise.
const fn method(name: &'static str, args: &'static [Arg], summary: &'static str, example: &'static str) -> Spec {
    Spec { name, receiver: Some(SSH), args, options: None, returns: None, effect: Effect::Read, summary, example }
}

/// What a call is about to do, with the host it does it on.
fn told(call: &Call, what: impl std::fmt::Display) -> String {
    format!("{}: {what}", call.receiver_str("name"))
}

/// An argument that is a TCP port.
fn port(call: &Call, index: usize) -> Result<u16, Failure> {
    let port = call.args.get(index).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let wrong = || Failure::new(FailureKind::Argument, "argument `port` must be a number from 1 to 65535");
    port.filter(|port| *port > 0).ok_or_else(wrong)
}

/// A file or folder of the host.
fn touches_path(call: &Call, path: &str) -> Touches {
    let parts = path.split('/').filter(|part| !part.is_empty());
    Touches::one(["host", call.receiver_str("name"), "disk"].into_iter().chain(parts))
}

/// A part of the host that is not a file: its users, its packages.
fn touches_part(call: &Call, part: &str) -> Touches {
    Touches::one(["host", call.receiver_str("name"), part])
}

/// Runs a script that looks or makes one small change, and returns what it printed, at most so many bytes.
fn ask(context: &Context<'_>, call: &Call, what: &str, script: Script, most: usize) -> Result<Vec<u8>, Failure> {
    ask_within(context, call, what, script, most, ANSWER)
}

/// The same for one that takes its time.
fn ask_within(
    context: &Context<'_>,
    call: &Call,
    what: &str,
    script: Script,
    most: usize,
    limit: Duration,
) -> Result<Vec<u8>, Failure> {
    let target = target(context, call)?;
    let script = script.run_by(user(call));
    let asked = async { context.drivers.ssh().ask(&target, &script, most).await.map(|(output, _)| output) };
    context.wait(&format!("{what} on `{}`", target.name), limit, asked)
}
