//! `compose.exec`: a command in the running container of a service.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use serde_json::{Value, json};

use super::app::App;
use super::scalar;
use crate::drivers::docker::{Container, ExecRequest, OutputStream};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Span, Spec, Ty,
};

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

    fn preview(&self, call: &Call) -> String {
        format!("exec in {}: {}", call.str(0), call.strings(1).join(" "))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let argv = program(call.strings(1))?;
        let app = App::open(context, call)?;
        let container = running(&app, &app.service(call.str(0))?.name, options.number)?;
        let request = ExecRequest {
            command: argv.clone(),
            user: options.user,
            env: variables(&options.env)?,
            working_dir: options.workdir,
            privileged: false,
            limit: Some(options.timeout.0),
        };
        let input = options.stdin.map(|text| Box::pin(Cursor::new(text.into_bytes())) as _);
        let mut output = Output::default();
        let mut keep = |stream, line: &str| output.line(context, stream, line);
        let line = argv.join(" ");
        let what = format!("running `{line}` in `{}`", container.name);
        let limit = options.timeout.0 + Duration::from_secs(10);
        let finished = context.wait(&what, limit, app.engine.exec(&container.id, &request, input, &mut keep));
        let finished = finished.map_err(|failure| output.explain(failure))?;
        if let Some(why) = finished.not_started {
            return Err(Failure::new(
                FailureKind::Exit,
                format!("`{line}` could not be started in container `{}`: {why}", container.name),
            ));
        }
        if options.check && finished.exit_code != 0 {
            let code = finished.exit_code;
            return Err(output.explain(Failure::new(
                FailureKind::Exit,
                format!("`{line}` in container `{}` ended with exit code {code}", container.name),
            )));
        }
        Ok(output.result(finished.exit_code, None).into())
    }
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
