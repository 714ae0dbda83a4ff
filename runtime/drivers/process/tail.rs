use std::collections::VecDeque;

use super::Stream;
use crate::failure::Failure;

/// The end of a stream: the last bytes up to a limit, and how many came before them.
#[derive(Debug, Default)]
pub struct Tail {
    bytes: VecDeque<u8>,
    limit: usize,
    dropped: u64,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, dropped: 0 }
    }

    /// Adds what was read; the oldest bytes make room.
    pub fn push(&mut self, chunk: &[u8]) {
        let kept = &chunk[chunk.len().saturating_sub(self.limit)..];
        let excess = (self.bytes.len() + kept.len()).saturating_sub(self.limit);
        self.bytes.drain(..excess);
        self.bytes.extend(kept);
        self.dropped += (chunk.len() - kept.len() + excess) as u64;
    }

    /// Is something missing at the start?
    pub fn is_truncated(&self) -> bool {
        self.dropped > 0
    }

    /// The bytes that were kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into()
    }

    /// The text that was kept, without its last line break; a character cut in two at the start is left out.
    pub fn into_text(self) -> String {
        let truncated = self.is_truncated();
        let bytes = self.into_bytes();
        let start = if truncated { bytes.iter().take(4).take_while(|byte| is_continuation(**byte)).count() } else { 0 };
        let text = String::from_utf8_lossy(&bytes[start..]);
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
        text.to_owned()
    }
}

/// A byte inside a UTF-8 character, not its first.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// The last lines of both streams, kept while a program runs, for the day it fails.
#[derive(Debug, Default)]
pub struct LastLines {
    stdout: VecDeque<String>,
    stderr: VecDeque<String>,
}

impl LastLines {
    /// How many lines of each stream are shown.
    const COUNT: usize = 20;
    /// How much of each line is shown, in characters.
    const WIDTH: usize = 500;

    /// Notes a line.
    pub fn push(&mut self, stream: Stream, line: &str) {
        let lines = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if lines.len() == Self::COUNT {
            lines.pop_front();
        }
        lines.push_back(match line.char_indices().nth(Self::WIDTH) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        });
    }

    /// Adds what was seen to a failure; a stream that stayed silent is not mentioned.
    pub fn explain(self, mut failure: Failure) -> Failure {
        for (title, lines) in [("last lines of stderr", self.stderr), ("last lines of stdout", self.stdout)] {
            if !lines.is_empty() {
                failure = failure.evidence(title, Vec::from(lines).join("\n"));
            }
        }
        failure
    }
}
