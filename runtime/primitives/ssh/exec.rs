use std::collections::BTreeMap;

use super::super::running::{command_options, effect, presumed, sinks};
use super::command::Command;
use super::{needs, told};
use crate::drivers::ssh::{RemoteCommand, Work};
use crate::primitive::{
    Arg, ByteSize, Call, Context, Effect, Failure, Need, Outcome, Primitive, Probe, Recovery, Sink, Span, Spec, Ty,
    text_of,
};

command_options! {
    /// Options of `ssh.exec` and `ssh.shell`.
    pub struct Options {
        /// Environment variables to add; `()` as the value removes one.
        env: BTreeMap<String, Option<String>>,
        /// The folder to run in; the home of whoever runs it when left out.
        cwd: Option<String>,
        /// Who runs it, through `sudo -n`; else whom the handle says.
        user: Option<String>,
    }
}

/// Runs a program or a script.
pub struct Exec(&'static Kind);

/// Which of both.
struct Kind {
    spec: Spec,
    work: fn(&Call) -> Work,
    /// The program that must be granted.
    program: fn(&Call) -> String,
}

/// Runs a program.
pub const EXEC: Exec = Exec(&PROGRAM);

static PROGRAM: Kind = Kind {
    spec: Spec {
        options: Some(Options::SPEC),
        effect: Effect::Change,
        ..super::method(
            "exec",
            &[Arg::new("argv", Ty::Strings, "The program and its arguments, one string each. No shell reads them.")],
            "Runs a program on the host, logs its output line by line, and fails when its exit code is not 0.",
            r#"ssh("web-1").exec(["systemctl", "reload", "nginx"], #{ user: "root" });"#,
        )
    },
    work: |call| Work::Program(call.strings(0)),
    program: |call| text_of(call.args.first().and_then(|argv| argv.get(0).or(Some(argv)))),
};

/// Runs a script, which can start any program.
pub const SHELL: Exec = Exec(&SCRIPT);

static SCRIPT: Kind = Kind {
    spec: Spec {
        options: Some(Options::SPEC),
        effect: Effect::Change,
        ..super::method(
            "shell",
            &[Arg::new("script", Ty::Str, "A script for `sh`.")],
            "Runs a script for `sh` on the host; it stops at the first command that fails.",
            r#"ssh("web-1").shell("tar -C /srv -cf - app | zstd > /backup/app.tar.zst");"#,
        )
    },
    work: |call| Work::Shell(call.str(0).to_owned()),
    program: |_| "*".to_owned(),
};

impl Exec {
    /// The command as the call's options have it.
    fn command<'a>(&self, call: &'a Call) -> Result<Command<'a>, Failure> {
        let options: Options = call.options()?;
        let remote = RemoteCommand {
            work: (self.0.work)(call),
            env: options.env.clone(),
            cwd: options.cwd.clone(),
            stdin: options.stdin.clone().map(String::into_bytes),
            user: options.user.clone().or_else(|| super::user(call).map(str::to_owned)),
            timeout: options.timeout.0,
            keep: options.keep(),
        };
        Ok(Command {
            call,
            remote,
            is_change: effect(call) == Effect::Change,
            check: options.check,
            idempotent: options.idempotent,
            probe: options.probe,
        })
    }
}

impl Primitive for Exec {
    fn spec(&self) -> &'static Spec {
        &self.0.spec
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::command((self.0.program)(call))])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, shown(&(self.0.work)(call)))
    }

    fn effect(&self, call: &Call) -> Effect {
        effect(call)
    }

    /// Neither shows in the host's list of processes.
    fn sinks(&self, _: &Call) -> Vec<Sink> {
        sinks()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        self.command(call)?.run(context, self.preview(call))
    }

    /// A change is looked after by its keeper; even what may be repeated must not be started beside itself.
    fn recovery(&self, call: &Call) -> Recovery {
        if effect(call) == Effect::Change { Recovery::Probe } else { Recovery::Pure }
    }

    fn presumed(&self, _call: &Call) -> serde_json::Value {
        presumed()
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        self.command(call)?.probe(context, self.preview(call))
    }

    fn leaves_marker(&self, call: &Call) -> bool {
        effect(call) == Effect::Change
    }

    fn clean_up(&self, context: &Context<'_>, call: &Call) {
        if let Ok(command) = self.command(call) {
            command.clean_up(context);
        }
    }
}

/// A command in one line.
pub fn shown(work: &Work) -> String {
    match work {
        Work::Program(argv) => crate::drivers::process::Command::new(argv.clone()).line(),
        Work::Shell(text) => {
            let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            crate::drivers::process::Command::new(["sh", "-c", first]).line()
        }
    }
}
