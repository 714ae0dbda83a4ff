use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use tokio::process::Child;

use super::follow::Following;
use super::group::Group;
use super::identity::{Identity, boot_id, booted_at};
use super::place::{Place, Start};
use super::record::{Ended, Record};
use super::start::{look_up, not_started};
use super::{Command, Exit, Processes, Stream, keeper};
use crate::failure::{Failure, FailureKind};

/// How often the files of a program are read on: the longest that a line is on its way.
const FOLLOW: Duration = Duration::from_millis(20);

/// How long a keeper may take to start its program; on a machine that is overloaded it needs many times the usual 3 ms.
const START: Duration = Duration::from_secs(60);

/// How long a killed keeper may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// What is to be found out about.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// The folder that the program was given.
    pub place: &'a Path,
    /// How many bytes of the end of each stream to keep.
    pub keep: usize,
    /// A time before the program can have been started. If the machine was started anew after that, files may be lost, and
    /// what left no trace may have run all the same.
    pub since: SystemTime,
    /// How long the program may run, counted from its start.
    pub limit: Duration,
    /// Asked again and again while it runs: is it to go on?
    pub is_wanted: &'a dyn Fn() -> bool,
}

/// What became of a kept program.
#[derive(Debug)]
pub enum Whereabouts {
    /// It was not started, and nothing is left that could still start it.
    NeverStarted,
    /// It ended, and this is all it left behind.
    Ended(Exit),
    /// It still ran, and was ended now because its time was over.
    TimedOut,
    /// It still ran, and was ended now because it was not wanted any more.
    Stopped,
    /// It was, or may have been, started, and how it ended was written down nowhere; why not.
    Unknown(String),
}

impl Processes {
    /// Runs a program as [`run`](Self::run) does, and so that it survives the end of this process: `place`, a folder made
    /// new for it, holds what [`find_out`](Self::find_out) needs then. It holds output and input, for its owner's eyes only.
    pub async fn run_kept(
        &self,
        command: &Command,
        place: &Path,
        mut on_line: impl FnMut(Stream, &str),
    ) -> Result<Exit, Failure> {
        let (program, keeper, mut ear) = self.start_kept(command, place)?;
        let mut group = Group::kept(program, Some(keeper), self);
        let mut output = Following::new(&Place::at(place), command.keep);
        let mut is_over = false;
        while !is_over {
            tokio::select! {
                biased;
                end = group.ended() => is_over = end.map(|_| true)?,
                () = tokio::time::sleep(FOLLOW) => {}
            }
            output.catch_up(&mut on_line).await?;
        }
        let mut said = String::new();
        let _ = ear.read_line(&mut said);
        let Some(Record::Ended(ended)) = Record::parse(&said) else { return Err(unknown_end(command)) };
        group.release();
        Ok(output.exit(&ended, &mut on_line))
    }

    /// Finds out what became of a program that [`run_kept`](Self::run_kept) was to run, in a process that is no more.
    ///
    /// While it runs, this waits for it, and dropping the future ends it, as if it had been started here. All of its output
    /// is handed on, from the first line.
    pub async fn find_out(
        &self,
        search: &Search<'_>,
        mut on_line: impl FnMut(Stream, &str),
    ) -> Result<Whereabouts, Failure> {
        let place = Place::at(search.place);
        let mut output = Following::new(&place, search.keep);
        let mut group: Option<Group> = None;
        loop {
            // Asked before anything else: what a keeper writes, it has written by the time it is gone.
            let is_held = place.is_held()?;
            let (start, record) = (place.start(), place.record());
            output.catch_up(&mut on_line).await?;
            match record {
                Some(Record::Refused(_)) => return Ok(Whereabouts::NeverStarted),
                Some(Record::Ended(ended)) => return Ok(found(output, &ended, &mut on_line, group)),
                None => {}
            }
            let same_boot = match place.boot() {
                Some(boot) => boot_id() == Some(boot),
                None => booted_at().is_some_and(|time| time < search.since),
            };
            if let (Start::As(program), true, None) = (start, same_boot, &group) {
                group = Some(Group::kept(program, None, self));
            }
            let runs = matches!(start, Start::As(program) if same_boot && program.is_alive());
            if !is_held && !runs {
                return Ok(match start {
                    Start::NotYet if same_boot => Whereabouts::NeverStarted,
                    _ if !same_boot => Whereabouts::Unknown("the machine was started anew since".into()),
                    _ => Whereabouts::Unknown("the process that kept watch over it was killed".into()),
                });
            }
            // With the return the group is dropped, and so ended.
            if runs && !(search.is_wanted)() {
                return Ok(Whereabouts::Stopped);
            }
            if runs && place.age() >= search.limit {
                return Ok(Whereabouts::TimedOut);
            }
            tokio::time::sleep(FOLLOW).await;
        }
    }

