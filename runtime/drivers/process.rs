//! Programs of this machine: started from an argument list, in a process group of their own, read line by line.
//!
//! A program is never left to itself. Whoever stops waiting drops the future, and with it goes the whole process group:
//! SIGTERM, two seconds to tidy up, then SIGKILL. No shell is involved unless the caller names one.
//!
//! There are two ways to run one. [`run`](Processes::run) is its parent and reads its pipes: when this process is killed,
//! the program soon follows, and nobody learns how it ended. [`run_kept`](Processes::run_kept) puts a keeper between the
//! two (see `keeper`), so that a later process [finds out](Processes::find_out) what became of it, or takes over.

mod bytes;
mod copies;
mod exit;
mod follow;
mod group;
mod identity;
mod keeper;
mod kept;
mod lines;
mod output;
mod place;
mod record;
mod search;
mod start;
mod tail;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::time::Instant;

pub use exit::{End, Exit};
pub use group::Processes;
pub use identity::{Identity, boot_id};
pub use keeper::keep_watch;
pub use kept::{Search, Whereabouts};
pub use lines::Lines;
pub use tail::{LastLines, Tail};

use crate::failure::Failure;
use group::Group;
use output::Output;

/// How long output may stay open after the program itself has ended, held by something it started.
const HELD_OUTPUT: Duration = Duration::from_secs(2);

/// What may still be read after the program has ended: more than any pipe holds, so its own last words are never lost,
/// and a bound for a descendant that never stops talking.
const LAST_WORDS: usize = 4 << 20;

/// A program to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Command {
    /// The program and its arguments; a program without a slash is looked up in the `PATH` it will get itself.
    pub argv: Vec<String>,
    /// Changes to the environment: a value sets the variable, `None` removes it.
    pub env: BTreeMap<String, Option<String>>,
    /// Start from an environment that holds nothing but `PATH`, instead of this process's own.
    pub clear_env: bool,
    /// The folder it runs in; this process's own when `None`.
    #[serde(skip)]
    pub cwd: Option<PathBuf>,
    /// What it reads; nothing (end of file at once) when `None`.
    #[serde(skip)]
    pub stdin: Option<Vec<u8>>,
    /// How many bytes of the end of each stream to keep.
    pub keep: usize,
}

impl Command {
    /// A command with this process's environment and folder, no input, and nothing of its output kept.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The command line for messages: words that a shell would split or expand are quoted, long ones cut.
    pub fn line(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| quoted(word)).collect();
        let line = words.join(" ");
        if line.chars().count() <= 120 { line } else { line.chars().take(119).chain(['…']).collect() }
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("{word:?}") }
}

/// Which stream a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Processes {
    /// Runs a program to its end and hands on every line it writes while it writes it.
    ///
    /// Lines are UTF-8 with replacement characters, without their line break, and cut at 64 KiB. A program that ends with a
    /// code or a signal is not a failure here; one that cannot be started is. Dropping the future ends the whole group.
    pub async fn run(&self, command: &Command, mut on_line: impl FnMut(Stream, &str)) -> Result<Exit, Failure> {
        let mut child = start::start(command)?;
        let (stdin, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut group = Group::new(child, self);
        let mut stdout = Output::new(out, command.keep);
        let mut stderr = Output::new(err, command.keep);

        // A program that ends without reading its input closes the pipe; that is its right, so the error is dropped.
        let feed = async {
            if let (Some(mut pipe), Some(text)) = (stdin, &command.stdin) {
                let _ = pipe.write_all(text).await;
                let _ = pipe.shutdown().await;
            }
        };
        tokio::pin!(feed);
        let (mut is_fed, mut ended, mut left) = (false, None, LAST_WORDS);
        let mut deadline = Instant::now();

        let end = loop {
            let readable = left > 0 && (stdout.is_open() || stderr.is_open());
            if let (Some(end), false) = (ended, readable) {
                break end;
            }
            tokio::select! {
                biased;
                end = group.ended(), if ended.is_none() => {
                    ended = Some(end?);
                    deadline = Instant::now() + HELD_OUTPUT;
                }
                () = &mut feed, if !is_fed => is_fed = true,
                (stream, length) = either(&mut stdout, &mut stderr), if readable => {
                    match stream {
                        Stream::Stdout => stdout.lines(|line| on_line(stream, line)),
                        Stream::Stderr => stderr.lines(|line| on_line(stream, line)),
                    }
                    if ended.is_some() {
                        left = left.saturating_sub(length);
                    }
                }
                () = tokio::time::sleep_until(deadline), if ended.is_some() => left = 0,
            }
        };
        stdout.last_line(|line| on_line(Stream::Stdout, line));
        stderr.last_line(|line| on_line(Stream::Stderr, line));
        let held_open = stdout.is_open() || stderr.is_open();
        group.release();
        Ok(Exit { end, stdout: stdout.into_tail(), stderr: stderr.into_tail(), held_open, incomplete: false })
    }
}

/// The next piece of whichever stream has one, in turns, so that a talkative one cannot silence the other.
async fn either(stdout: &mut Output<ChildStdout>, stderr: &mut Output<ChildStderr>) -> (Stream, usize) {
    tokio::select! {
        length = stdout.read(), if stdout.is_open() => (Stream::Stdout, length),
        length = stderr.read(), if stderr.is_open() => (Stream::Stderr, length),
        else => (Stream::Stdout, 0),
    }
}
