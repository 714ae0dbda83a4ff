//! The process of a run.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};

use crate::failure::Failure;
use crate::journal::Offer;
use crate::units::ByteSize;

/// How long a run has between being told to stop and being ended: undo blocks take their time.
const GRACE: Duration = Duration::from_secs(120);

/// How much of a worker's last words is kept.
const WORDS: usize = 2_000;

/// How much is looked through for secrets before it is cut to that.
const LOOKED_AT: u64 = 64 << 10;

/// A child that begins a run, or goes on with one.
pub(super) struct Worker {
    child: Child,
    /// What it prints. The file has no name any more: nobody else can read it, and nothing is left of it.
    output: File,
    /// What it says of its run while it waits for words: likewise.
    offer: Option<File>,
    /// The run it works for, once that is known.
    pub(super) run: Option<i64>,
    told: Option<Instant>,
}

/// How to start one.
pub(super) struct Start<'a> {
    /// This program.
    pub program: &'a Path,
    /// The project's folder.
    pub root: &'a Path,
    /// Where what it prints goes, besides the run log, until it has ended.
    pub output: PathBuf,
    /// What it is told.
    pub arguments: Vec<OsString>,
    /// Memory that it may ask the system for.
    pub memory: Option<ByteSize>,
    /// In whose name it runs, where that is not the service's own.
    pub user: Option<String>,
    /// Does it wait for the words that [`Worker::tell`] gives it?
    pub listens: bool,
}

impl Worker {
    /// Starts one, as the leader of a process group of its own: it survives the service.
    pub(super) fn start(start: Start<'_>) -> Result<Self, Failure> {
        let Start { program, root, output, arguments, memory, user, listens } = start;
        let failed = |error: &std::io::Error| Failure::system("start a worker", error);
        let path = output;
        let output = nameless(&path).map_err(|error| failed(&error))?;
        let stderr = output.try_clone().map_err(|error| failed(&error))?;
        let offer = listens.then(|| nameless(&path)).transpose().map_err(|error| failed(&error))?;
        let stdout = offer.as_ref().map(File::try_clone).transpose().map_err(|error| failed(&error))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(user.map(|user| ("RUNBOOK_USER", user)))
            .current_dir(root)
            .stdin(if listens { Stdio::piped() } else { Stdio::null() })
            .stdout(stdout.map_or_else(Stdio::null, Stdio::from))
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error))?;
        if let (Some(ByteSize(bytes)), Some(pid)) = (memory, group(&child)) {
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            prlimit(Some(pid), Resource::As, limit).map_err(|error| failed(&error.into()))?;
        }
        Ok(Self { child, output, offer, run: None, told: None })
    }

    /// What is to be written of its run, once it has said so.
    pub(super) fn offer(&mut self) -> Option<Offer> {
        let file = self.offer.take()?;
        let mut bytes = vec![0; usize::try_from(file.metadata().ok()?.len()).ok()?];
        file.read_exact_at(&mut bytes, 0).ok()?;
        serde_json::from_slice(bytes.strip_suffix(b"\n")?).ok()
    }

    /// Gives it the words it waits for. One that has ended, or was told already, takes no more.
    pub(super) fn tell(&mut self, words: &str) -> std::io::Result<()> {
        // Closed behind them: with that they are complete.
        let mut input = self.child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        input.write_all(words.as_bytes())
    }

    /// One that waits for words is told that none will come, and ends by itself.
    pub(super) fn dismiss(&mut self) {
        self.child.stdin = None;
    }

    /// Has it ended?
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The code with which it ended, if it has.
    pub(super) fn code(&mut self) -> Option<i32> {
        self.child.try_wait().ok().flatten()?.code()
    }

    /// Its last words, after `redact` has masked in them what is not to be shown.
    pub(super) fn bury(self, redact: impl FnOnce(&mut String)) -> String {
        let length = self.output.metadata().map_or(0, |data| data.len());
        let from = length.saturating_sub(LOOKED_AT);
        let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let _ = self.output.read_exact_at(&mut bytes, from);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        redact(&mut text);
        let text = text.trim();
        let from = text.char_indices().rev().nth(WORDS).map_or(0, |(place, _)| place);
        text[from..].to_owned()
    }

    /// Tells its run to stop in good order; the second time, after a while, ends it with everything it started.
    pub(super) fn stop(&mut self) {
        let Some(group) = group(&self.child) else { return };
        match self.told {
            None => {
                self.told = Some(Instant::now());
                let _ = rustix::process::kill_process(group, Signal::TERM);
            }
            Some(told) if told.elapsed() > GRACE => {
                let _ = kill_process_group(group, Signal::KILL);
            }
            Some(_) => {}
        }
    }
}

/// A file that only those have who got it from here.
fn nameless(path: &Path) -> std::io::Result<File> {
    let _ = std::fs::remove_file(path);
    let file = File::options().create_new(true).read(true).write(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