    /// Forgets a kept program: removes its folder.
    pub fn clear(&self, place: &Path) -> Result<(), Failure> {
        Place::at(place).remove()
    }

    /// Starts a keeper that starts the program, and waits until it has: the program, the keeper, and where the keeper will
    /// say how the program ended.
    fn start_kept(
        &self,
        command: &Command,
        folder: &Path,
    ) -> Result<(Identity, Child, BufReader<UnixStream>), Failure> {
        let (name, program) = look_up(command)?;
        let failed = |why: &str| {
            Failure::new(FailureKind::System, format!("cannot start the process that keeps watch over `{name}`: {why}"))
        };
        let executable = self.keeper().ok_or_else(|| failed("this process does not know its own executable"))?;
        let (place, lock) = Place::create(folder, command.stdin.as_deref())?;
        let (mouth, ear) = UnixStream::pair().map_err(|error| failed(&error.to_string()))?;

        let mut prepared = tokio::process::Command::new(executable);
        prepared.arg0(keeper::NAME).arg(place.folder()).arg(&program).process_group(0);
        prepared.stdin(OwnedFd::from(mouth)).stdout(lock).stderr(Stdio::null());
        if let Some(folder) = &command.cwd {
            prepared.current_dir(folder);
        }
        let mut keeper = prepared.spawn().map_err(|error| failed(&error.to_string()))?;
        // With it go this process's ends of what the keeper has inherited.
        drop(prepared);

        let mut ear = BufReader::new(ear);
        let said = order(&mut ear, command);
        if let Some(program) =
            said.as_ref().ok().and_then(|said| said.strip_prefix("started ")).and_then(Identity::parse)
        {
            return Ok((program, keeper, ear));
        }
        let said = said.map_err(|error| failed(&error.to_string()));
        // What it says of a start that failed, it says before the program could run.
        if let Some(why) = said.as_ref().ok().and_then(|said| said.trim().strip_prefix("failed ")) {
            return Err(failed(why));
        }
        if let Some(Record::Refused(reason)) = said.as_ref().ok().and_then(|said| Record::parse(said)) {
            return Err(not_started(name, &program, &io::Error::from_raw_os_error(reason)));
        }
        let _ = keeper.start_kill();
        // It may have started the program all the same, and died before it could say so.
        let failure = said.err().unwrap_or_else(|| failed("it ended at once"));
        Err(if was_never_started(&place) { failure } else { unknown_end(command) })
    }
}

/// Is it certain that a keeper that is gone, or about to be, started nothing?
fn was_never_started(place: &Place) -> bool {
    let began = Instant::now();
    while place.is_held().unwrap_or(false) && began.elapsed() < GONE {
        std::thread::sleep(Duration::from_millis(2));
    }
    place.start() == Start::NotYet && !place.is_held().unwrap_or(true)
}

fn unknown_end(command: &Command) -> Failure {
    let line = command.line();
    let what = format!("the process that kept watch over `{line}` was killed, so nobody knows how that ended");
    Failure::new(FailureKind::System, what)
}

/// Tells a keeper what to start, and hears whether it has.
fn order(ear: &mut BufReader<UnixStream>, command: &Command) -> io::Result<String> {
    let mut said = String::new();
    let socket = ear.get_mut();
    socket.set_read_timeout(Some(START))?;
    socket.set_write_timeout(Some(START))?;
    // One that is gone before it has read all of this is heard to say nothing.
    let _ = socket.write_all(&serde_json::to_vec(command)?);
    let _ = socket.shutdown(Shutdown::Write);
    match ear.read_line(&mut said) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
        _ => Ok(said),
    }
}

/// The end that was written down, unless its output is gone.
fn found(
    output: Following,
    ended: &Ended,
    on_line: &mut impl FnMut(Stream, &str),
    group: Option<Group>,
) -> Whereabouts {
    group.map(Group::release).unwrap_or_default();
    if output.lacks(ended) {
        return Whereabouts::Unknown("the end of its output is missing".into());
    }
    Whereabouts::Ended(output.exit(ended, on_line))
}
