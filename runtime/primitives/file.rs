//! `file(path)` and what can be done with a file of this machine.

mod copy;
mod read;
mod remove;
mod write;

use serde_json::json;

use crate::drivers::disk::Place;
use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches, Ty, handle};

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

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Place::new(context.project.root(), call.str(0))?;
        Ok(handle(FILE, json!({ "path": call.str(0) })).into())
    }
}

/// Where the receiver of a method is.
fn place(context: &Context<'_>, call: &Call) -> Result<Place, Failure> {
    context.readable(call.receiver_str("path"))
}

/// What a method on this file touches: the file itself.
fn touches(context: &Context<'_>, call: &Call) -> Touches {
    context.touches(call.receiver_str("path"))
}
