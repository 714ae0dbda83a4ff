use tokio::io::{AsyncRead, AsyncReadExt};

use super::Tail;
use super::lines::Lines;

/// One stream of a program, read from its pipe.
pub struct Output<R> {
    pipe: Option<R>,
    chunk: Vec<u8>,
    filled: usize,
    lines: Lines,
}

impl<R: AsyncRead + Unpin> Output<R> {
    /// A stream of which the last `keep` bytes stay.
    pub fn new(pipe: Option<R>, keep: usize) -> Self {
        Self { pipe, chunk: vec![0; 32 << 10], filled: 0, lines: Lines::new(keep) }
    }

    /// May more come?
    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Reads the next piece and says how long it is; 0 at the end, and a read error is an end too.
    pub async fn read(&mut self) -> usize {
        self.filled = 0;
        let Some(pipe) = &mut self.pipe else { return 0 };
        self.filled = pipe.read(&mut self.chunk).await.unwrap_or(0);
        if self.filled == 0 {
            self.pipe = None;
        }
        self.filled
    }

    /// Hands on every line that the last piece finished.
    pub fn lines(&mut self, on_line: impl FnMut(&str)) {
        self.lines.push(&self.chunk[..self.filled], on_line);
    }

    /// Hands on the line that no line break finished.
    pub fn last_line(&mut self, on_line: impl FnMut(&str)) {
        self.lines.last_line(on_line);
    }

    /// What was kept.
    pub fn into_tail(self) -> Tail {
        self.lines.into_tail()
    }
}
