//! `sh`: one program of this machine, started from an argument list.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::drivers::process::{Command, Exit, LastLines, Stream};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Span, Spec, Ty,
};

/// Runs a program.
pub struct Sh;

crate::options! {
    /// Options of `sh`.
    pub struct Options {
        /// Environment variables added to those of `runbook` itself; `()` as the value removes one.
        env: BTreeMap<String, Option<String>>,
        /// Start from an environment with nothing but `PATH` and what `env` adds.
        clear_env: bool = false,
        /// The folder to run in, relative to the project; the project's own folder when left out.
        cwd: Option<String>,
        /// Text the program reads from its standard input; without it, the input is empty.
        stdin: Option<String>,
        /// How long it may run; then the program and everything it started are ended.
        timeout: Span = Span::seconds(600),
        /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
        check: bool = true,
        /// How much of the end of each stream is returned. The log has every line, whatever is returned.
        capture: ByteSize = ByteSize(1 << 20),
        /// Running it twice does no more than running it once: a resumed run may repeat it without asking.
        idempotent: bool = false,
        /// It only looks and changes nothing: a plan runs it for real.
        read_only: bool = false,
    }
}

static SPEC: Spec = Spec {
    name: "sh",
    receiver: None,
    args: &[Arg::new("argv", Ty::Strings, "The program and its arguments, one string each. No shell reads them.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Runs a program of this machine, logs its output line by line, and fails when its exit code is not 0.",
    example: r#"sh(["rsync", "-a", "public/", "/srv/www/"], #{ timeout: "5m" });"#,
};

impl Primitive for Sh {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("sh {}", Command::new(call.strings(0)).line())
    }

    fn effect(&self, call: &Call) -> Effect {
        let read_only = call.options.get("read_only").and_then(Value::as_bool).unwrap_or(false);
        if read_only { Effect::Read } else { SPEC.effect }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let command = Command {
            argv: call.strings(0),
            env: options.env,
            clear_env: options.clear_env,
            cwd: Some(context.resolve(options.cwd.as_deref().unwrap_or("."))),
            stdin: options.stdin.map(String::into_bytes),
            keep: usize::try_from(options.capture.0).unwrap_or(usize::MAX),
        };
        let line = command.line();
        let mut last_lines = LastLines::default();
        let run = context.drivers.processes().run(&command, |stream, text| {
            last_lines.push(stream, text);
            context.log(if stream == Stream::Stdout { LogStream::Stdout } else { LogStream::Stderr }, text);
        });
        let exit = match context.wait(&format!("running `{line}`"), options.timeout.0, run) {
            Ok(exit) => exit,
            Err(failure) if failure.kind == FailureKind::Timeout => {
                let failure = failure.hint("raise the option `timeout` if it needs longer");
                return Err(last_lines.explain(failure));
            }
            Err(failure) => return Err(failure),
        };
        if exit.held_open {
            context.log(
                LogStream::Warn,
                &format!("`{line}` ended, but something it started still holds its output, which is read no further"),
            );
        }
        if options.check && !exit.is_ok() {
            return Err(last_lines.explain(exit.failure(&line)));
        }
        Ok(result(exit).into())
    }
}

fn result(exit: Exit) -> Value {
    json!({
        "code": exit.end.code(),
        "ok": exit.is_ok(),
        "signal": exit.end.signal(),
        "truncated": exit.stdout.is_truncated() || exit.stderr.is_truncated(),
        "stdout": exit.stdout.into_text(),
        "stderr": exit.stderr.into_text(),
    })
}
