//! Commands that outlive the connection: each is started by a keeper on the host, which notes how it ended, so that
//! whoever comes next can find out, or wait for it (see docs/decisions/remote-keeper.md).

use std::time::Duration;

use futures_util::future::join_all;

use super::command::RemoteCommand;
use super::fault;
use super::hosts::Hosts;
use super::script::{Conversation, Said, Script, Trouble};
use super::target::Target;
use super::words::quoted;
use crate::drivers::process::{End, Exit, Lines, Stream};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

const BASE: &str = include_str!("scripts/base.sh");
pub(super) const PLACE: &str = concat!(include_str!("scripts/base.sh"), include_str!("scripts/place.sh"));
/// A function that starts a command and, once it is told to, sees to it that what that left is removed.
const KEEP: &str = concat!(
    include_str!("scripts/base.sh"),
    include_str!("scripts/bound.sh"),
    include_str!("scripts/session.sh"),
    "keep() {\n",
    include_str!("scripts/place.sh"),
    include_str!("scripts/start.sh"),
    "}\n"
);
const ATTACH: &str = include_str!("scripts/attach.sh");
const END: &str = include_str!("scripts/end.sh");
const CLEAR: &str = include_str!("scripts/clear.sh");
const LEASHED: &str = concat!(include_str!("scripts/bound.sh"), include_str!("scripts/leashed.sh"));
const READING: &str = concat!(include_str!("scripts/bound.sh"), include_str!("scripts/reading.sh"));

/// How often a lost connection is made again while a command runs, a second apart.
const RETRIES: usize = 5;
/// What `timeout` exits with when it ended its command, and when it had to kill it. That of busybox is its command.
const TIMED_OUT: [i32; 3] = [124, 137, 143];

/// What became of a command that an earlier process started.
#[derive(Debug)]
pub enum Fate {
    /// It was never started, and will not be.
    NeverStarted,
    /// It ran to its end.
    Ended(Exit),
    /// Nobody can tell; why.
    Unknown(String),
}

/// Both streams of a command, in lines.
struct Listener<'a> {
    stdout: Lines,
    stderr: Lines,
    /// How much came so far.
    heard: [u64; 2],
    on_line: &'a mut (dyn FnMut(Stream, &str) + Send),
}

impl<'a> Listener<'a> {
    fn new(keep: usize, on_line: &'a mut (dyn FnMut(Stream, &str) + Send)) -> Self {
        Self { stdout: Lines::new(keep), stderr: Lines::new(keep), heard: [0; 2], on_line }
    }

    fn hear(&mut self, stream: Stream, text: &[u8]) {
        let (lines, heard) = match stream {
            Stream::Stdout => (&mut self.stdout, &mut self.heard[0]),
            Stream::Stderr => (&mut self.stderr, &mut self.heard[1]),
        };
        *heard += text.len() as u64;
        lines.push(text, |line| (self.on_line)(stream, line));
    }

    fn exit(mut self, code: i32, held_open: bool) -> Exit {
        self.stdout.last_line(|line| (self.on_line)(Stream::Stdout, line));
        self.stderr.last_line(|line| (self.on_line)(Stream::Stderr, line));
        // A shell cannot tell a signal from an exit code above 128; programs keep to the convention.
        let end = if (129..160).contains(&code) { End::Signal(code - 128) } else { End::Code(code) };
        let (stdout, stderr) = (self.stdout.into_tail(), self.stderr.into_tail());
        Exit { end, stdout, stderr, held_open, incomplete: false }
    }
}

impl Hosts {
    /// Runs a command that must not outlive this connection: one that only looks.
    pub async fn run(
        &self,
        target: &Target,
        command: &RemoteCommand,
        on_line: &mut (dyn FnMut(Stream, &str) + Send),
    ) -> Result<Exit, Failure> {
        command.check()?;
        let mut listener = Listener::new(command.keep, on_line);
        let said = if command.stdin.is_none() {
            let head = format!("inner={}\nseconds={}\n", quoted(&command.line()), command.seconds());
            let script = Script { is_leashed: true, ..Script::new(format!("{head}{LEASHED}")) };
            let script = script.run_by(command.user.as_deref());
            self.script(target, &script, &mut |stream, text| listener.hear(stream, text)).await
        } else {
            let text = format!("seconds={}\n{READING}", command.seconds());
            let script = Script::new(text).run_by(command.user.as_deref()).reading(input(command));
            self.script(target, &script, &mut |stream, text| listener.hear(stream, text)).await
        };
        end_of(target, command, listener, &said.map_err(Failure::from)?)
    }

