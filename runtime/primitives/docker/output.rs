use crate::drivers::docker::OutputStream;
use crate::drivers::process::{LastLines, Stream, Tail};
use crate::primitive::{ByteSize, Failure};

/// What a command in a container printed: the end of it for the script, the last lines for a failure.
pub(super) struct Output {
    stdout: Tail,
    stderr: Tail,
    last: LastLines,
}

impl Output {
    pub fn keeping(size: ByteSize) -> Self {
        let limit = usize::try_from(size.0).unwrap_or(usize::MAX);
        Self { stdout: Tail::new(limit), stderr: Tail::new(limit), last: LastLines::default() }
    }

    pub fn line(&mut self, stream: OutputStream, line: &str) {
        let (tail, stream) = match stream {
            OutputStream::Stdout => (&mut self.stdout, Stream::Stdout),
            OutputStream::Stderr => (&mut self.stderr, Stream::Stderr),
        };
        tail.push(line.as_bytes());
        tail.push(b"\n");
        self.last.push(stream, line);
    }

    /// Adds the last lines of both streams.
    pub fn explain(self, failure: Failure) -> Failure {
        self.last.explain(failure)
    }

    /// What a script gets, in the words of `sh`.
    pub fn result(self, code: i64) -> serde_json::Value {
        serde_json::json!({
            "code": code,
            "ok": code == 0,
            "truncated": self.stdout.is_truncated() || self.stderr.is_truncated(),
            "stdout": self.stdout.into_text(),
            "stderr": self.stderr.into_text(),
        })
    }
}
