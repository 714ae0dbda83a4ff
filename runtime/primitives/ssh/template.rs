use super::super::template::render;
use super::super::writing::{PRIVATE, is_private};
use super::placed::Placed;
use super::{method, needs, told, touches_path};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, FileMode, Need, Outcome, Prediction, Primitive, Probe, Recovery,
    Sink, Spec, Touches, Ty, text_of, unknown_within,
};

crate::options! {
    /// Options of `ssh.template`.
    pub struct Options {
        /// The file of the host to write; it must be given.
        to: Option<String>,
        /// The permissions, as in `"0600"`. Without it an existing file keeps its own and a new one gets `0644`.
        mode: Option<FileMode>,
        /// User and group, as in `"www-data:www-data"`. Without it an existing file keeps its own.
        owner: Option<String>,
    }
}

/// Fills in a template of this machine, and makes it a file of the host.
pub struct Template;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "template",
        &[
            Arg::new(
                "source",
                Ty::OneOf(&[Ty::Str, Ty::Map]),
                "The template's file, relative to the project's folder, or `#{ text: \"…\" }`.",
            ),
            Arg::new("values", Ty::Map, "What the template may use, by name."),
        ],
        "Fills in a template of the project and makes it the content of a file of the host, at once or not at all.",
        r#"ssh("web-1").template("Caddyfile.j2", #{ domain: "shop.example.com" }, #{ to: "/etc/caddy/Caddyfile" });"#,
    )
};

impl Primitive for Template {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        let source = call.args.first().filter(|source| source.get("text").is_none());
        let read = source.map(|source| Need::read(text_of(Some(source))));
        needs(call, read.into_iter().chain([Need::write(text_of(call.options.get("to")))]))
    }

    fn preview(&self, call: &Call) -> String {
        let source = call.args.first().and_then(serde_json::Value::as_str).unwrap_or("(text)");
        told(call, format!("template {source} to {}", destination(call)))
    }

    fn sinks(&self, call: &Call) -> Vec<Sink> {
        vec![Sink::new("values", "a file of mode 0600").once(is_private(call), PRIVATE)]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let text = render(context, call)?.unwrap_or_default();
        placed(call, Some(&text))?.write(context, call)
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let text = render(context, call)?.unwrap_or_default();
        placed(call, Some(&text))?.probe(context, call)
    }

    fn touches(&self, _: &Context<'_>, call: &Call) -> Touches {
        touches_path(call, destination(call))
    }

    /// Which file is written, and as whose, is what a plan must know.
    fn foresees(&self, call: &Call) -> bool {
        unknown_within(&call.receiver).or(unknown_within(&call.options)).is_none()
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let text = if call.is_known() { render(context, call)? } else { None };
        placed(call, text.as_deref())?.foresee(context, call)
    }
}

fn destination(call: &Call) -> &str {
    call.options.get("to").and_then(serde_json::Value::as_str).unwrap_or_default()
}

fn placed<'a>(call: &'a Call, text: Option<&'a str>) -> Result<Placed<'a>, Failure> {
    let options: Options = call.options()?;
    if options.to.is_none() {
        return Err(Failure::new(FailureKind::Option, "option `to` must name the file of the host"));
    }
    Ok(Placed { path: destination(call), text, mode: options.mode, owner: options.owner })
}
