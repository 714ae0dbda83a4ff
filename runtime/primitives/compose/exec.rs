//! `compose.exec`: a command in the running container of a service.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::app::App;
use super::descriptor::Descriptor;
use super::{needs, scalar, touches};
use crate::drivers::docker::{Container, Engine, ExecRequest, Finished, Left, OutputStream, Trace};
use crate::primitive::{
    Action, Arg, BlockRef, Call, Change, Context, Effect, Failure, FailureKind, Guard, LogStream, Need, Outcome,
    Prediction, Primitive, Probe, Recovery, Sink, Span, Spec, Touches, Ty,
};
use crate::primitives::on_engine::command::{self, Command};
use crate::primitives::on_engine::{expected, noted, presumed, shown};

/// Runs a command in a container.
pub(super) struct Exec;

crate::options! {
    /// Options of `compose.exec`.
    pub struct Options {
        /// Text the command reads from its standard input; without it, the input is empty.
        stdin: Option<String>,
        /// User (and group) it runs as, as in `1000:1000`; the container's own when left out.
        user: Option<String>,
        /// Environment variables added to those of the container.
        env: BTreeMap<String, Value>,
        /// The folder it runs in; the container's own when left out.
        workdir: Option<String>,
        /// How long it may run; then it and everything it started are killed.
        timeout: Span = Span::seconds(600),
        /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
        check: bool = true,
        /// Which of the service's containers, counted from 1.
        number: u64 = 1,
        /// It only looks and changes nothing: a plan runs it for real.
        read_only: bool = false,
        /// Running it twice does no more than running it once: when nobody knows how it ended, a resumed run repeats it.
        idempotent: bool = false,
        /// Tells a resumed run whether it happened where nothing else does: `true`, `false`, or a map as the result.
        probe: Option<BlockRef>,
    }
}

static SPEC: Spec = Spec {
    name: "exec",
    receiver: Some("compose"),
    args: &[
        Arg::new("service", Ty::Str, "The service."),
        Arg::new("argv", Ty::Strings, "The program and its arguments, one string each. No shell reads them."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Runs a command in the running container of a service, logs its output, and fails when its exit code is not 0.",
    example: r#"let at = app.exec("api", ["alembic", "current"]).stdout;"#,
};

impl Primitive for Exec {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("exec in {}: {}", call.str(0), call.strings(1).join(" "))
    }

    fn effect(&self, call: &Call) -> Effect {
        if is_set(call, "read_only") { Effect::Read } else { SPEC.effect }
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("env", "the environment of the program"), Sink::new("stdin", "its standard input")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        program(call.strings(1))?;
        let app = App::open(context, call)?;
        let container = running(&app, &app.service(call.str(0))?.name, options.number)?;
        let command = command(&app.engine, &container.name, call, &options)?;
        let mut output = Output::default();
        let ended = command.run(context, &mut |stream, line: &str| output.line(context, stream, line));
        concluded(call, &command, &options, output, ended)
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
        // The files may be others by now; the container is the one that was noted.
        let app = App::without_files(context, Descriptor::of(call)?)?;
        let trace = noted::<Trace>(context).unwrap_or_default();
        let found = match trace.container.as_str() {
            "" => None,
            id => app.look("looking for a container", app.engine.find(id))?,
        };
        let name = found.map_or(trace.container, |found| found.name);
        let command = command(&app.engine, &name, call, &options)?;
        let mut output = Output::default();
        let left = command.left(context, &mut |stream, line: &str| output.line(context, stream, line));
        let ended = match left {
            Ok(Left::NotStarted) => return Ok(Probe::NotDone),
            Ok(Left::Ended(finished)) => concluded(call, &command, &options, output, Ok(finished)),
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
        let (Ok(options), Ok(descriptor)) = (call.options::<Options>(), Descriptor::of(call)) else { return };
        let Ok(app) = App::without_files(context, descriptor) else { return };
        let existing = app.existing().ok();
        let place = (call.str(0).to_owned(), options.number);
        if let Some(container) = existing.as_ref().and_then(|existing| existing.serving.get(&place)) {
            command::forget(context, &app.engine, &container.id, options.user.as_deref());
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| match self.effect(call) {
            Effect::Read => paths.look_at_project(project),
            _ => paths.project(project),
        })
    }

    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let value = expected(&shown(&call.strings(1)));
        Ok(match self.effect(call) {
            Effect::Read => Prediction::nothing(value),
            _ => Prediction::one(change(call), value),
        })
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call).filter(|_| self.effect(call) != Effect::Read)
    }
}

fn is_set(call: &Call, option: &str) -> bool {
    call.options.get(option).and_then(Value::as_bool).unwrap_or(false)
}

