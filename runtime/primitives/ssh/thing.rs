//! Things of a host that a call makes as they are wanted: looked at first, changed only where they differ, looked at again.

use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;

use super::arm::warn_of_oblivion;
use super::command::Command;
use super::{ANSWER, ask, target, told, user};
use crate::drivers::ssh::{Decision, RemoteCommand, Script, Verdict, Work};
use crate::primitive::{
    Action, Call, Change, Context, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Probe, Recovery, Spec,
    Touches, unknown,
};

/// A thing of a host as a call wants it.
pub trait Thing: Sized + Send + Sync + 'static {
    /// The method that makes it so.
    const SPEC: &'static Spec;

    /// What the call wants; what makes no sense is refused.
    fn wanted(call: &Call) -> Result<Self, Failure>;

    /// What the call is about to do, in a few words.
    fn shown(call: &Call) -> String;

    /// What must be granted.
    fn needs(call: &Call) -> Vec<Need>;

    /// What it looks at and changes.
    fn touches(call: &Call) -> Touches;

    /// What its changes are changes of, as in `package git`, without the host.
    fn names(&self) -> Vec<String>;

    /// A script that prints how it is, and ends with `finish done`. `lacks PROGRAM` says what the host has not.
    fn look(&self) -> String;

    /// What differs from what is wanted, by what the script printed: nothing when it printed nothing is a thing that is
    /// not there. The host's name is added to each change.
    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure>;

    /// What is done even where nothing differs: a service that is to be started anew.
    fn always(&self, _seen: &str) -> Option<Change> {
        None
    }

    /// A script that makes it so; it ends at the first command that fails.
    fn make(&self, seen: &str) -> String;

    /// For a change that may shut this machine out: a script that takes it back, and after what time the host runs it by
    /// itself unless it can be reached anew.
    fn armed(&self, _seen: &str) -> Option<(String, Duration)> {
        None
    }

    /// How long that may take.
    fn timeout(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// What a script prints for something that the host has not and that is needed to look.
const LACKS: &str = "lacks ";

/// The method that makes a thing as it is wanted.
pub struct Made<T>(PhantomData<T>);

impl<T: Thing> Made<T> {
    /// The method.
    pub const METHOD: Self = Self(PhantomData);

    fn see(context: &Context<'_>, call: &Call, thing: &T) -> Result<String, Failure> {
        let text =
            format!("export LC_ALL=C\nlacks() {{ printf 'lacks %s\\n' \"$1\"; finish done; exit; }}\n{}", thing.look());
        let answer = ask(context, call, "looking at what is there", Script::new(text), 1 << 20)?;
        let seen = String::from_utf8_lossy(&answer).into_owned();
        let Some(lacks) = seen.lines().find_map(|line| line.strip_prefix(LACKS)) else { return Ok(seen) };
        let host = call.receiver_str("name");
        if context.planning && comes_first(context, host) {
            return Ok(String::new());
        }
        Err(Failure::new(FailureKind::NotFound, format!("there is no `{lacks}` on `{host}`")))
    }

    fn differs(context: &Context<'_>, call: &Call, thing: &T, seen: &str) -> Result<Vec<Change>, Failure> {
        let host = call.receiver_str("name");
        let mut changes = match thing.differs(seen) {
            Err(failure) if failure.kind == FailureKind::NotFound && context.planning && comes_first(context, host) => {
                thing.differs("")?
            }
            differs => differs.map_err(|failure| {
                let message = format!("`{host}`: {}", failure.message);
                Failure { message, ..failure }
            })?,
        };
        for change in &mut changes {
            change.what.push_str(&format!(" on {host}"));
        }
        Ok(changes)
    }

    /// What differs, or else what is done in any case.
    fn changes(context: &Context<'_>, call: &Call, thing: &T, seen: &str) -> Result<Vec<Change>, Failure> {
        let mut changes = Self::differs(context, call, thing, seen)?;
        if let (true, Some(mut change)) = (changes.is_empty(), thing.always(seen)) {
            change.what.push_str(&format!(" on {}", call.receiver_str("name")));
            changes.push(change);
        }
        Ok(changes)
    }

    /// It is made under a keeper, and made again where nobody knows how far that came.
    fn command<'a>(call: &'a Call, thing: &T, seen: &str) -> Command<'a> {
        let remote = RemoteCommand {
            work: Work::Shell(format!("export LC_ALL=C\n{}", thing.make(seen))),
            env: std::collections::BTreeMap::new(),
            cwd: None,
            stdin: None,
            user: user(call).map(str::to_owned),
            timeout: thing.timeout(),
            keep: 1 << 10,
        };
        Command { call, remote, is_change: true, check: true, idempotent: true, probe: None }
    }
}

/// Tells the host that its change stays, once a new connection has shown that it can be reached. False when it was faster.
fn stays(context: &Context<'_>, call: &Call) -> Result<bool, Failure> {
    let target = target(context, call)?;
    let renewing = context.drivers.ssh().renew(&target);
    context.wait(&format!("connecting to `{}` anew", target.name), ANSWER, renewing).map_err(|failure| {
        failure.hint(format!("`{}` takes the change back by itself when its time is over", target.name))
    })?;
    Ok(!matches!(decide(context, call, Decision::Stay)?, Verdict::Reverted(..) | Verdict::Reverting))
}

