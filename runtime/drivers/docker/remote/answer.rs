//! Where an answer over HTTP/1.1 ends, told from its bytes, so that another one can follow it on the same connection.

/// The longest head that an engine is let write.
const LONGEST_HEAD: usize = 64 << 10;

/// An answer that is being read.
#[derive(Debug, Default)]
pub struct Answer {
    state: State,
    line: Vec<u8>,
    head: Vec<(String, String)>,
    status: u16,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A line of the head, the first one or any.
    #[default]
    Head,
    /// So many bytes, and nothing after them.
    Body(u64),
    /// The size of a piece.
    Size,
    /// So many bytes of a piece, and of the end of its line.
    Piece(u64),
    /// A line after the last piece.
    Trailer,
    Over,
}

/// It is no answer that another one could follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unframed;

impl Answer {
    /// How many of these bytes are its own: all of them, unless it ends among them.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Unframed> {
        let mut taken = 0;
        while taken < bytes.len() && self.state != State::Over {
            let left = &bytes[taken..];
            taken += match self.state {
                State::Body(size) | State::Piece(size) => self.skip(size, left.len()),
                _ => self.line(left)?,
            };
        }
        Ok(taken)
    }

    /// Was that all of it?
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Its status, once there was a first line.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What a line of its head says.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn skip(&mut self, size: u64, there: usize) -> usize {
        let length = there.min(usize::try_from(size).unwrap_or(usize::MAX));
        let left = size - length as u64;
        self.state = match self.state {
            State::Piece(_) if left == 0 => State::Size,
            State::Piece(_) => State::Piece(left),
            _ if left == 0 => State::Over,
            _ => State::Body(left),
        };
        length
    }

    fn line(&mut self, bytes: &[u8]) -> Result<usize, Unframed> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(bytes.len(), |end| end + 1);
        self.line.extend_from_slice(&bytes[..length]);
        if self.line.len() > LONGEST_HEAD {
            return Err(Unframed);
        }
        if end.is_some() {
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
            self.state = self.after(&line)?;
        }
        Ok(length)
    }

    fn after(&mut self, line: &str) -> Result<State, Unframed> {
        match self.state {
            State::Head if self.status == 0 => {
                let rest = line.strip_prefix("HTTP/1.1 ").ok_or(Unframed)?;
                self.status = rest.get(..3).and_then(|code| code.parse().ok()).ok_or(Unframed)?;
                Ok(State::Head)
            }
            State::Head if line.is_empty() => self.body(),
            State::Head => {
                let (name, value) = line.split_once(':').ok_or(Unframed)?;
                self.head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
                if self.head.len() > LONGEST_HEAD / 64 { Err(Unframed) } else { Ok(State::Head) }
            }
            State::Size => {
                let size = line.split(';').next().unwrap_or_default().trim();
                match u64::from_str_radix(size, 16) {
                    Ok(0) => Ok(State::Trailer),
                    Ok(size) => Ok(State::Piece(size.checked_add(2).ok_or(Unframed)?)),
                    Err(_) => Err(Unframed),
                }
            }
            State::Trailer if line.is_empty() => Ok(State::Over),
            other => Ok(other),
        }
    }

    fn body(&self) -> Result<State, Unframed> {
        if matches!(self.status, 204 | 304) {
            return Ok(State::Over);
        }
        // Whoever says that it closes may end its answer by that alone.
        if self.status < 200 || self.header("connection").is_some_and(|value| !value.eq_ignore_ascii_case("keep-alive"))
        {
            return Err(Unframed);
        }
        match (self.header("transfer-encoding"), self.header("content-length")) {
            (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(State::Size),
            (None, Some(length)) => match length.parse() {
                Ok(0) => Ok(State::Over),
                Ok(length) => Ok(State::Body(length)),
                Err(_) => Err(Unframed),
            },
            _ => Err(Unframed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOKHTTP/1.1 404 Not Found\r\n\
        Transfer-Encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n3\r\n\r\nb\r\n0\r\nLate: yes\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";

    #[test]
    fn each_answer_ends_where_the_next_begins_however_the_bytes_come() {
        for step in 1..TWO.len() {
            let (mut answer, mut bodies, mut mine) = (Answer::default(), Vec::new(), 0);
            for piece in TWO.chunks(step) {
                let mut piece = piece;
                while !piece.is_empty() {
                    let taken = answer.take(piece).unwrap();
                    mine += taken;
                    piece = &piece[taken..];
                    if answer.is_over() {
                        bodies.push((answer.status(), mine, answer.header("api-version").map(str::to_owned)));
                        (answer, mine) = (Answer::default(), 0);
                    }
                }
            }
            let sizes: Vec<(u16, usize)> = bodies.iter().map(|(status, size, _)| (*status, *size)).collect();
            assert_eq!(sizes, [(200, 59), (404, 92), (204, 27)], "in pieces of {step}");
            assert_eq!(bodies[0].2.as_deref(), Some("1.41"));
        }
    }

    #[test]
    fn what_ends_with_the_connection_or_is_no_answer_is_told_apart() {
        for text in [
            "HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK",
            "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "bash: docker: command not found\n",
        ] {
            assert_eq!(Answer::default().take(text.as_bytes()), Err(Unframed), "{text}");
        }
        let endless = "x".repeat(LONGEST_HEAD + 1);
        assert_eq!(Answer::default().take(endless.as_bytes()), Err(Unframed));
    }
}
