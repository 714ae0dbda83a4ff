//! `sh`: one program of this machine, started from an argument list.
//!
//! A call that changes something is run so that it survives `runbook`: what became of it can be found out afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::running::{command_options, effect, hear, presumed, result, sinks, timed_out};
use crate::drivers::process::{Command, Exit, LastLines, Search, Whereabouts};
use crate::primitive::{
    Action, Arg, ByteSize, Call, CancelReason, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome,
    Primitive, Probe, Recovery, Sink, Span, Spec, Ty, text_of,
};

/// How long it may take to read what a program wrote that has ended.
const READING: Duration = Duration::from_secs(600);

/// Runs a program.
pub struct Sh;

command_options! {
    /// Options of `sh`.
    pub struct Options {
        /// Environment variables added to those of `runbook` itself; `()` as the value removes one.
        env: BTreeMap<String, Option<String>>,
        /// Start from an environment with nothing but `PATH` and what `env` adds.
        clear_env: bool = false,
        /// The folder to run in, relative to the project; the project's own folder when left out.
        cwd: Option<String>,
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::command(program(call))]
    }

    fn preview(&self, call: &Call) -> String {
        format!("sh {}", Command::new(call.strings(0)).line())
    }

    fn effect(&self, call: &Call) -> Effect {
        effect(call)
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        sinks()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let command = Command {
            argv: call.strings(0),
            env: options.env.clone(),
            clear_env: options.clear_env,
            cwd: Some(context.real(options.cwd.as_deref().unwrap_or("."))?),
            stdin: options.stdin.clone().map(String::into_bytes),
            keep: options.keep(),
        };
        let mut last_lines = LastLines::default();
        let on_line = |stream, text: &str| hear(context, &mut last_lines, stream, text);
        let (what, limit) = (format!("running `{}`", command.line()), options.timeout.0);
        let processes = context.drivers.processes();
        let result = if self.leaves_marker(call) {
            context.wait(&what, limit, processes.run_kept(&command, &context.marker_folder(), on_line))
        } else {
            context.wait(&what, limit, processes.run(&command, on_line))
        };
        match result {
            Ok(exit) => self.end(context, call, &options, exit, last_lines),
            Err(failure) if failure.kind == FailureKind::Timeout => Err(timed_out(failure, last_lines)),
            Err(failure) => Err(failure),
        }
    }

    /// Even what may be repeated is looked after first: while it still runs, it must not be started beside itself.
    fn recovery(&self, call: &Call) -> Recovery {
        if self.leaves_marker(call) { Recovery::Probe } else { Recovery::Pure }
    }

    fn presumed(&self, _call: &Call) -> Value {
        presumed()
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        let (line, place) = (Command::new(call.strings(0)).line(), context.marker_folder());
        let mut last_lines = LastLines::default();
        let search = Search {
            place: &place,
            keep: options.keep(),
            since: SystemTime::from(context.run.started_at),
            limit: options.timeout.0,
            is_wanted: &|| context.stop.reason().is_none(),
        };
        let on_line = |stream, text: &str| hear(context, &mut last_lines, stream, text);
        let search = context.drivers.processes().find_out(&search, on_line);
        let what = format!("finding out what became of `{line}`");
        let result = match context.wait(&what, options.timeout.0 + READING, search)? {
            Whereabouts::NeverStarted if context.are_markers_dropped() => {
                context
                    .log(LogStream::Warn, &format!("nobody knows whether `{line}` ran: its traces were dropped since"));
                return Probe::by_script(call, options.probe, options.idempotent, presumed());
            }
            Whereabouts::NeverStarted => return Ok(Probe::NotDone),
            Whereabouts::Unknown(why) => {
                context.log(LogStream::Warn, &format!("nobody knows how `{line}` ended: {why}"));
                return Probe::by_script(call, options.probe, options.idempotent, presumed());
            }
            Whereabouts::Ended(exit) => self.end(context, call, &options, exit, last_lines),
            Whereabouts::Stopped => Err(context.stop.reason().unwrap_or(CancelReason::Person).into()),
            Whereabouts::TimedOut => {
                let message = format!("timed out after {} while running `{line}`", options.timeout);
                Err(timed_out(Failure::new(FailureKind::Timeout, message), last_lines))
            }
        };
        Ok(result.map_or_else(Probe::Failed, Probe::Done))
    }

    fn leaves_marker(&self, call: &Call) -> bool {
        self.effect(call) == Effect::Change
    }

    fn clean_up(&self, context: &Context<'_>, _call: &Call) {
        let _ = context.drivers.processes().clear(&context.marker_folder());
    }
}

/// The program that a call starts. Where the search for it is led elsewhere, that can be any program.
fn program(call: &Call) -> String {
    let redirects = |name: &String| name == "PATH" || name.starts_with("LD_");
    let env = call.options.get("env").and_then(Value::as_object);
    if env.is_some_and(|env| env.keys().any(redirects)) {
        return "*".to_owned();
    }
    let program = text_of(call.args.first().and_then(|argv| argv.get(0).or(Some(argv))));
    match call.options.get("cwd").filter(|_| program.contains('/') && !program.starts_with('/')) {
        Some(folder) if !folder.is_null() => format!("{}/{program}", text_of(Some(folder))),
        _ => program,
    }
}

impl Sh {
    /// The result of a program that ended, be it here or after the death of the process that started it.
    fn end(
        &self,
        context: &Context<'_>,
        call: &Call,
        options: &Options,
        exit: Exit,
        last_lines: LastLines,
    ) -> Result<Outcome, Failure> {
        let line = Command::new(call.strings(0)).line();
        let warn = |what: &str| context.log(LogStream::Warn, &format!("`{line}` ended, but {what}"));
        if exit.held_open {
            warn("something it started still holds its output, which is read no further");
        }
        if exit.incomplete {
            warn("the disk was full, so a part of its output is missing");
        }
        if options.check && !exit.is_ok() {
            return Err(last_lines.explain(exit.failure(&line)));
        }
        let outcome = Outcome::from(result(exit));
        let changes = self.leaves_marker(call).then(|| Change::new(Action::Run, self.preview(call)));
        Ok(outcome.made(changes))
    }
}
