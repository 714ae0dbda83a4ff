//! Scripts for `sh` on a host: sent over the input, so that nothing of them shows in its list of processes, whatever shell
//! the user logs in with; and their output, of which the end is certain or it is a failure.

use std::io::Write;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::fault::{self, Phase};
use super::hosts::{Hosts, OnLink};
use super::link::Purpose;
use super::sentinel::{Between, Marks};
use super::target::Target;
use super::words::{one_line, quoted};
use crate::drivers::pace::Paces;
use crate::drivers::process::Stream;
use crate::failure::{Failure, FailureKind};

/// How a shell that was started begins: with a script in one line of its input.
const ONE: &str = r#"IFS= read -r s; eval "$(printf %b "$s")""#;
/// The same for one script after the other, and before them the functions that all of them call, which are sent and read once.
/// Each begins with a word that only this session knows: whatever a script left unread of its input is no script. One that
/// does not end well ends the session.
const SERIES: &str = r#"IFS= read -r n; IFS= read -r s; eval "$(printf %b "$s")"; while IFS= read -r s; do case $s in "$n "*) eval "${s#* }" || exit;; *) exit;; esac; done"#;
/// How a script says its last words.
const FINISH: &str = r#"finish() { printf '\036%s}%s\036' "$mark" "$*"; printf '\036%s}%s\036' "$mark" "$*" >&2; }"#;
/// How long a login shell may take until it runs something.
const SLOWEST_SHELL: Duration = Duration::from_secs(30);
/// How long a channel may stay open after the script has ended, held by something it started.
const HELD_OPEN: Duration = Duration::from_secs(2);
/// How much of the errors is kept for a script that never began.
const MOST_COMPLAINTS: usize = 2 << 10;
/// How long it takes until a script is told that somebody waits for what it writes.
const PATIENCE: Duration = Duration::from_millis(300);
/// Of how many commands something may be left in a session, as `session.sh` has it.
const MOST_LEFT: usize = 16;
/// In what pieces something is sent that keeps to a pace.
const PIECE: usize = 16 << 10;

/// A script for a host.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Its text. It ends by calling `finish` with the words of [`Said::words`].
    pub text: String,
    /// Functions that the text calls. Scripts that follow each other in a session have the same ones, and texts of one line.
    pub functions: &'static str,
    /// Who it is run as, through `sudo -n` where somebody else logs in; whoever logs in when `None`.
    pub user: Option<String>,
    /// What it reads after itself.
    pub input: Vec<u8>,
    /// Does its input stay open until it has ended? The end of the input is how it learns that the connection is gone.
    pub is_leashed: bool,
    /// Is it told when it takes long, with a line that it may read?
    pub is_followed: bool,
    /// The pace that what it reads and writes keeps to.
    pub paces: Arc<Paces>,
}

/// How a script ended.
#[derive(Debug)]
pub struct Said {
    /// The words it called `finish` with.
    pub words: String,
    /// Does something it started still hold its output?
    pub held_open: bool,
}

/// Why there is no end to tell of.
#[derive(Debug)]
pub enum Trouble {
    /// The connection was lost once the script was on its way: nobody knows how far it came.
    Cut(Failure),
    /// It was not run, or ended without a word.
    Failed(Failure),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Cut(failure) | Trouble::Failed(failure) => failure,
        }
    }
}

impl Script {
    /// A script run by whoever logs in.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Runs it as somebody else.
    pub fn run_by(mut self, user: Option<&str>) -> Self {
        self.user = user.map(str::to_owned);
        self
    }

