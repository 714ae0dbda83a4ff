//! What `docker` and `compose` share: commands in containers and one-off containers, which must be known again after
//! the process that started them died, and never be run twice for it; and the words for what is changed on an engine.

pub mod command;
pub mod image;
pub mod one_off;
pub mod touches;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::drivers::docker::OVER_SSH;
use crate::primitive::{Change, Context, Failure, FailureKind, Need, kind_of, text_of, unknown};

/// The address of the engine that a script names: an address, a `docker` handle, or an `ssh` handle for the engine of that
/// host.
pub fn engine_of(value: &Value) -> Result<Value, Failure> {
    match (kind_of(value), value) {
        (Some("ssh"), host) => Ok(format!("{OVER_SSH}{}", text_of(host.get("name"))).into()),
        (Some("docker"), engine) => Ok(engine.get("host").cloned().unwrap_or_default()),
        (None, Value::String(address)) => Ok(address.clone().into()),
        _ => Err(Failure::new(FailureKind::Option, "the engine must be an ssh or docker handle or an address")),
    }
}

/// The machine that an engine is on, as it has to be granted.
pub fn machine(address: &str) -> Need {
    Need::host(address.strip_prefix(OVER_SSH).unwrap_or(address))
}

/// The label with the name of the call that made a container, network or volume. No other call has that name, and it
/// stays the same when a run is resumed.
pub const KEY: &str = "dev.runbook.key";

/// The label with the name of the call that put a container into its place of an application.
pub const PLACED_BY: &str = "dev.runbook.placed-by";

/// The name of a call in a form that file and container names can have.
pub fn short_key(context: &Context<'_>) -> String {
    let digest = Sha256::digest(context.key());
    digest[..8].iter().fold(String::new(), |text, byte| text + format!("{byte:02x}").as_str())
}

/// Does this label hold the call's own name?
pub fn is_own(context: &Context<'_>, labels: &BTreeMap<String, String>, label: &str) -> bool {
    labels.get(label).is_some_and(|key| *key == context.key())
}

/// What the call noted about itself before its process died; `None` when it did not come so far.
pub fn noted<T: for<'de> Deserialize<'de>>(context: &Context<'_>) -> Option<T> {
    serde_json::from_value(context.marker.clone()?).ok()
}

/// The last that earlier calls of the plan do to a thing, as in `container shop-web-1`.
pub fn fate(context: &Context<'_>, what: &str) -> Option<Change> {
    context.services.planned().into_iter().rev().find(|change| change.what == what)
}

/// Adds changes that are not there yet.
pub fn add(all: &mut Vec<Change>, more: impl IntoIterator<Item = Change>) {
    for change in more {
        if !all.iter().any(|known| (known.action, &known.what) == (change.action, &change.what)) {
            all.push(change);
        }
    }
}

/// The detail of a container that is stopped.
pub const STOPPED: &str = "stopped";
/// The detail of a container that is started.
pub const STARTED: &str = "started";
/// The detail of a container that is restarted.
pub const RESTARTED: &str = "restarted";

/// A command in one line, as a change names it.
pub fn shown(command: &[String]) -> String {
    let line = command.join(" ");
    let first = line.lines().next().unwrap_or_default();
    let is_short = first.chars().count() <= 80 && first.len() == line.len();
    if is_short { format!("`{first}`") } else { format!("`{}…`", first.chars().take(79).collect::<String>()) }
}

/// What a command returned of which a person only knows that it ended well.
pub fn presumed() -> Value {
    serde_json::json!({ "code": 0, "ok": true, "truncated": false, "stdout": "", "stderr": "" })
}

/// What a command will return that is expected to go well.
pub fn expected(what: &str) -> Value {
    let printed = |stream| unknown(format!("what {what} prints to {stream}"));
    serde_json::json!({
        "code": 0, "ok": true, "truncated": unknown(format!("how much {what} prints")),
        "stdout": printed("stdout"), "stderr": printed("stderr"),
    })
}
