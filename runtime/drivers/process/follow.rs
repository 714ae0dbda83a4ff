use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use super::lines::Lines;
use super::place::Place;
use super::{Exit, Stream};
use crate::drivers::process::record::Ended;
use crate::failure::Failure;

/// Both streams of a kept program, read from its files while it writes them.
pub struct Following {
    stdout: Followed,
    stderr: Followed,
}

impl Following {
    /// From the beginning; of each stream the last `keep` bytes stay.
    pub fn new(place: &Place, keep: usize) -> Self {
        Self { stdout: Followed::new(place.file("stdout"), keep), stderr: Followed::new(place.file("stderr"), keep) }
    }

    /// Hands on what has been written since, in turns, so that a talkative stream cannot silence the other.
    pub async fn catch_up(&mut self, on_line: &mut impl FnMut(Stream, &str)) -> Result<(), Failure> {
        loop {
            let stdout = self.stdout.read(|line| on_line(Stream::Stdout, line))?;
            let stderr = self.stderr.read(|line| on_line(Stream::Stderr, line))?;
            if stdout + stderr == 0 {
                return Ok(());
            }
            // A chance to be cancelled.
            tokio::task::yield_now().await;
        }
    }

    /// Is less there than was once stored? So it is after a power cut.
    pub fn lacks(&self, ended: &Ended) -> bool {
        self.stdout.position < ended.stdout || self.stderr.position < ended.stderr
    }

    /// The result of a program that has ended and whose output was read.
    pub fn exit(mut self, ended: &Ended, on_line: &mut impl FnMut(Stream, &str)) -> Exit {
        self.stdout.lines.last_line(|line| on_line(Stream::Stdout, line));
        self.stderr.lines.last_line(|line| on_line(Stream::Stderr, line));
        Exit {
            end: ended.end,
            stdout: self.stdout.lines.into_tail(),
            stderr: self.stderr.lines.into_tail(),
            held_open: ended.held_open,
            incomplete: ended.incomplete,
        }
    }
}

struct Followed {
    path: PathBuf,
    file: Option<File>,
    chunk: Vec<u8>,
    position: u64,
    lines: Lines,
}

impl Followed {
    fn new(path: PathBuf, keep: usize) -> Self {
        Self { path, file: None, chunk: vec![0; 64 << 10], position: 0, lines: Lines::new(keep) }
    }

    /// Hands on the next piece and says how long it is; 0 when there is no more for now.
    fn read(&mut self, on_line: impl FnMut(&str)) -> Result<usize, Failure> {
        let fault = |error| Failure::system(format!("read `{}`", self.path.display()), &error);
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
                Err(error) => return Err(fault(error)),
            };
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        let length = match file.read(&mut self.chunk) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err(fault(error)),
        };
        self.position += length as u64;
        self.lines.push(&self.chunk[..length], on_line);
        Ok(length)
    }
}