    /// Gives it something to read.
    pub fn reading(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Has what it reads and writes keep to a pace.
    pub fn paced(mut self, paces: &Arc<Paces>) -> Self {
        self.paces = Arc::clone(paces);
        self
    }

    /// Is it run by whoever logs in? That needs no `sudo`, which a fresh host may not have.
    pub(super) fn is_run_by(&self, login: &str) -> bool {
        self.user.as_ref().is_none_or(|user| user == login)
    }

    fn command_line(&self, login: &str) -> String {
        let shell = shell(ONE, self.is_followed);
        match &self.user {
            Some(user) if !self.is_run_by(login) => format!("exec sudo -n -H -u {} -- {shell}", quoted(user)),
            _ => format!("exec {shell}"),
        }
    }

    /// The script between its marks, in one line, and its input.
    fn sent(&self, marks: &Marks) -> Vec<u8> {
        let text = format!("{FINISH}\n{}{}", self.functions, self.between(marks));
        self.with_input(&one_line(&text))
    }

    /// The same for a session that knows the functions already, whose word it begins with.
    fn sent_after(&self, word: &str, marks: &Marks) -> Vec<u8> {
        self.with_input(&format!("{word} {}", self.between(marks)))
    }

    fn between(&self, marks: &Marks) -> String {
        let begin = marks.begin();
        format!("mark={}; {begin}; {begin} >&2; {}", marks.word(), self.text)
    }

    fn with_input(&self, line: &str) -> Vec<u8> {
        let mut sent = line.as_bytes().to_vec();
        sent.push(b'\n');
        sent.extend_from_slice(&self.input);
        sent
    }
}

/// What the login shell is given: it has no word in it that shells read in different ways. One that stands apart has a session of
/// its own there, so that whoever ends all processes of the login leaves it its word about a command that still runs.
fn shell(begins: &str, stands_apart: bool) -> String {
    if stands_apart {
        return format!(r#"/bin/sh -c 'setsid /bin/sh -c "$0"; exit $?' '{begins}'"#);
    }
    format!("/bin/sh -c '{begins}'")
}

impl Hosts {
    /// Runs a script, and hands on what it writes while it writes it.
    pub async fn script(
        &self,
        target: &Target,
        script: &Script,
        on_output: &mut (dyn FnMut(Stream, &[u8]) + Send),
    ) -> Result<Said, Trouble> {
        self.converse(target, script, None, on_output).await
    }

    /// Begins a script that goes on after its last words, once it is told to. Where nobody else is to run it, its session is
    /// one for others after it as well.
    pub(super) async fn begin_series(&self, target: &Target, script: &Script) -> Result<Conversation, Trouble> {
        if !script.is_run_by(&target.user) {
            return self.begin(target, script, None).await;
        }
        let purpose = Purpose::Command(format!("exec {}", shell(SERIES, true)));
        let channel = self.open(target, &purpose).await.map_err(Trouble::Failed)?;
        let mut conversation = Conversation::new(channel, script, None).map_err(Trouble::Failed)?;
        let word = Marks::new().word().to_owned();
        let functions = one_line(&format!("{FINISH}\n{}", script.functions));
        conversation.series = Some(word.clone());
        conversation.next(script);
        conversation.sent.splice(..0, format!("{word}\n{functions}\n").into_bytes());
        Ok(conversation)
    }

    /// The same for a script of which only the output matters, at most so many bytes of it. Some of its words are failures:
    /// see [`fault::complaint`].
    pub async fn ask(&self, target: &Target, script: &Script, most: usize) -> Result<(Vec<u8>, Said), Failure> {
        let mut output = Vec::new();
        let mut is_too_long = false;
        let said = self
            .listen(target, script, None, &mut |text| {
                if output.len() + text.len() > most { is_too_long = true } else { output.extend_from_slice(text) }
            })
            .await?;
        if is_too_long {
            let message =
                format!("`{}`: the answer is longer than {}", target.name, crate::units::ByteSize(most as u64));
            return Err(Failure::new(FailureKind::Invalid, message));
        }
        Ok((output, said))
    }

    /// The same, after what the script is to read has come to its end; its output is dropped.
    pub async fn feed(&self, target: &Target, script: &Script, source: StdUnixStream) -> Result<Said, Failure> {
        self.listen(target, script, Some(source), &mut |_| {}).await
    }

    /// The same, with all of the output into a sink.
    pub async fn fetch(
        &self,
        target: &Target,
        script: &Script,
        sink: &mut (dyn Write + Send),
    ) -> Result<Said, Failure> {
        let mut written = Ok(());
        let said = self
            .listen(target, script, None, &mut |text| {
                if written.is_ok() {
                    written = sink.write_all(text);
                }
            })
            .await?;
        written.map_err(|error| Failure::system(format!("store what `{}` sends", target.name), &error))?;
        Ok(said)
    }

    /// Turns what a script complains about into a failure.
    async fn listen(
        &self,
        target: &Target,
        script: &Script,
        source: Option<StdUnixStream>,
        on_output: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Said, Failure> {
        let mut complaints = Vec::new();
        let said = self
            .converse(target, script, source, &mut |stream, text| match stream {
                Stream::Stdout => on_output(text),
                Stream::Stderr if complaints.len() < MOST_COMPLAINTS => complaints.extend_from_slice(text),
                Stream::Stderr => {}
            })
            .await?;
        match fault::complaint(target, &said.words, &String::from_utf8_lossy(&complaints)) {
            Some(failure) => Err(failure),
            None => Ok(said),
        }
    }

    async fn converse(
        &self,
        target: &Target,
        script: &Script,
        source: Option<StdUnixStream>,
        on_output: &mut (dyn FnMut(Stream, &[u8]) + Send),
    ) -> Result<Said, Trouble> {
        let mut conversation = self.begin(target, script, source).await?;
        let words = conversation.hold(on_output).await?;
        Ok(Said { words, held_open: conversation.closes().await.is_none() })
    }

    async fn begin(
        &self,
        target: &Target,
        script: &Script,
        source: Option<StdUnixStream>,
    ) -> Result<Conversation, Trouble> {
        let purpose = Purpose::Command(script.command_line(&target.user));
        let channel = self.open(target, &purpose).await.map_err(Trouble::Failed)?;
        Conversation::new(channel, script, source).map_err(Trouble::Failed)
    }
}

/// A script on its way, and what comes back.
pub(super) struct Conversation {
    user: Option<String>,
    is_leashed: bool,
    is_followed: bool,
    paces: Arc<Paces>,
    channel: OnLink,
    io: UnixStream,
    errors: UnixStream,
    stdout: Between,
    stderr: Between,
    sent: Vec<u8>,
    /// What it reads after that.
    source: Option<UnixStream>,
    /// Errors from before the script began: the login shell's, or those of `sudo`.
    complaints: Vec<u8>,
    /// The word that each script begins with, where others may follow.
    series: Option<String>,
    /// Commands that ended in it, and what they left may not be removed yet.
    left: Vec<String>,
}

impl Conversation {
    fn new(mut channel: OnLink, script: &Script, source: Option<StdUnixStream>) -> Result<Self, Failure> {
        let system = |error: std::io::Error| Failure::system("use a socket", &error);
        // The channel's own sockets are swapped for ones that can be waited for.
        let (spare, _) = StdUnixStream::pair().map_err(system)?;
        let io = UnixStream::from_std(std::mem::replace(&mut channel.opened.io, spare)).map_err(system)?;
        let errors = channel.opened.errors.take().ok_or_else(|| Failure::new(FailureKind::System, "no errors"))?;
        let errors = UnixStream::from_std(errors).map_err(system)?;
        let source = source
            .map(|source| {
                source.set_nonblocking(true)?;
                UnixStream::from_std(source)
            })
            .transpose()
            .map_err(system)?;
        let marks = Marks::new();
        let (stdout, stderr) = (Between::new(&marks), Between::new(&marks));
        let sent = script.sent(&marks);
        let (user, complaints) = (script.user.clone(), Vec::new());
        let (is_leashed, is_followed) = (script.is_leashed, script.is_followed);
        let paces = Arc::clone(&script.paces);
        Ok(Self {
            user,
            is_leashed,
            is_followed,
            paces,
            channel,
            io,
            errors,
            stdout,
            stderr,
            sent,
            source,
            complaints,
            series: None,
            left: Vec::new(),
        })
    }

    /// Begins another script in the same session.
    pub fn next(&mut self, script: &Script) {
        let marks = Marks::new();
        (self.stdout, self.stderr) = (Between::new(&marks), Between::new(&marks));
        self.sent = script.sent_after(self.series.as_deref().unwrap_or_default(), &marks);
        self.complaints.clear();
    }

    /// May another script follow?
    pub fn is_series(&self) -> bool {
        self.series.is_some()
    }

    /// Has the session ended meanwhile? What was still to be said in it is dropped.
    pub fn is_over(&self) -> bool {
        let mut rest = [0; 1 << 10];
        while let Ok(length) = self.io.try_read(&mut rest) {
            if length == 0 {
                return true;
            }
        }
        self.channel.link.lost().is_some()
    }

    /// Did its last script begin?
    pub fn has_begun(&self) -> bool {
        self.stdout.has_begun()
    }

    /// The host it is held with.
    pub fn target(&self) -> &Target {
        self.channel.link.target()
    }

    /// Hears it out, and returns its last words.
    pub async fn hold(&mut self, on_output: &mut (dyn FnMut(Stream, &[u8]) + Send)) -> Result<String, Trouble> {
        let (mut reader, mut writer) = self.io.split();
        let sent = std::mem::take(&mut self.sent);
        let is_leashed = self.is_leashed;
        let mut source = self.source.take();
        let paces = Arc::clone(&self.paces);
        // A script that ends without reading its input closes the channel; that is its right, so the error is dropped.
        let mut feed = Box::pin(async {
            for piece in sent.chunks(PIECE) {
                paces.up.pass(piece.len(), || ()).await;
                if writer.write_all(piece).await.is_err() {
                    break;
                }
            }
            if let Some(source) = &mut source {
                let _ = tokio::io::copy(source, &mut writer).await;
            }
            if !is_leashed {
                let _ = writer.shutdown().await;
            }
            writer
        });
        let (mut fed, mut is_told, mut told_at) = (None, !self.is_followed, Instant::now());
        let (mut out, mut err) = (vec![0; 32 << 10], vec![0; 32 << 10]);
        let (mut has_out, mut has_err) = (true, true);
        let begun_by = Instant::now() + SLOWEST_SHELL;
        while has_out && self.stdout.end().is_none() || has_err && self.stderr.end().is_none() {
            tokio::select! {
                writer = &mut feed, if fed.is_none() => (fed, told_at) = (Some(writer), Instant::now() + PATIENCE),
                () = sleep_until(told_at), if fed.is_some() && !is_told => {
                    is_told = true;
                    if let Some(writer) = &mut fed { let _ = writer.write_all(b"follow\n").await; }
                }
                length = reader.read(&mut out), if has_out => {
                    let length = length.unwrap_or(0);
                    has_out = length > 0;
                    self.paces.down.pass(length, || ()).await;
                    let text = self.stdout.push(&out[..length]);
                    if !text.is_empty() { on_output(Stream::Stdout, &text); }
                }
                length = self.errors.read(&mut err), if has_err => {
                    let length = length.unwrap_or(0);
                    has_err = length > 0;
                    if !self.stderr.has_begun() && self.complaints.len() < MOST_COMPLAINTS {
                        self.complaints.extend_from_slice(&err[..length]);
                    }
                    let text = self.stderr.push(&err[..length]);
                    if !text.is_empty() { on_output(Stream::Stderr, &text); }
                }
                () = sleep_until(begun_by), if !self.stdout.has_begun() => {
                    let target = self.channel.link.target();
                    return Err(Trouble::Failed(fault::timed_out(target, Phase::Starting, SLOWEST_SHELL)));
                }
            }
        }
        // It has ended; what it left behind may hold the channel, which is then closed under it.
        let words = self.stdout.end().map(str::to_owned);
        if words.is_some() && fed.is_none() {
            let _ = timeout(HELD_OPEN, &mut feed).await;
        }
        drop((feed, fed));
        match words {
            Some(words) => Ok(words),
            None => Err(self.without_an_end().await),
        }
    }

    /// Tells a script that waits to go on: what that command left is to be removed.
    pub async fn go_on(&mut self, key: &str) -> bool {
        let first = self.left.len().saturating_sub(MOST_LEFT - 1);
        self.left.drain(..first);
        self.left.push(key.to_owned());
        self.io.write_all(b"go\n").await.is_ok()
    }

    /// The last commands that ended in it, of which not all was removed where it was lost.
    pub fn left(&self) -> &[String] {
        &self.left
    }

    /// Waits for the server's close, but not for ever; the exit code, or -1 where the connection was lost.
    pub async fn closes(&mut self) -> Option<i32> {
        let _ = self.io.shutdown().await;
        let closing = timeout(HELD_OPEN, &mut self.channel.opened.end).await.ok()?;
        Some(closing.map_or(-1, |closing| closing.status))
    }

    /// The channel ended, and the last mark is missing.
    async fn without_an_end(&mut self) -> Trouble {
        let link = &self.channel.link;
        let Ok(closing) = (&mut self.channel.opened.end).await else { return Trouble::Cut(link.cut()) };
        let target = link.target();
        let name = &target.name;
        if self.stdout.has_begun() {
            let how = match (closing.signal, closing.status) {
                (Some(signal), _) => format!("was killed by SIG{signal}"),
                (None, status) => format!("ended early, with code {status}"),
            };
            return Trouble::Failed(Failure::new(FailureKind::Exit, format!("`{name}`: the shell {how}")));
        }
        let noise = [String::from_utf8_lossy(&self.complaints).trim().to_owned(), self.stdout.noise()].join("\n");
        let failure = match &self.user {
            Some(user) if noise.contains("sudo") => fault::not_become(target, user, &noise),
            _ if noise.contains("setsid") => fault::lacking(target, "setsid"),
            _ => Failure::new(FailureKind::Refused, format!("`{name}`: `{}` gets no shell there", target.user))
                .hint(fault::same_with_ssh(target)),
        };
        Trouble::Failed(if noise.trim().is_empty() { failure } else { failure.evidence("its answer", noise.trim()) })
    }
}