    /// Runs a command under a keeper. A connection that is lost meanwhile is made again, of which `on_lost` is told; when that
    /// does not succeed, the outer error says that nobody knows what became of it.
    pub async fn run_kept(
        &self,
        target: &Target,
        command: &RemoteCommand,
        key: &str,
        on_line: &mut (dyn FnMut(Stream, &str) + Send),
        on_lost: &mut (dyn FnMut(&Failure) + Send),
    ) -> Result<Result<Exit, Failure>, Failure> {
        if let Err(failure) = command.check() {
            return Ok(Err(failure));
        }
        let mut listener = Listener::new(command.keep, on_line);
        let script = kept(command, key);
        let mut started = self.start(target, &script, key, &mut listener).await;
        // Left by an earlier attempt, of which somebody decided that it is to be made again.
        if matches!(&started, Ok(said) if said.words == "taken") {
            drop(self.waiting.take(key));
            if let Err(failure) = self.clear(target, command.user.as_deref(), &[key.to_owned()]).await {
                return Ok(Err(failure));
            }
            started = self.start(target, &script, key, &mut listener).await;
        }
        let said = match started {
            Ok(said) if said.words == "short" => return Ok(Err(unexpected(target, &said))),
            Ok(said) => said,
            Err(Trouble::Failed(failure)) => return Ok(Err(failure)),
            Err(Trouble::Cut(failure)) => {
                on_lost(&failure);
                self.attach_again(target, command, key, &mut listener, failure).await?
            }
        };
        if said.words.starts_with("absent ") {
            // What is still on its way to start it finds its place taken.
            self.end_kept(target, command, key).await?;
        }
        Ok(match said.words.as_str() {
            words if words == "never" || words.starts_with("absent ") => {
                let message = format!("`{}`: the connection was lost before the command was started", target.name);
                Err(Failure { nothing_begun: true, ..Failure::new(FailureKind::Unreachable, message) })
            }
            "lost" => return Err(Failure::new(FailureKind::System, format!("`{}`: {}", target.name, lost_words()))),
            _ => end_of(target, command, listener, &said),
        })
    }

    /// Finds out what became of a command, and waits for its end while it runs. `age` is how long ago it was to start.
    pub async fn find_out(
        &self,
        target: &Target,
        command: &RemoteCommand,
        key: &str,
        age: Duration,
        on_line: &mut (dyn FnMut(Stream, &str) + Send),
    ) -> Result<Result<Fate, Failure>, Failure> {
        let mut listener = Listener::new(command.keep, on_line);
        let said = self.attach(target, command, key, &mut listener).await.map_err(Failure::from)?;
        let up = said.words.strip_prefix("absent ").and_then(|up| up.parse().ok());
        Ok(match (said.words.as_str(), up) {
            ("never", _) => Ok(Fate::NeverStarted),
            ("lost", _) => Ok(Fate::Unknown(lost_words())),
            (_, Some(up)) if Duration::from_secs(up) < age => {
                Ok(Fate::Unknown("the host was started anew since, and remembers nothing of it".into()))
            }
            (_, Some(_)) => Ok(Fate::NeverStarted),
            _ => end_of(target, command, listener, &said).map(Fate::Ended),
        })
    }

    /// Ends a command and everything it started.
    pub async fn end_kept(&self, target: &Target, command: &RemoteCommand, key: &str) -> Result<(), Failure> {
        self.ask(target, &script(key, command.user.as_deref(), "", END), 1 << 10).await.map(drop)
    }

    /// Removes what a command left to be found out by. Where its own session is still there, it does so.
    pub async fn clear_kept(&self, target: &Target, command: &RemoteCommand, key: &str) -> Result<(), Failure> {
        let Some(mut conversation) = self.waiting.take(key) else {
            return self.clear(target, command.user.as_deref(), &[key.to_owned()]).await;
        };
        if conversation.go_on(key).await {
            let Some(back) = self.waiting.release(conversation) else { return Ok(()) };
            conversation = back;
            if conversation.closes().await == Some(0) {
                return Ok(());
            }
        }
        self.clear(target, command.user.as_deref(), conversation.left()).await
    }

    async fn clear(&self, target: &Target, user: Option<&str>, keys: &[String]) -> Result<(), Failure> {
        let script = Script::new(format!("keys={}\n{BASE}{CLEAR}", quoted(&keys.join(" ")))).run_by(user);
        self.ask(target, &script, 1 << 10).await.map(drop)
    }

    /// Ends the sessions that wait for another command, when there will be none.
    pub async fn settle_all(&self) {
        self.settle(self.waiting.all_free()).await;
        join_all(self.waiting.all_left().iter().map(|(keys, target)| self.clear(target, None, keys))).await;
    }

    /// Ends sessions, of which each is still to remove what its last command left.
    pub(super) async fn settle(&self, free: Vec<Conversation>) {
        let settling = free.into_iter().map(|mut conversation| async move {
            if conversation.closes().await != Some(0) {
                let _ = self.clear(conversation.target(), None, conversation.left()).await;
            }
        });
        join_all(settling).await;
    }

