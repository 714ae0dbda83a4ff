//! `folder(path)` and what can be done with a folder of this machine.

mod create;
mod list;
mod remove;

use serde_json::{Value, json};

use crate::drivers::disk::{self, Place};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, Left, Need, Outcome, Prediction, Primitive, Spec, Touches, Ty, handle,
};

/// The kind of the handle.
pub const FOLDER: &str = "folder";

/// Every primitive of this file and its folder.
pub const ALL: &[&dyn Primitive] = &[&Folder, &Exists, &create::Create, &list::List, &remove::Remove];

/// Names a folder.
pub struct Folder;

static FOLDER_SPEC: Spec = Spec {
    name: "folder",
    receiver: None,
    args: &[Arg::new("path", Ty::Str, "The path, relative to the project's folder. The folder need not exist.")],
    options: None,
    returns: Some(FOLDER),
    effect: Effect::Pure,
    summary: "Names a folder, to make, list or remove it.",
    example: r#"folder("releases").create();"#,
};

impl Primitive for Folder {
    fn spec(&self) -> &'static Spec {
        &FOLDER_SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        Place::new(context.project.root(), call.str(0))?;
        Ok(handle(FOLDER, json!({ "path": call.str(0) })).into())
    }
}

/// Is it there?
pub struct Exists;

static EXISTS: Spec = Spec {
    name: "exists",
    receiver: Some(FOLDER),
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Is there a folder of this name? A link is what it leads to.",
    example: r#"if !folder("releases").exists() { info("nothing was released yet") }"#,
};

impl Primitive for Exists {
    fn spec(&self) -> &'static Spec {
        &EXISTS
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let found = disk::exists(&place(context, call)?)?;
        Ok(Value::from(found.is_some_and(|metadata| metadata.is_dir())).into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        Ok(match context.left(&place(context, call)?) {
            Some((Left::Folder { .. } | Left::Tree, true)) => Prediction::nothing(true),
            Some((Left::Gone | Left::File { .. }, true)) => Prediction::nothing(false),
            _ => Prediction::unseen(&self.preview(call)),
        })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// Where the receiver of a method is.
fn place(context: &Context<'_>, call: &Call) -> Result<Place, Failure> {
    context.readable(call.receiver_str("path"))
}

/// What a method on this folder touches: the folder and all in it.
fn touches(context: &Context<'_>, call: &Call) -> Touches {
    context.touches(call.receiver_str("path"))
}

/// The folder's name in a list of changes.
fn named(call: &Call) -> String {
    format!("folder {}", call.receiver_str("path").trim_end_matches('/'))
}
