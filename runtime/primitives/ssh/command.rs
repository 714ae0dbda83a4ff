use std::time::Duration;

use jiff::Timestamp;

use super::super::running::{hear, presumed, result, timed_out};
use super::target;
use crate::drivers::process::{Exit, LastLines};
use crate::drivers::ssh::{Fate, RemoteCommand, Target};
use crate::primitive::{
    Action, BlockRef, Call, CancelReason, Change, Context, Failure, FailureKind, LogStream, Outcome, Probe, Span,
};

/// How much longer than the command may run it may take to connect and to read what it wrote.
const AROUND: Duration = Duration::from_secs(120);
/// How long it may take to end a command that nobody waits for any more.
const ENDING: Duration = Duration::from_secs(30);

/// A command of a call, whatever kind of work it is.
pub struct Command<'a> {
    /// The call.
    pub call: &'a Call,
    /// What is run.
    pub remote: RemoteCommand,
    /// Must its end be known when the connection or this process dies?
    pub is_change: bool,
    /// Is an exit code other than 0 a failure?
    pub check: bool,
    /// May it be run again when nobody knows how it ended?
    pub idempotent: bool,
    /// Asked when nobody knows how it ended.
    pub probe: Option<BlockRef>,
}

impl Command<'_> {
    /// Runs it to its end.
    pub fn run(&self, context: &Context<'_>, preview: String) -> Result<Outcome, Failure> {
        let target = target(context, self.call)?;
        let mut last_lines = LastLines::default();
        let mut on_line = |stream, text: &str| hear(context, &mut last_lines, stream, text);
        let hosts = context.drivers.ssh();
        let (what, limit) = (format!("running `{preview}`"), self.remote.timeout + AROUND);
        let result = if self.is_change {
            let (key, before) = (key(context), hosts.spoken_to(&target.name));
            let mut on_lost = |failure: &Failure| {
                let what = format!("{}; it is connected to again, and the command waited for", failure.message);
                context.log(LogStream::Warn, &what);
            };
            let running = hosts.run_kept(&target, &self.remote, &key, &mut on_line, &mut on_lost);
            let result = context.wait(&what, limit, running);
            match result {
                Ok(result) => result,
                Err(failure) if matches!(failure.kind, FailureKind::Timeout | FailureKind::Cancelled) => {
                    // Where the host was not even spoken to, there is nothing to end.
                    if hosts.spoken_to(&target.name) > before {
                        self.end(context, &target, &key);
                    }
                    Err(failure)
                }
                // Nobody knows what became of it: the run stands still, and asks the host when it is resumed.
                Err(failure) => Err(Failure { kind: FailureKind::Halted, ..failure }),
            }
        } else {
            context.wait(&what, limit, hosts.run(&target, &self.remote, &mut on_line))
        };
        match result {
            Ok(exit) => self.outcome(context, exit, last_lines, preview),
            // Where it is told already what to do, it was not the command that took long.
            Err(failure) if failure.kind == FailureKind::Timeout && failure.hints.is_empty() => {
                Err(timed_out(failure, last_lines))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Finds out what became of it after the process that started it died.
    pub fn probe(&self, context: &Context<'_>, preview: String) -> Result<Probe, Failure> {
        let target = target(context, self.call)?;
        let mut last_lines = LastLines::default();
        let mut on_line = |stream, text: &str| hear(context, &mut last_lines, stream, text);
        let since = Timestamp::now().duration_since(context.run.started_at);
        let age = Duration::try_from(since).unwrap_or_default();
        let key = key(context);
        let finding = context.drivers.ssh().find_out(&target, &self.remote, &key, age, &mut on_line);
        let wanted = async {
            tokio::select! {
                found = finding => found.map(Some),
                () = context.stop.requested() => Ok(None),
            }
        };
        let what = format!("finding out what became of `{preview}`");
        let Some(found) = context.wait(&what, self.remote.timeout + AROUND, wanted)? else {
            self.end(context, &target, &key);
            return Ok(Probe::Failed(context.stop.reason().unwrap_or(CancelReason::Person).into()));
        };
        let result = match found {
            Ok(Fate::NeverStarted) => return Ok(Probe::NotDone),
            Ok(Fate::Unknown(why)) => {
                context.log(LogStream::Warn, &format!("nobody knows how `{preview}` ended: {why}"));
                return Probe::by_script(self.call, self.probe, self.idempotent, presumed());
            }
            Ok(Fate::Ended(exit)) => self.outcome(context, exit, last_lines, preview),
            Err(failure) if failure.kind == FailureKind::Timeout => Err(timed_out(failure, last_lines)),
            Err(failure) => Err(failure),
        };
        Ok(result.map_or_else(Probe::Failed, Probe::Done))
    }

    /// Removes what the keeper left.
    pub fn clean_up(&self, context: &Context<'_>) {
        let Ok(target) = target(context, self.call) else { return };
        let key = key(context);
        let clearing = context.drivers.ssh().clear_kept(&target, &self.remote, &key);
        let _ = context.drivers.block_on(async { tokio::time::timeout(ENDING, clearing).await });
    }

    /// Ends what nobody waits for any more, even when the run is told to stop.
    fn end(&self, context: &Context<'_>, target: &Target, key: &str) {
        let ending = context.drivers.ssh().end_kept(target, &self.remote, key);
        let ended = context.drivers.block_on(async { tokio::time::timeout(ENDING, ending).await });
        if !matches!(ended, Ok(Ok(()))) {
            let limit = Span(self.remote.timeout);
            let what =
                format!("`{}` could not be told to stop: its command may run there for up to {limit}", target.name);
            context.log(LogStream::Warn, &what);
        }
    }

    fn outcome(
        &self,
        context: &Context<'_>,
        exit: Exit,
        last_lines: LastLines,
        preview: String,
    ) -> Result<Outcome, Failure> {
        if exit.held_open {
            context.log(LogStream::Warn, "it ended, but something it started still holds its output");
        }
        if self.check && !exit.is_ok() {
            return Err(last_lines.explain(exit.failure(&preview)));
        }
        let changes = self.is_change.then(|| Change::new(Action::Run, preview));
        Ok(Outcome::from(result(exit)).made(changes))
    }
}

/// The name of a call in a form that folders can have.
fn key(context: &Context<'_>) -> String {
    super::super::on_engine::short_key(context)
}
