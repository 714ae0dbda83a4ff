//! `template`: text with blanks, filled in strictly.

mod engine;
mod fault;
mod filters;

use serde_json::{Value, json};

use crate::drivers::disk::{self, Place};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, LogStream, Outcome, Primitive, Probe, Spec,
    Ty, handle,
};

/// Fills in a template.
pub struct Template;

/// The largest template, and the largest result.
const LARGEST: ByteSize = ByteSize(16 << 20);

crate::options! {
    /// Options of `template`.
    pub struct Options {
        /// The file to write; without it the text is returned and nothing is written.
        to: Option<String>,
        /// The permissions of the file, as in `"0600"`; an existing file keeps its own when left out.
        mode: Option<FileMode>,
    }
}

static SPEC: Spec = Spec {
    name: "template",
    receiver: None,
    args: &[
        Arg::new(
            "source",
            Ty::OneOf(&[Ty::Str, Ty::Map]),
            "The template's file, relative to the project's folder, or `#{ text: \"…\" }`.",
        ),
        Arg::new("values", Ty::Map, "What the template may use, by name."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Fills in a template: returns the text, or writes it to a file at once or not at all.",
    example: r#"template("Caddyfile.j2", #{ domain: "shop.example.com" }, #{ to: "Caddyfile" });"#,
};

impl Primitive for Template {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        let name = call.args.first().and_then(Value::as_str).unwrap_or(INLINE);
        match destination(call) {
            Some(to) => format!("template {name} to {to}"),
            None => format!("template {name}"),
        }
    }

    fn effect(&self, call: &Call) -> Effect {
        if destination(call).is_some() { SPEC.effect } else { Effect::Read }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        if options.to.is_none() && options.mode.is_some() {
            return Err(Failure::new(FailureKind::Option, "option `mode` has no file to apply to")
                .hint("name the file with the option `to`"));
        }
        let text = render(context, call)?;
        let Some(to) = options.to else { return Ok(Value::from(text).into()) };
        let written = disk::write(&Place::new(context.project.root(), &to)?, text.as_bytes(), options.mode)?;
        for line in written.shown() {
            context.log(LogStream::Info, &line);
        }
        let value = handle("file", json!({ "path": to, "changed": written.changed }));
        Ok(Outcome { value, changed: Some(written.changed), note: written.note() })
    }

    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        // Writing the same text once more changes nothing.
        Ok(Probe::NotDone)
    }
}

/// What a template without a file is called in messages.
const INLINE: &str = "(text)";

fn destination(call: &Call) -> Option<&str> {
    call.options.get("to").and_then(Value::as_str)
}

fn render(context: &Context<'_>, call: &Call) -> Result<String, Failure> {
    let nothing = Value::Null;
    let values = call.args.get(1).unwrap_or(&nothing);
    let root = context.project.root();
    match call.args.first() {
        Some(Value::String(path)) => {
            let source = disk::text(&Place::new(root, path)?, LARGEST)?;
            engine::render(root, path, &source, values)
        }
        Some(Value::Object(map)) if map.len() == 1 && map.get("text").is_some_and(Value::is_string) => {
            let source = map.get("text").and_then(Value::as_str).unwrap_or_default();
            engine::render(root, INLINE, source, values)
        }
        _ => Err(Failure::new(FailureKind::Argument, "argument `source` must be a path, or a map `#{ text: \"…\" }`")),
    }
}
