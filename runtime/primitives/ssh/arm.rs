use std::time::Duration;

use serde_json::{Value, json};

use super::super::on_engine::short_key;
use super::{ANSWER, method, needs, target, told, user};
use crate::drivers::ssh::{Decision, Verdict};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Prediction, Primitive,
    Recovery, Span, Spec, Ty, handle,
};

/// The kind of the handle.
const ARMED: &str = "armed";

crate::options! {
    /// Options of `ssh.arm`.
    pub struct Options {
        /// How long the host waits to be told that all is well.
        within: Span = Span::seconds(120),
    }
}

/// Has the host put something back by itself.
pub struct Arm;

static ARM: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    returns: Some(ARMED),
    ..method(
        "arm",
        &[Arg::new("revert", Ty::Str, "A script for `sh` that puts back what comes next.")],
        "Has the host run a script by itself unless `confirm()` comes in time: for changes that may shut this machine out.",
        r#"let armed = ssh("web-1").arm("cp /etc/ssh/sshd_config.old /etc/ssh/sshd_config; systemctl reload ssh", #{ within: "2m" });"#,
    )
};

impl Primitive for Arm {
    fn spec(&self) -> &'static Spec {
        &ARM
    }

    /// A script can start any program.
    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::command("*")])
    }

    fn preview(&self, call: &Call) -> String {
        let first = call.str(0).lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        told(call, format!("arm: {first}"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        if options.within.0 < Duration::from_secs(5) {
            return Err(Failure::new(FailureKind::Option, "option `within` must be at least 5s"));
        }
        let target = target(context, call)?;
        let key = short_key(context);
        let arming = context.drivers.ssh().arm(&target, user(call), &key, options.within.0, call.str(0));
        let remembers = context.wait(&format!("arming `{}`", target.name), ANSWER, arming)?;
        warn_of_oblivion(context, &target.name, remembers);
        Ok(Outcome::changed(armed(call, &key, options.within)).made([change(call)]))
    }

    /// What is armed already stays armed.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        Ok(Prediction::one(change(call), armed(call, &short_key(context), options.within)))
    }
}

/// Says so where a host does not start its timer again after a restart.
pub fn warn_of_oblivion(context: &Context<'_>, name: &str, remembers: bool) {
    if !remembers {
        let what = format!(
            "`{name}` puts nothing back if it is started anew before: \
             it has no cron, and no systemd that whoever logs in may add a unit to"
        );
        context.log(LogStream::Warn, &what);
    }
}

fn change(call: &Call) -> Change {
    Change::new(Action::Create, format!("timer that puts back on {}", call.receiver_str("name")))
}

fn armed(call: &Call, key: &str, within: Span) -> Value {
    let mut value =
        handle(ARMED, json!({ "name": call.receiver_str("name"), "key": key, "within": within.to_string() }));
    if let Some(user) = user(call) {
        value["user"] = user.into();
    }
    value
}

/// Tells the host that it stays, or that it is to be put back at once.
pub struct Decide {
    spec: &'static Spec,
    wish: Decision,
}

/// It stays.
pub const CONFIRM: Decide = Decide { spec: &CONFIRM_SPEC, wish: Decision::Stay };

static CONFIRM_SPEC: Spec = decision(
    "confirm",
    "Connects to the host anew, and only when that succeeds tells it that nothing is to be put back.",
    r#"let armed = ssh("web-1").arm("ufw --force disable"); ssh("web-1").firewall(["22/tcp"]); armed.confirm();"#,
);

/// It goes.
pub const REVERT: Decide = Decide { spec: &REVERT_SPEC, wish: Decision::Revert };

static REVERT_SPEC: Spec = decision(
    "revert",
    "Has the host run the script at once.",
    r#"let armed = ssh("web-1").arm("ufw --force disable"); undo("put the firewall back", || armed.revert());"#,
);

const fn decision(name: &'static str, summary: &'static str, example: &'static str) -> Spec {
    Spec {
        name,
        receiver: Some(ARMED),
        args: &[],
        options: None,
        returns: None,
        effect: Effect::Change,
        summary,
        example,
    }
}

impl Primitive for Decide {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// What the host runs was granted when it was armed.
    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, self.spec.name)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let target = target(context, call)?;
        let (name, within) = (&target.name, call.receiver_str("within"));
        let hosts = context.drivers.ssh();
        if self.wish == Decision::Stay {
            // What is open stays open behind any firewall: only a new connection proves that there is a way in.
            context
                .wait(&format!("connecting to `{name}` anew"), ANSWER, hosts.renew(&target))
                .map_err(|failure| failure.hint(format!("`{name}` puts itself back {within} after it was armed")))?;
        }
        let deciding = hosts.decide(&target, user(call), call.receiver_str("key"), self.wish);
        let verdict = context.wait(&format!("telling `{name}` what is to become of it"), ANSWER, deciding)?;
        let failed = |message: String| Err(Failure::new(FailureKind::Check, message));
        let change = || Change::new(Action::Remove, format!("timer that puts back on {name}"));
        match (self.wish, verdict) {
            (Decision::Stay, Verdict::Stays) => Ok(Outcome::changed(()).made([change()])),
            (Decision::Revert, Verdict::Reverted(0, _)) => {
                Ok(Outcome::changed(()).made([Change::new(Action::Run, format!("what puts back on {name}"))]))
            }
            (_, Verdict::Reverted(code, words)) if code != 0 => Err(Failure::new(
                FailureKind::Exit,
                format!("`{name}`: the script that puts back failed with code {code}"),
            )
            .evidence("its last words", words)),
            (_, Verdict::Reverted(..) | Verdict::Reverting) => {
                failed(format!("`{name}` has put itself back: nobody told it within {within} that all is well"))
            }
            (Decision::Revert, Verdict::Stays) => {
                failed(format!("`{name}` was told that it stays: it puts nothing back any more"))
            }
            (_, Verdict::Absent) => failed(format!("`{name}` knows of nothing that is armed any more")),
        }
    }

    /// Whoever decided first has decided, also when it is told twice.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }
}