fn decide(context: &Context<'_>, call: &Call, decision: Decision) -> Result<Verdict, Failure> {
    let target = target(context, call)?;
    let key = key_of(context);
    let deciding = context.drivers.ssh().decide(&target, user(call), &key, decision);
    context.wait("telling the host what is to become of its change", ANSWER, deciding)
}

/// The name of the timer, which is not that of the command's keeper.
fn key_of(context: &Context<'_>) -> String {
    format!("armed-{}", super::super::on_engine::short_key(context))
}

/// Will a planned change bring programs to the host that it has not yet?
fn comes_first(context: &Context<'_>, host: &str) -> bool {
    let suffix = format!(" on {host}");
    context.services.planned().iter().any(|change| {
        let what = change.what.strip_suffix(&suffix).unwrap_or_default();
        what.starts_with("package ") || change.what.starts_with(&format!("{host}: "))
    })
}

impl<T: Thing> Primitive for Made<T> {
    fn spec(&self) -> &'static Spec {
        T::SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        T::needs(call)
    }

    fn preview(&self, call: &Call) -> String {
        told(call, T::shown(call))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let thing = T::wanted(call)?;
        let seen = Self::see(context, call, &thing)?;
        let changes = Self::changes(context, call, &thing, &seen)?;
        if changes.is_empty() {
            return Ok(Outcome::unchanged(false));
        }
        let outcome = Outcome::changed(true).made(changes);
        context.announce(&outcome, &Value::Null)?;
        let command = Self::command(call, &thing, &seen);
        let armed = thing.armed(&seen);
        if let Some((revert, within)) = &armed {
            let (target, key) = (target(context, call)?, key_of(context));
            let arming = context.drivers.ssh().arm(&target, user(call), &key, *within, revert);
            let remembers = context.wait("arming the host", ANSWER, arming)?;
            warn_of_oblivion(context, &target.name, remembers);
        }
        let ran = command.run(context, self.preview(call));
        // How it is, and not how the command ended, tells a resumed run what is to be done: nothing of it need be kept.
        if !ran.as_ref().is_err_and(|failure| failure.kind == FailureKind::Halted) {
            command.clean_up(context);
        }
        if ran.is_err() && armed.is_some() {
            let _ = decide(context, call, Decision::Revert);
        }
        ran?;
        if armed.is_some() && !stays(context, call)? {
            let message = format!("`{}` has taken it back: no new connection came in time", call.receiver_str("name"));
            return Err(Failure::new(FailureKind::Check, message));
        }
        let left = Self::differs(context, call, &thing, &Self::see(context, call, &thing)?)?;
        let Some(change) = left.first() else { return Ok(outcome) };
        let message = format!("{} is still not as it should be, although everything went well", change.what);
        Err(Failure::new(FailureKind::Check, message).evidence("what differs", change.detail.join("\n")))
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announced) = context.announced() else { return Ok(Probe::NotDone) };
        let thing = T::wanted(call)?;
        // The keeper knows the command by the call alone.
        let command = Self::command(call, &thing, "");
        let fate = command.probe(context, self.preview(call))?;
        command.clean_up(context);
        let seen = Self::see(context, call, &thing)?;
        match fate {
            Probe::Failed(failure) => return Ok(Probe::Failed(failure)),
            Probe::NotDone | Probe::Unknown if thing.always(&seen).is_some() => return Ok(Probe::NotDone),
            Probe::Done(_) | Probe::NotDone | Probe::Unknown => {}
        }
        let is_so = Self::differs(context, call, &thing, &seen)?.is_empty();
        let is_so = is_so && (thing.armed(&seen).is_none() || stays(context, call)?);
        Ok(if is_so { Probe::Done(announced.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, _: &Context<'_>, call: &Call) -> Touches {
        T::touches(call)
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let thing = T::wanted(call)?;
        let mut changes = Self::changes(context, call, &thing, &Self::see(context, call, &thing)?)?;
        // What an earlier call of the plan changes is not what was seen now.
        let planned = context.services.planned();
        for name in thing.names() {
            let what = format!("{name} on {}", call.receiver_str("name"));
            if planned.iter().any(|change| change.what == what) {
                changes.retain(|change| change.what != what);
                changes.push(Change::depending(Action::Update, what));
            }
        }
        let is_certain = changes.iter().any(|change| change.condition.is_none());
        let value = if is_certain || changes.is_empty() {
            Value::from(is_certain)
        } else {
            unknown(format!("what `{}` returns", self.preview(call)))
        };
        Ok(Prediction { value, changes })
    }
}

/// The lines of a script's answer that begin with a word, without it.
pub fn lines<'a>(seen: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    seen.lines().filter_map(move |line| line.strip_prefix(word)?.strip_prefix(' '))
}

/// The first of them.
pub fn line<'a>(seen: &'a str, word: &'a str) -> Option<&'a str> {
    lines(seen, word).next()
}
