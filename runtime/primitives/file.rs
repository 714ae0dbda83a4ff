//! `file(path)` and what can be done with a file of this machine.

mod copy;
mod read;
mod remove;
mod write;

use serde_json::{Value, json};

use crate::drivers::disk::{Place, Written};
use crate::primitive::{Arg, Call, Context, Effect, Failure, LogStream, Outcome, Primitive, Spec, Ty, handle};

/// The kind of the handle.
pub const FILE: &str = "file";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[
    &File,
    &read::Read,
    &read::Lines,
    &read::Exists,
    &read::Size,
    &read::Checksum,
    &write::Write,
    &write::AppendLine,
    &copy::Copy,
    &remove::Remove,
];

/// Names a file.
pub struct File;

static SPEC: Spec = Spec {
    name: "file",
    receiver: None,
    args: &[Arg::new("path", Ty::Str, "The path, relative to the project's folder. The file need not exist.")],
    options: None,
    returns: Some(FILE),
    effect: Effect::Pure,
    summary: "Names a file, to read, write, copy or remove it.",
    example: r#"file("conf/app.toml").write("port = 8080\n", #{ mode: "0640" });"#,
};

impl Primitive for File {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Place::new(context.project.root(), call.str(0))?;
        Ok(handle(FILE, json!({ "path": call.str(0) })).into())
    }
}

/// Where the receiver of a method is.
fn place(context: &Context<'_>, call: &Call) -> Result<Place, Failure> {
    Place::new(context.project.root(), call.receiver_str("path"))
}

/// The file again, with `changed` for scripts that act on it.
fn value(path: &str, changed: bool) -> Value {
    handle(FILE, json!({ "path": path, "changed": changed }))
}

/// The result of a write; the log gets the lines that differ.
fn outcome(context: &Context<'_>, path: &str, written: &Written) -> Outcome {
    for line in written.shown() {
        context.log(LogStream::Info, &line);
    }
    Outcome { value: value(path, written.changed), changed: Some(written.changed), note: written.note() }
}
