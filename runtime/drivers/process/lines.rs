use super::Tail;

/// The longest line handed on, in bytes: a base64 blob must not become one row of the log.
const LONGEST_LINE: usize = 64 << 10;

/// What a program writes to one stream: cut into lines for the log, its end kept for the result.
pub struct Lines {
    line: Vec<u8>,
    line_length: usize,
    carriage_return: bool,
    tail: Tail,
}

impl Lines {
    /// Nothing so far; the last `keep` bytes will stay.
    pub fn new(keep: usize) -> Self {
        Self { line: Vec::new(), line_length: 0, carriage_return: false, tail: Tail::new(keep) }
    }

    /// Hands on every line that this piece finishes.
    pub fn push(&mut self, mut piece: &[u8], mut on_line: impl FnMut(&str)) {
        self.tail.push(piece);
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.add(&piece[..end]);
            self.finish_line(&mut on_line);
            piece = &piece[end + 1..];
        }
        self.add(piece);
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
