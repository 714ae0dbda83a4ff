use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::place::Place;
use super::record::Ended;
use super::{End, HELD_OUTPUT, LAST_WORDS};

/// How often to ask whether the program has ended where the kernel (before Linux 5.3) cannot tell by itself.
const ASK: Duration = Duration::from_millis(20);

/// Both streams of a kept program on their way from its pipes to the files of its place.
///
/// The program could be given the files themselves, but a program can tell a file from a pipe: one that opens
/// `/dev/stderr` would cut the file off, and what it leaves in the background would fill a deleted one for ever.
pub struct Copies {
    streams: [Copy; 2],
}

impl Copies {
    /// Makes the files and gives the command the pipes.
    pub fn start(place: &Place, command: &mut Command) -> io::Result<Self> {
        let (stdout, writer) = io::pipe()?;
        command.stdout(writer);
        let (stderr, writer) = io::pipe()?;
        command.stderr(writer);
        let streams =
            [Copy::new(stdout, place.create_file("stdout")?), Copy::new(stderr, place.create_file("stderr")?)];
        Ok(Self { streams })
    }

    /// Copies until the program has ended and all of its output is read; what it started may hold that a little longer.
    pub fn until_end(mut self, child: &mut Child) -> io::Result<Ended> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let watch = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let mut chunk = vec![0; 64 << 10];
        let (mut end, mut deadline, mut left) = (None, Instant::now(), LAST_WORDS);
        let end = loop {
            let time = deadline.saturating_duration_since(Instant::now());
            let is_open = self.streams.iter().any(|stream| stream.pipe.is_some());
            match end {
                Some(end) if !is_open || left == 0 || time.is_zero() => break end,
                _ => {}
            }
            let time = if end.is_some() { Some(time) } else { watch.is_none().then_some(ASK) };
            let pipes = self.streams.iter().filter_map(|stream| stream.pipe.as_ref());
            let mut sources: Vec<PollFd<'_>> = pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
            sources.extend(watch.as_ref().filter(|_| end.is_none()).map(|watch| PollFd::new(watch, PollFlags::IN)));
            let time = time.and_then(|time| Timespec::try_from(time).ok());
            match poll(&mut sources, time.as_ref()) {
                Err(error) if error != Errno::INTR => return Err(error.into()),
                _ => {}
            }
            let mut are_ready =
                sources.iter().map(|source| !source.revents().is_empty()).collect::<Vec<_>>().into_iter();
            for stream in self.streams.iter_mut().filter(|stream| stream.pipe.is_some()) {
                if are_ready.next() == Some(true) {
                    let length = stream.read(&mut chunk);
                    left = left.saturating_sub(if end.is_some() { length } else { 0 });
                }
            }
            if end.is_none() && (watch.is_none() || are_ready.next() == Some(true)) {
                end = child.try_wait()?.map(End::of);
                deadline = Instant::now() + HELD_OUTPUT;
            }
        };
        let held_open = self.streams.iter().any(|stream| stream.pipe.is_some());
        let incomplete = self.streams.iter().any(|stream| stream.has_lost);
        let [stdout, stderr] = self.streams.map(|stream| stream.stored);
        Ok(Ended { end, stdout, stderr, held_open, incomplete })
    }
}

struct Copy {
    /// Nothing once nobody can write to it any more.
    pipe: Option<PipeReader>,
    file: File,
    stored: u64,
    has_lost: bool,
}

impl Copy {
    fn new(pipe: PipeReader, file: File) -> Self {
        Self { pipe: Some(pipe), file, stored: 0, has_lost: false }
    }

    /// Copies one piece and says how long it was. What finds no room in the file is read all the same: the program must
    /// not wait until somebody clears a disk.
    fn read(&mut self, chunk: &mut [u8]) -> usize {
        let Some(pipe) = &mut self.pipe else { return 0 };
        match pipe.read(chunk) {
            Ok(length) if length > 0 => {
                match self.file.write_all(&chunk[..length]) {
                    Ok(()) => self.stored += length as u64,
                    Err(_) => self.has_lost = true,
                }
                length
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            _ => {
                self.pipe = None;
                0
            }
        }
    }
}