    /// Starts it and hears it out. Its session stays until it is told that nothing needs to be found out any more.
    async fn start(
        &self,
        target: &Target,
        script: &Script,
        key: &str,
        listener: &mut Listener<'_>,
    ) -> Result<Said, Trouble> {
        let hear = &mut |stream, text: &[u8]| listener.hear(stream, text);
        let (mut conversation, is_new) = match self.next(target, script) {
            Some(conversation) => (conversation, false),
            None => (self.begin_series(target, script).await?, true),
        };
        let mut words = conversation.hold(hear).await;
        // The session was ended a moment before, and the script is still to be run.
        if !is_new && matches!(words, Err(Trouble::Failed(_))) && !conversation.has_begun() {
            self.waiting.leave(&conversation);
            conversation = self.begin_series(target, script).await?;
            words = conversation.hold(hear).await;
        }
        // It was ended in the middle: the command has a keeper of its own, which may know more.
        if conversation.has_begun() {
            words = words.map_err(|trouble| Trouble::Cut(trouble.into()));
        }
        if matches!(&words, Ok(words) if words.starts_with("ended ")) {
            self.waiting.put(key, conversation);
        } else {
            self.waiting.leave(&conversation);
        }
        let words = words?;
        Ok(Said { words, held_open: false })
    }

    /// Begins a script in the session that is free on a host.
    fn next(&self, target: &Target, script: &Script) -> Option<Conversation> {
        if !script.is_run_by(&target.user) {
            return None;
        }
        let mut conversation = self.waiting.free(target)?;
        if conversation.is_over() {
            self.waiting.leave(&conversation);
            return None;
        }
        self.speaks_to(target);
        conversation.next(script);
        Some(conversation)
    }

    async fn attach(
        &self,
        target: &Target,
        command: &RemoteCommand,
        key: &str,
        listener: &mut Listener<'_>,
    ) -> Result<Said, Trouble> {
        let head = format!("skip_stdout={}\nskip_stderr={}\n", listener.heard[0], listener.heard[1]);
        let script = script(key, command.user.as_deref(), &head, ATTACH);
        self.script(target, &script, &mut |stream, text| listener.hear(stream, text)).await
    }

    async fn attach_again(
        &self,
        target: &Target,
        command: &RemoteCommand,
        key: &str,
        listener: &mut Listener<'_>,
        mut last: Failure,
    ) -> Result<Said, Failure> {
        for _ in 0..RETRIES {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match self.attach(target, command, key, listener).await {
                Ok(said) => return Ok(said),
                Err(trouble) => last = trouble.into(),
            }
        }
        // Whatever stood in the way: the host was not reached, and what became of the command is not known.
        Err(Failure { kind: FailureKind::Unreachable, ..last })
    }
}

/// The script that starts it. Its input may be anything, and is counted.
fn kept(command: &RemoteCommand, key: &str) -> Script {
    let (launch, script) = command.launch();
    let stdin = command.stdin.as_deref().unwrap_or_default();
    let size = stdin.len() + script.as_ref().map_or(0, |script| script.len() + 1);
    let text = format!(
        "key={}; seconds={}; length={}; size={size}; script={}; launch={}; keep",
        quoted(key),
        command.seconds(),
        stdin.len(),
        quoted(&script.unwrap_or_default()),
        quoted(&launch)
    );
    let script = Script::new(text).run_by(command.user.as_deref()).reading(stdin);
    Script { functions: KEEP, is_leashed: true, is_followed: true, ..script }
}

fn script(key: &str, user: Option<&str>, head: &str, text: &str) -> Script {
    Script::new(format!("key={}\n{head}{PLACE}{text}", quoted(key))).run_by(user)
}

/// The line that becomes the command, and what the command reads.
fn input(command: &RemoteCommand) -> Vec<u8> {
    let mut input = command.line().into_bytes();
    input.push(b'\n');
    input.extend_from_slice(command.stdin.as_deref().unwrap_or_default());
    input
}

/// Exit code and seconds.
fn ended(said: &Said) -> Option<(i32, u64)> {
    let mut words = said.words.strip_prefix("ended ")?.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn end_of(target: &Target, command: &RemoteCommand, listener: Listener<'_>, said: &Said) -> Result<Exit, Failure> {
    match ended(said) {
        Some((code, time)) if TIMED_OUT.contains(&code) && time >= command.seconds() => Err(timed_out(target, command)),
        Some((code, _)) => Ok(listener.exit(code, said.held_open)),
        None => Err(unexpected(target, said)),
    }
}

fn timed_out(target: &Target, command: &RemoteCommand) -> Failure {
    let message = format!("timed out after {} on `{}`", Span(command.timeout), target.name);
    Failure::new(FailureKind::Timeout, message)
}

fn lost_words() -> String {
    "its keeper was killed, or the host was started anew in the middle".into()
}

fn unexpected(target: &Target, said: &Said) -> Failure {
    let name = &target.name;
    let message = match said.words.split_once(' ').map_or((said.words.as_str(), ""), |words| words) {
        ("lacking", program) => return fault::lacking(target, program),
        ("refused", folder) => format!("`{name}`: cannot make the folder `{folder}` for the command's keeper"),
        ("taken", _) => format!("`{name}`: this very command still runs there"),
        ("short", _) => format!("`{name}`: its input did not arrive as a whole, and it was not started"),
        (words, _) => format!("`{name}`: an answer that makes no sense: `{words}`"),
    };
    Failure::new(FailureKind::System, message)
}
