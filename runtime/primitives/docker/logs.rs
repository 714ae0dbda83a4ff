use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::Value;

use super::{CONTAINER, engine, method, needs, touches};
use crate::drivers::docker::{Engine, LogRequest, OutputStream};
use crate::primitive::{Call, Context, Failure, FailureKind, Need, Outcome, Primitive, Span, Spec, Touches};

crate::options! {
    /// Options of `logs`.
    pub struct Options {
        /// At most so many of the last lines.
        tail: Option<usize>,
        /// Only lines of the last so long.
        since: Option<Span>,
        /// Each line with its time in front.
        timestamps: bool = false,
        /// Follow the log until a line contains this text; with `tail: 0` only lines from now on count.
        wait_for: Option<String>,
        /// How long to follow at most.
        timeout: Span = Span::seconds(60),
    }
}

/// What a container printed.
pub struct Logs;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    ..method(
        "logs",
        &[CONTAINER],
        "Returns what a container printed, both streams in one text; with `wait_for`, follows it to a line with that text.",
        r#"docker().logs("shop-web-1", #{ wait_for: "listening on", timeout: "30s" });"#,
    )
};

impl Primitive for Logs {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&SPEC, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let since = options.since.map(|span| {
            let ago = i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX);
            Timestamp::now().as_second().saturating_sub(ago)
        });
        let request = LogRequest { tail: options.tail, since, timestamps: options.timestamps };
        let (engine, container) = (engine(context, call)?, call.str(0));
        let Some(wanted) = options.wait_for else {
            let read = engine.logs(container, &request);
            let lines = context.wait("reading a log", options.timeout.0, read)?;
            let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
            return Ok(Outcome::from(Value::from(lines.join("\n"))));
        };
        let what = format!("waiting for `{wanted}` in the log of `{container}`");
        match context.wait(&what, options.timeout.0, follow(&engine, container, &request, &wanted)) {
            Ok(lines) => Ok(Outcome::from(Value::from(lines))),
            Err(failure) if failure.kind == FailureKind::Timeout => {
                let diagnosis = async { Ok(engine.diagnose(container, failure).await) };
                Err(context.wait("looking at a container", super::ANSWER, diagnosis)?)
            }
            Err(failure) => Err(failure),
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_container(call.str(0)))
    }

    /// It goes on while nobody changes anything.
    fn observed(&self, _: &Call, _: &Value) -> Value {
        Value::Null
    }
}

/// Reads along until a line contains the text; returns everything up to it.
async fn follow(engine: &Engine, container: &str, request: &LogRequest, wanted: &str) -> Result<String, Failure> {
    let mut stream = std::pin::pin!(engine.follow(container, request).await?);
    let mut lines: Vec<String> = Vec::new();
    let mut found = false;
    let mut splitter = crate::drivers::docker::Lines::default();
    while !found {
        let mut keep = |_: OutputStream, line: &str| {
            if !found {
                found = line.contains(wanted);
                lines.push(line.to_owned());
            }
        };
        if let Some(chunk) = stream.next().await {
            splitter.push(&chunk?, &mut keep);
            continue;
        }
        splitter.finish(&mut keep);
        if !found {
            let failure =
                Failure::new(FailureKind::Check, format!("container `{container}` ended without printing `{wanted}`"));
            return Err(engine.diagnose(container, failure).await);
        }
    }
    Ok(lines.join("\n"))
}
