use std::collections::BTreeMap;

use serde_json::Value;

use super::output::Output;
use super::{CONTAINER, engine, log_stream, method};
use crate::drivers::docker::ExecRequest;
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Span, Spec, Ty,
};

crate::options! {
    /// Options of `exec`.
    pub struct Options {
        /// User (and group), as in `"1000:1000"`; the container's when left out.
        user: Option<String>,
        /// Environment variables on top of the container's.
        env: BTreeMap<String, String>,
        /// The folder to run in; the container's when left out.
        working_dir: Option<String>,
        /// Text the command reads from its standard input.
        stdin: Option<String>,
        /// How long it may run; then it and everything it started are killed.
        timeout: Span = Span::seconds(600),
        /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
        check: bool = true,
        /// How much of the end of each stream is returned. The log has every line, whatever is returned.
        capture: ByteSize = ByteSize(1 << 20),
        /// All rights on the host.
        privileged: bool = false,
        /// It only looks and changes nothing: a plan runs it for real.
        read_only: bool = false,
    }
}

/// Runs a command in a container.
pub struct Exec;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "exec",
        &[CONTAINER, Arg::new("command", Ty::Strings, "Program and arguments, one string each. No shell reads them.")],
        "Runs a command in a running container, logs its output, and fails when its exit code is not 0.",
        r#"docker().exec("shop-db-1", ["psql", "-U", "shop", "-c", "select 1"]);"#,
    )
};

impl Primitive for Exec {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn effect(&self, call: &Call) -> Effect {
        let read_only = call.options.get("read_only").and_then(Value::as_bool).unwrap_or(false);
        if read_only { Effect::Read } else { SPEC.effect }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let (engine, container) = (engine(context, call)?, call.str(0));
        let request = ExecRequest {
            command: call.strings(1),
            user: options.user,
            env: options.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            working_dir: options.working_dir,
            privileged: options.privileged,
            limit: Some(options.timeout.0),
        };
        if request.command.is_empty() {
            return Err(Failure::new(FailureKind::Argument, "argument `command` must name a program"));
        }
        let line = request.command.join(" ");
        let mut output = Output::keeping(options.capture);
        let mut on_line = |stream, text: &str| {
            output.line(stream, text);
            context.log(log_stream(stream), text);
        };
        let input = options.stdin.map(|text| Box::pin(std::io::Cursor::new(text.into_bytes())) as _);
        let running = engine.exec(container, &request, input, &mut on_line);
        // The request has the limit, and needs time of its own to kill what is late.
        let limit = options.timeout.0 + super::ANSWER;
        let finished = match context.wait(&format!("running `{line}` in `{container}`"), limit, running) {
            Ok(finished) => finished,
            Err(failure) if failure.kind == FailureKind::Timeout => return Err(output.explain(failure)),
            Err(failure) => return Err(failure),
        };
        if let Some(why) = finished.not_started {
            let message = format!("cannot run `{line}` in container `{container}`: {why}");
            return Err(Failure::new(FailureKind::NotFound, message).hint("the image may not have this program"));
        }
        if options.check && finished.exit_code != 0 {
            let message = format!("`{line}` in container `{container}` exited with code {}", finished.exit_code);
            return Err(output.explain(Failure::new(FailureKind::Exit, message)));
        }
        Ok(output.result(finished.exit_code).into())
    }
}
