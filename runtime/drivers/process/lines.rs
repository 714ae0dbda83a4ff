use tokio::io::{AsyncRead, AsyncReadExt};

use super::Tail;

/// The longest line handed on, in bytes: a base64 blob must not become one row of the log.
const LONGEST_LINE: usize = 64 << 10;

/// One stream of a program: cut into lines for the log, its end kept for the result.
pub struct Output<R> {
    pipe: Option<R>,
    chunk: Vec<u8>,
    filled: usize,
    line: Vec<u8>,
    line_length: usize,
    carriage_return: bool,
    tail: Tail,
}

impl<R: AsyncRead + Unpin> Output<R> {
    /// A stream of which the last `keep` bytes stay.
    pub fn new(pipe: Option<R>, keep: usize) -> Self {
        Self {
            pipe,
            chunk: vec![0; 32 << 10],
            filled: 0,
            line: Vec::new(),
            line_length: 0,
            carriage_return: false,
            tail: Tail::new(keep),
        }
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
    pub fn lines(&mut self, mut on_line: impl FnMut(&str)) {
        let chunk = std::mem::take(&mut self.chunk);
        let mut rest = &chunk[..self.filled];
        self.tail.push(rest);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.add(&rest[..end]);
            self.finish_line(&mut on_line);
            rest = &rest[end + 1..];
        }
        self.add(rest);
        self.chunk = chunk;
    }

    /// Hands on the line that no line break finished.
    pub fn last_line(&mut self, mut on_line: impl FnMut(&str)) {
        if self.line_length > 0 {
            self.finish_line(&mut on_line);
        }
    }

    /// What was kept.
    pub fn into_tail(self) -> Tail {
        self.tail
    }

    /// A carriage return alone makes a terminal write over the line: of a progress bar, its last state is handed on.
    fn add(&mut self, text: &[u8]) {
        for (index, part) in text.split(|byte| *byte == b'\r').enumerate() {
            self.carriage_return |= index > 0;
            if part.is_empty() {
                continue;
            }
            if std::mem::take(&mut self.carriage_return) {
                self.clear_line();
            }
            let room = LONGEST_LINE - self.line.len();
            self.line.extend(&part[..part.len().min(room)]);
            self.line_length += part.len();
        }
    }

    fn finish_line(&mut self, on_line: &mut impl FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.line);
        if self.line_length > self.line.len() {
            on_line(&format!("{text}… [line of {} bytes cut here]", self.line_length));
        } else {
            on_line(&text);
        }
        self.clear_line();
    }

    fn clear_line(&mut self) {
        self.line.clear();
        self.line_length = 0;
        self.carriage_return = false;
    }
}
