//! `compose.logs`: what the containers of a service printed.

use serde_json::Value;

use super::app::App;
use super::{needs, touches};
use crate::drivers::docker::LogRequest;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Span, Spec, Touches, Ty,
};

/// Reads logs.
pub(super) struct Logs;

crate::options! {
    /// Options of `compose.logs`.
    pub struct Options {
        /// At most so many of the last lines of each container.
        tail: usize = 100,
        /// Only what was printed within this time.
        since: Option<Span>,
        /// Each line with its time in front.
        timestamps: bool = false,
    }
}

static SPEC: Spec = Spec {
    name: "logs",
    receiver: Some("compose"),
    args: &[Arg::new("service", Ty::Str, "The service.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Returns the last lines that the containers of a service printed, in one string.",
    example: r#"let lines = app.logs("api", #{ tail: 20, since: "10m" });"#,
};

impl Primitive for Logs {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("read the log of {}", call.str(0))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let app = App::open(context, call)?;
        let service = &app.service(call.str(0))?.name;
        let since = options.since.map(|span| {
            let seconds = i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX);
            jiff::Timestamp::now().as_second().saturating_sub(seconds)
        });
        let request = LogRequest { tail: Some(options.tail), since, timestamps: options.timestamps };
        let existing = app.existing()?;
        let containers: Vec<_> = existing.of(service).map(|(_, container)| container).collect();
        if containers.is_empty() {
            return Err(Failure::new(FailureKind::NotFound, format!("service `{service}` has no container")));
        }
        let mut text = Vec::new();
        for container in &containers {
            let what = format!("reading the log of `{}`", container.name);
            for (_, line) in app.look(&what, app.engine.logs(&container.id, &request))? {
                text.push(if containers.len() > 1 { format!("{} | {line}", container.name) } else { line });
            }
        }
        let note = super::count(text.len(), "line");
        Ok(Outcome::from(Value::from(text.join("\n"))).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.look_at_project(project))
    }

    /// It goes on while nobody changes anything.
    fn observed(&self, _: &Call, _: &Value) -> Value {
        Value::Null
    }
}
