use super::{Chunk, OutputStream};

/// Cuts chunks into lines, each stream for itself.
#[derive(Debug, Default)]
pub struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// A program that prints no line ends is shown in pieces of this size.
const LONGEST_LINE: usize = 64 * 1024;

impl Lines {
    /// Takes a chunk in and hands out the lines it completes.
    pub fn push(&mut self, chunk: &Chunk, on_line: &mut (dyn FnMut(OutputStream, &str) + Send)) {
        let buffer = match chunk.stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        buffer.extend_from_slice(&chunk.bytes);
        let mut start = 0;
        while let Some(length) = buffer[start..].iter().position(|byte| *byte == b'\n') {
            emit(chunk.stream, &buffer[start..start + length], on_line);
            start += length + 1;
        }
        buffer.drain(..start);
        if buffer.len() > LONGEST_LINE {
            emit(chunk.stream, buffer, on_line);
            buffer.clear();
        }
    }

    /// Hands out what is left: the last line may have no end.
    pub fn finish(&mut self, on_line: &mut (dyn FnMut(OutputStream, &str) + Send)) {
        for (stream, buffer) in [(OutputStream::Stdout, &mut self.stdout), (OutputStream::Stderr, &mut self.stderr)] {
            if !buffer.is_empty() {
                emit(stream, buffer, on_line);
                buffer.clear();
            }
        }
    }
}

fn emit(stream: OutputStream, line: &[u8], on_line: &mut (dyn FnMut(OutputStream, &str) + Send)) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    on_line(stream, &String::from_utf8_lossy(line));
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for bytes in chunks {
            let chunk = Chunk { stream: OutputStream::Stdout, bytes: Bytes::copy_from_slice(bytes) };
            lines.push(&chunk, &mut |_, line| seen.push(line.to_owned()));
        }
        lines.finish(&mut |_, line| seen.push(line.to_owned()));
        seen
    }

    #[test]
    fn lines_survive_being_cut_anywhere() {
        assert_eq!(lines_of(&[b"on", b"e\r\ntw", b"o\n\nlast"]), ["one", "two", "", "last"]);
    }
}