fn command<'a>(engine: &'a Engine, container: &'a str, call: &Call, options: &Options) -> Result<Command<'a>, Failure> {
    let request = ExecRequest {
        command: call.strings(1),
        user: options.user.clone(),
        env: variables(&options.env)?,
        working_dir: options.workdir.clone(),
        limit: Some(options.timeout.0),
        ..ExecRequest::default()
    };
    Ok(Command { engine, container, request, input: options.stdin.clone(), kept: !options.read_only })
}

fn change(call: &Call) -> Change {
    let what = format!("{} in {} of {}", shown(&call.strings(1)), call.str(0), call.receiver_str("name"));
    Change::new(Action::Run, what)
}

/// The end of a command, for the script.
fn concluded(
    call: &Call,
    command: &Command<'_>,
    options: &Options,
    output: Output,
    ended: Result<Finished, Failure>,
) -> Result<Outcome, Failure> {
    let (line, container) = (command.line(), command.container);
    let finished = ended.map_err(|failure| output.explain(failure))?;
    if let Some(why) = finished.not_started {
        return Err(Failure::new(
            FailureKind::Exit,
            format!("`{line}` could not be started in container `{container}`: {why}"),
        ));
    }
    if options.check && finished.exit_code != 0 {
        let code = finished.exit_code;
        return Err(output.explain(Failure::new(
            FailureKind::Exit,
            format!("`{line}` in container `{container}` ended with exit code {code}"),
        )));
    }
    let outcome = Outcome::from(output.result(finished.exit_code, None));
    Ok(if options.read_only { outcome } else { outcome.made([change(call)]) })
}

/// The command must name a program.
pub(super) fn program(argv: Vec<String>) -> Result<Vec<String>, Failure> {
    match argv.first() {
        Some(first) if !first.is_empty() => Ok(argv),
        _ => Err(Failure::new(FailureKind::Argument, "argument `argv` names no program")),
    }
}

/// `NAME=value` lines out of an option.
pub(super) fn variables(env: &BTreeMap<String, Value>) -> Result<Vec<String>, Failure> {
    env.iter()
        .map(|(name, value)| {
            scalar(value).map(|value| format!("{name}={value}")).ok_or_else(|| {
                Failure::new(FailureKind::Option, format!("option `env.{name}` must be a string, a number or a bool"))
            })
        })
        .collect()
}

fn running(app: &App<'_>, service: &str, number: u64) -> Result<Container, Failure> {
    let mut existing = app.existing()?;
    let found = existing.serving.remove(&(service.to_owned(), number));
    let Some(container) = found else {
        let failure = Failure::new(
            FailureKind::NotFound,
            match number {
                1 => format!("service `{service}` has no container"),
                _ => format!("service `{service}` has no container number {number}"),
            },
        );
        return Err(failure.hint("start it with `up`, or use `run`, which makes a container of its own"));
    };
    if !container.is_running() {
        let code = container.exit_code.map_or_else(String::new, |code| format!(", exit code {code}"));
        return Err(Failure::new(
            FailureKind::Conflict,
            format!("container `{}` of service `{service}` is not running: {}{code}", container.name, container.state),
        )
        .hint("start it with `up`, or use `run`, which makes a container of its own"));
    }
    Ok(container)
}

/// What a command printed, for the result and for evidence.
#[derive(Default)]
pub(super) struct Output {
    stdout: String,
    stderr: String,
    last: std::collections::VecDeque<String>,
    truncated: bool,
}

/// How much of each stream is returned: its end.
const KEPT: usize = 1 << 20;
/// Lines shown when it fails.
const LINES: usize = 30;

impl Output {
    /// A line came.
    pub fn line(&mut self, context: &Context<'_>, stream: OutputStream, line: &str) {
        let (text, log) = match stream {
            OutputStream::Stdout => (&mut self.stdout, LogStream::Stdout),
            OutputStream::Stderr => (&mut self.stderr, LogStream::Stderr),
        };
        context.log(log, line);
        text.push_str(line);
        text.push('\n');
        if text.len() > KEPT * 2 {
            let cut = (text.len() - KEPT..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.drain(..cut);
            self.truncated = true;
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > LINES {
            self.last.pop_front();
        }
    }

    /// The last lines beside a failure.
    pub fn explain(&self, failure: Failure) -> Failure {
        if self.last.is_empty() || failure.is_passing_through() {
            return failure;
        }
        failure.evidence("last lines of output", self.last.iter().cloned().collect::<Vec<_>>().join("\n"))
    }

    /// The value for the script.
    pub fn result(self, code: i64, container: Option<&str>) -> Value {
        let without_end = |text: String| text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
        let mut value = json!({
            "code": code,
            "ok": code == 0,
            "truncated": self.truncated,
            "stdout": without_end(self.stdout),
            "stderr": without_end(self.stderr),
        });
        if let (Some(container), Some(map)) = (container, value.as_object_mut()) {
            map.insert("container".into(), container.into());
        }
        value
    }
}
