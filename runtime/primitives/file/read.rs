use serde_json::Value;

use super::super::writing;
use super::{FILE, place, touches};
use crate::drivers::disk;
use crate::primitive::{
    ByteSize, Call, Context, Effect, Failure, Left, Need, Outcome, Prediction, Primitive, Spec, Touches,
};

crate::options! {
    /// Options of `file.read` and `file.lines`.
    pub struct Options {
        /// The largest file that is read.
        max: ByteSize = ByteSize(16 << 20),
    }
}

/// The largest file that a plan has in mind.
const LARGEST: ByteSize = ByteSize(16 << 20);

/// A method that looks at a file and takes no arguments.
const fn method(name: &'static str, summary: &'static str, example: &'static str) -> Spec {
    Spec { name, receiver: Some(FILE), args: &[], options: None, returns: None, effect: Effect::Read, summary, example }
}

/// The text as planned changes leave it, where one of them is about this file.
fn planned_text(context: &Context<'_>, call: &Call) -> Result<Option<String>, Failure> {
    let place = place(context, call)?;
    if context.left(&place).is_none() { Ok(None) } else { writing::text_then(context, &place, LARGEST) }
}

/// The whole text.
pub struct Read;

static READ: Spec = Spec {
    options: Some(Options::SPEC),
    ..method("read", "Returns the text of the file.", r#"let text = file("VERSION").read();"#)
};

impl Primitive for Read {
    fn spec(&self) -> &'static Spec {
        &READ
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        Ok(Value::from(disk::text(&place(context, call)?, options.max)?).into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let text = planned_text(context, call)?;
        Ok(text.map_or_else(|| Prediction::unseen(&self.preview(call)), Prediction::nothing))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// The text as a list.
pub struct Lines;

static LINES: Spec = Spec {
    options: Some(Options::SPEC),
    ..method(
        "lines",
        "Returns the lines of the file as a list.",
        r#"for host in file("hosts.txt").lines() { info(host) }"#,
    )
};

impl Primitive for Lines {
    fn spec(&self) -> &'static Spec {
        &LINES
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let text = disk::text(&place(context, call)?, options.max)?;
        Ok(text.lines().collect::<Value>().into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let text = planned_text(context, call)?;
        Ok(text.map_or_else(
            || Prediction::unseen(&self.preview(call)),
            |text| Prediction::nothing(text.lines().collect::<Value>()),
        ))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// Is it there?
pub struct Exists;

static EXISTS: Spec = method(
    "exists",
    "Is there a file of this name? A folder is not a file; a link is what it leads to.",
    r#"if file("maintenance.flag").exists() { warn("maintenance mode is on") }"#,
);

impl Primitive for Exists {
    fn spec(&self) -> &'static Spec {
        &EXISTS
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let found = disk::exists(&place(context, call)?)?;
        Ok(Value::from(found.is_some_and(|metadata| !metadata.is_dir())).into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        Ok(match context.left(&place(context, call)?) {
            Some((Left::File { .. }, true)) => Prediction::nothing(true),
            Some((Left::Gone | Left::Folder { .. } | Left::Tree, true)) => Prediction::nothing(false),
            _ => Prediction::unseen(&self.preview(call)),
        })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// How large?
pub struct Size;

static SIZE: Spec =
    method("size", "Returns the size of the file in bytes.", r#"info(`${file("app.db").size()} bytes`);"#);

impl Primitive for Size {
    fn spec(&self) -> &'static Spec {
        &SIZE
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let (_, metadata) = disk::open(&place(context, call)?)?;
        Ok(Value::from(metadata.len()).into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let text = planned_text(context, call)?;
        Ok(text.map_or_else(|| Prediction::unseen(&self.preview(call)), |text| Prediction::nothing(text.len())))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

/// Which content?
pub struct Checksum;

static CHECKSUM: Spec = method(
    "checksum",
    "Returns the SHA-256 of the content as 64 hexadecimal digits.",
    r#"let sum = file("release.tar.gz").checksum();"#,
);

impl Primitive for Checksum {
    fn spec(&self) -> &'static Spec {
        &CHECKSUM
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let sum = disk::checksum(&place(context, call)?, &|| context.still_wanted())?;
        Ok(Value::from(sum).into())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let text = planned_text(context, call)?;
        Ok(text.map_or_else(
            || Prediction::unseen(&self.preview(call)),
            |text| Prediction::nothing(disk::checksum_of(text.as_bytes())),
        ))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}
