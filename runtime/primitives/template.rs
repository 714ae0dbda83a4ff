//! `template`: text with blanks, filled in strictly.

mod engine;
mod fault;
mod filters;

use serde_json::Value;

use super::writing::{self, PRIVATE, is_private};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, FileMode, Need, Outcome, Prediction, Primitive, Probe,
    Recovery, Sink, Spec, Touches, Ty, text_of, unknown_within,
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        {
            let source = call.args.first().filter(|source| source.get("text").is_none());
            let written = call.options.get("to").filter(|to| !to.is_null());
            let reads = source.map(|source| Need::read(text_of(Some(source))));
            reads.into_iter().chain(written.map(|to| Need::write(text_of(Some(to))))).collect()
        }
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

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        vec![Sink::new("values", "a file of mode 0600").once(is_private(call), PRIVATE)]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        if options.to.is_none() && options.mode.is_some() {
            return Err(Failure::new(FailureKind::Option, "option `mode` has no file to apply to")
                .hint("name the file with the option `to`"));
        }
        let text = render(context, call)?.unwrap_or_default();
        let Some(to) = options.to else { return Ok(Value::from(text).into()) };
        writing::write(context, &to, &text, options.mode)
    }

    fn recovery(&self, call: &Call) -> Recovery {
        if destination(call).is_some() { Recovery::Probe } else { Recovery::Pure }
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        writing::probe(context, destination(call).unwrap_or_default())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        match (destination(call), call.args.first()) {
            (Some(to), _) => context.touches(to),
            // What it includes lies anywhere in the project.
            (None, Some(Value::String(_))) => Touches::disk(context.project.root()),
            (None, _) => Touches::Nothing,
        }
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let is_known = call.is_known();
        let text = if is_known { render(context, call)? } else { None };
        match (options.to, text) {
            (Some(to), text) => writing::foresee(context, &to, text.as_deref(), options.mode),
            (None, Some(text)) => Ok(Prediction::nothing(text)),
            (None, None) => Ok(Prediction::unseen(&self.preview(call))),
        }
    }

    /// Which file is written, and with what mode, is what a plan must know.
    fn foresees(&self, call: &Call) -> bool {
        unknown_within(&call.options).is_none()
    }
}

/// What a template without a file is called in messages.
const INLINE: &str = "(text)";

fn destination(call: &Call) -> Option<&str> {
    call.options.get("to").and_then(Value::as_str)
}

/// The text; `None` when a plan does not know the template.
pub(super) fn render(context: &Context<'_>, call: &Call) -> Result<Option<String>, Failure> {
    let nothing = Value::Null;
    let values = call.args.get(1).unwrap_or(&nothing);
    let root = context.project.root();
    let granted = |name: &str| context.granted(&Need::read(name));
    match call.args.first() {
        Some(Value::String(path)) => {
            let source = writing::text_then(context, &context.readable(path)?, LARGEST)?;
            source.map(|source| engine::render(root, path, &source, values, &granted)).transpose()
        }
        Some(Value::Object(map)) if map.len() == 1 && map.get("text").is_some_and(Value::is_string) => {
            let source = map.get("text").and_then(Value::as_str).unwrap_or_default();
            engine::render(root, INLINE, source, values, &granted).map(Some)
        }
        _ => Err(Failure::new(FailureKind::Argument, "argument `source` must be a path, or a map `#{ text: \"…\" }`")),
    }
}
