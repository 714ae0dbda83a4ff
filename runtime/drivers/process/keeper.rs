//! The process that keeps watch over one program: its parent, which outlives `runbook`.
//!
//! Only a parent learns how a program ended, so a program that is to survive `runbook` needs another one. That is this
//! same executable, started under another name: it runs the program exactly as `runbook` itself would (from an argument
//! list, behind two pipes, in a process group of its own), copies what comes out of the pipes to files, and writes down
//! how it ended. It is in a group of its own, so nothing that is meant for the program or for `runbook` hits it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use super::copies::Copies;
use super::identity::Identity;
use super::place::Place;
use super::record::{LONGEST_RECORD, Record};
use super::start::surround;

/// The name this executable is started under to keep watch; what `ps` shows.
pub const NAME: &str = "runbook-keeper";

/// The executable of this process, known once it has been asked whether it is to keep watch, and so can do so.
static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();

/// Keeps watch over a program if that is what this process was started for, and says what to exit with. To be asked first
/// of all in `main`: a process that never asks cannot start kept programs.
pub fn keep_watch() -> Option<ExitCode> {
    let mut words = std::env::args_os();
    if words.next().is_some_and(|name| name == NAME) {
        return Some(if watch(words).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let _ = EXECUTABLE.set(match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        // Replaced by a newer one since this process started.
        _ => PathBuf::from("/proc/self/exe"),
    });
    None
}

/// The executable to start a keeper from.
pub fn executable() -> Option<&'static Path> {
    EXECUTABLE.get().map(PathBuf::as_path)
}

/// What the keeper says to who started it, and writes down for who comes later.
struct Report {
    ear: UnixStream,
    ended: File,
    place: Place,
}

impl Report {
    /// Nobody may be listening any more; that is what the files are for.
    fn say(&mut self, text: &str) {
        let _ = self.ear.write_all(format!("{text}\n").as_bytes());
    }

    fn started(&mut self, identity: Identity) {
        let text = identity.to_string();
        let part = self.place.create_file("started.part");
        if part.and_then(|mut file| file.write_all(text.as_bytes())).is_ok() {
            let _ = std::fs::rename(self.place.file("started.part"), self.place.file("started"));
        }
        self.say(&format!("started {text}"));
    }

    fn end(&mut self, record: &Record) {
        let text = record.to_string();
        let written = self.ended.rewind().and_then(|()| self.ended.write_all(text.as_bytes()));
        if written.and_then(|()| self.ended.set_len(text.len() as u64)).is_ok() {
            let _ = std::fs::rename(self.place.file("ended.part"), self.place.file("ended"));
        }
        self.say(&text);
    }
}

/// The words are the place and the program's file. The rest comes over the socket to who started this, which is the input:
/// an environment meant for the program might keep this executable from starting.
fn watch(mut words: impl Iterator<Item = OsString>) -> io::Result<()> {
    let mut ear = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut order = Vec::new();
    ear.read_to_end(&mut order)?;
    let order: super::Command = serde_json::from_slice(&order)?;
    let (Some(folder), Some(program), Some((name, arguments))) = (words.next(), words.next(), order.argv.split_first())
    else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let place = Place::at(Path::new(&folder));
    let mut command = Command::new(program);
    command.arg0(name).args(arguments);
    surround(&mut command, &order);
    let (copies, ended) = prepare(&place, &mut command).inspect_err(|error| {
        let _ = writeln!(ear, "failed {error}");
    })?;
    let mut report = Report { ear, ended, place };
    let spawned = command.spawn();
    // With it go this process's ends of the pipes that the program writes to.
    drop(command);
    match spawned {
        Ok(mut child) => {
            let pid = child.id().cast_signed();
            report.started(Identity::of(pid).unwrap_or(Identity { pid, started: 0 }));
            report.end(&Record::Ended(copies.until_end(&mut child)?));
        }
        Err(error) => report.end(&Record::Refused(error.raw_os_error().unwrap_or_default())),
    }
    Ok(())
}

/// Everything that can go wrong without the program, and last of all the note that it is about to start.
fn prepare(place: &Place, command: &mut Command) -> io::Result<(Copies, File)> {
    let input = place.file("stdin");
    command.stdin(match File::open(&input) {
        Ok(file) => {
            std::fs::remove_file(&input)?;
            file.into()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Stdio::null(),
        Err(error) => return Err(error),
    });
    let copies = Copies::start(place, command)?;
    let mut ended = place.create_file("ended.part")?;
    ended.write_all(&[b' '; LONGEST_RECORD])?;
    place.create_file("started")?;
    Ok((copies, ended))
}
