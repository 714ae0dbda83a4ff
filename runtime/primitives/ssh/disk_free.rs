use serde_json::Value;

use super::super::disk_free::{Measured, observed, unforeseen};
use super::{ask, method, needs, told};
use crate::drivers::ssh::Space;
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Spec, Ty, handle,
};

/// The kind of the handle.
const DISK: &str = "remote_disk";

/// Measures a file system.
pub struct DiskFree;

static DISK_FREE: Spec = Spec {
    returns: Some(DISK),
    ..method(
        "disk_free",
        &[Arg::new("path", Ty::Str, "Any file or folder on the file system.")],
        "Measures the file system of the host that holds a path: total, free and used space.",
        r#"ssh("web-1").disk_free("/var/lib/docker").at_least("5GiB");"#,
    )
};

impl Primitive for DiskFree {
    fn spec(&self) -> &'static Spec {
        &DISK_FREE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("space at {}", call.str(0)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let space = measure(context, call, call.str(0))?;
        Ok(Outcome::from(value(&space, call, call.str(0))).note(format!("{} free", ByteSize(space.free))))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        foreseen(context, call, call.str(0))
    }

    fn observed(&self, _call: &Call, result: &Value) -> Value {
        observed(result)
    }
}

/// Fails when it is too full.
pub struct AtLeast;

static AT_LEAST: Spec = Spec {
    name: "at_least",
    receiver: Some(DISK),
    args: &[Arg::new("size", Ty::Size, "What must be free.")],
    options: None,
    returns: Some(DISK),
    effect: Effect::Read,
    summary: "Measures again and fails when less is free.",
    example: r#"ssh("web-1").disk_free("/").at_least("2GiB");"#,
};

impl Primitive for AtLeast {
    fn spec(&self) -> &'static Spec {
        &AT_LEAST
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("{} has at least {} free", call.receiver_str("path"), call.str(0)))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let path = call.receiver_str("path");
        let space = measure(context, call, path)?;
        space.holds(call.str(0), &format!("`{path}` on `{}`", call.receiver_str("name")))?;
        Ok(Outcome::from(value(&space, call, path)).note(format!("{} free", ByteSize(space.free))))
    }

    /// A plan takes it that there will be enough.
    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        foreseen(context, call, call.receiver_str("path"))
    }

    fn observed(&self, _call: &Call, result: &Value) -> Value {
        observed(result)
    }
}

fn foreseen(context: &Context<'_>, call: &Call, path: &str) -> Result<Prediction, Failure> {
    Ok(unforeseen(value(&measure(context, call, path)?, call, path), path))
}

fn measure(context: &Context<'_>, call: &Call, path: &str) -> Result<Measured, Failure> {
    let answer = ask(context, call, "measuring a file system", Space::question(path), 16 << 10)?;
    let answer = String::from_utf8_lossy(&answer);
    let space = Space::parse(&answer).ok_or_else(|| {
        let message = format!("`df` on `{}` answers what nobody understands", call.receiver_str("name"));
        Failure::new(FailureKind::Invalid, message).evidence("its answer", answer.trim())
    })?;
    let Space { mount, total, free, used_percent } = space;
    Ok(Measured { mount, total, free, used_percent })
}

fn value(space: &Measured, call: &Call, path: &str) -> Value {
    let mut value = handle(DISK, space.fields(path));
    value["name"] = call.receiver_str("name").into();
    if let Some(user) = super::user(call) {
        value["user"] = user.into();
    }
    value
}
