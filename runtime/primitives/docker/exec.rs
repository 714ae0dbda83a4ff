use std::collections::BTreeMap;

use serde_json::Value;

use super::output::Output;
use super::{CONTAINER, engine, log_stream, method, needs, touches};
use crate::drivers::docker::{ExecRequest, Finished, Left};
use crate::primitive::{
    Action, Arg, BlockRef, ByteSize, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Sink, Span, Spec, Touches, Ty,
};
use crate::primitives::on_engine::command::{self, Command};
use crate::primitives::on_engine::{expected, presumed, shown};

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
        /// Running it twice does no more than running it once: when nobody knows how it ended, a resumed run repeats it.
        idempotent: bool = false,
        /// Tells a resumed run whether it happened where nothing else does: `true`, `false`, or a map as the result.
        probe: Option<BlockRef>,
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&SPEC, call, [call.needed(0)])
    }

    fn effect(&self, call: &Call) -> Effect {
        let read_only = call.options.get("read_only").and_then(Value::as_bool).unwrap_or(false);
        if read_only { Effect::Read } else { SPEC.effect }
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("env", "the environment of the program"), Sink::new("stdin", "its standard input")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        let command = command(&engine, call, &options);
        if command.request.command.is_empty() {
            return Err(Failure::new(FailureKind::Argument, "argument `command` must name a program"));
        }
        let mut output = Output::keeping(options.capture);
        let mut on_line = |stream, text: &str| {
            output.line(stream, text);
            context.log(log_stream(stream), text);
        };
        match command.run(context, &mut on_line) {
            Ok(finished) => concluded(call, &command, &options, output, finished),
            Err(failure) if failure.kind == FailureKind::Timeout => Err(output.explain(failure)),
            Err(failure) => Err(failure),
        }
    }

    /// Even what may be repeated is looked after first: while it still runs, it must not be started beside itself.
    fn recovery(&self, call: &Call) -> Recovery {
        if self.effect(call) == Effect::Read { Recovery::Pure } else { Recovery::Probe }
    }

    fn presumed(&self, _call: &Call) -> Value {
        presumed()
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        let command = command(&engine, call, &options);
        let mut output = Output::keeping(options.capture);
        let mut on_line = |stream, text: &str| {
            output.line(stream, text);
            context.log(log_stream(stream), text);
        };
        let ended = match command.left(context, &mut on_line) {
            Ok(Left::NotStarted) => return Ok(Probe::NotDone),
            Ok(Left::Ended(finished)) => concluded(call, &command, &options, output, finished),
            Ok(Left::Killed) => Err(output.explain(command.killed())),
            Ok(Left::Unknown(Some(code))) if code != 0 && options.check => Err(command.silent(code)),
            Ok(Left::Unknown(_)) => return Probe::by_script(call, options.probe, options.idempotent, presumed()),
            Err(failure) if failure.kind == FailureKind::Timeout => Err(output.explain(failure)),
            Err(failure) => return Err(failure),
        };
        Ok(ended.map_or_else(Probe::Failed, Probe::Done))
    }

    fn leaves_marker(&self, call: &Call) -> bool {
        self.recovery(call) == Recovery::Probe
    }

    fn clean_up(&self, context: &Context<'_>, call: &Call) {
        if let (Ok(engine), Ok(options)) = (engine(context, call), call.options::<Options>()) {
            command::forget(context, &engine, call.str(0), options.user.as_deref());
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| match self.effect(call) {
            Effect::Read => paths.look_at_container(call.str(0)),
            _ => paths.container(call.str(0)),
        })
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let value = expected(&shown(&call.strings(1)));
        Ok(match self.effect(call) {
            Effect::Read => Prediction::nothing(value),
            _ => Prediction::one(change(call), value),
        })
    }
}

fn command<'a>(engine: &'a crate::drivers::docker::Engine, call: &'a Call, options: &Options) -> Command<'a> {
    Command {
        engine,
        container: call.str(0),
        request: ExecRequest {
            command: call.strings(1),
            user: options.user.clone(),
            env: options.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            working_dir: options.working_dir.clone(),
            privileged: options.privileged,
            limit: Some(options.timeout.0),
            mark: String::new(),
        },
        input: options.stdin.clone(),
        kept: !options.read_only,
    }
}

fn change(call: &Call) -> Change {
    Change::new(Action::Run, format!("{} in container {}", shown(&call.strings(1)), call.str(0)))
}

/// The end of a command, for the script.
fn concluded(
    call: &Call,
    command: &Command<'_>,
    options: &Options,
    output: Output,
    finished: Finished,
) -> Result<Outcome, Failure> {
    let (line, container) = (command.line(), command.container);
    if let Some(why) = finished.not_started {
        let message = format!("cannot run `{line}` in container `{container}`: {why}");
        return Err(Failure::new(FailureKind::NotFound, message).hint("the image may not have this program"));
    }
    if options.check && finished.exit_code != 0 {
        let message = format!("`{line}` in container `{container}` exited with code {}", finished.exit_code);
        return Err(output.explain(Failure::new(FailureKind::Exit, message)));
    }
    let outcome = Outcome::from(output.result(finished.exit_code));
    Ok(if options.read_only { outcome } else { outcome.made([change(call)]) })
}
