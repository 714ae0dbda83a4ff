use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::guard::Guard;
use crate::failure::{Failure, FailureKind};

/// How many pieces may wait to be saved.
const WAITING: usize = 16;

enum Piece {
    Data(Bytes),
    End(Result<Value, Failure>),
}

/// The end of a stream into which its maker puts data. One that is dropped before [`end`](Self::end) broke off.
pub struct Pump(SyncSender<Piece>);

/// The end of a stream that is saved.
pub struct Feed(Receiver<Piece>);

/// A stream from whatever makes data to a repository.
pub fn feed() -> (Pump, Feed) {
    let (sender, receiver) = sync_channel(WAITING);
    (Pump(sender), Feed(receiver))
}

impl Pump {
    /// Hands on a piece, and waits while there is no room. `false` when nobody saves it any more.
    pub fn push(&self, bytes: &[u8]) -> bool {
        bytes.is_empty() || self.0.send(Piece::Data(Bytes::copy_from_slice(bytes))).is_ok()
    }

    /// Hands on all of a file, from a thread of its own, and at its end what is known about it.
    pub fn file(self, path: std::path::PathBuf, facts: Value) {
        std::thread::spawn(move || {
            let read = || {
                let (mut file, mut piece) = (std::fs::File::open(&path)?, vec![0; 64 << 10]);
                loop {
                    let length = file.read(&mut piece)?;
                    if length == 0 || !self.push(&piece[..length]) {
                        return Ok(facts);
                    }
                }
            };
            let all = read();
            self.end(
                all.map_err(|error: std::io::Error| Failure::system(format!("read `{}`", path.display()), &error)),
            );
        });
    }

    /// Says that this was all, and what is known about it, or why it is not.
    pub fn end(self, result: Result<Value, Failure>) {
        let _ = self.0.send(Piece::End(result));
    }
}

/// Reads a stream whose end counts as one only when its maker said so.
pub struct FeedReader {
    name: String,
    part: usize,
    feed: Feed,
    rest: Bytes,
    facts: Option<Value>,
    guard: Arc<Guard>,
}

impl FeedReader {
    /// Begins to read.
    pub fn new(name: String, part: usize, feed: Feed, guard: Arc<Guard>) -> Self {
        Self { name, part, feed, rest: Bytes::new(), facts: None, guard }
    }

    /// What its maker said about it at the end.
    pub fn facts(&mut self) -> Value {
        self.facts.take().unwrap_or_default()
    }

    fn fault(&self, failure: Failure) -> std::io::Error {
        let error = std::io::Error::other(failure.message.clone());
        self.guard.note_in(Some(self.part), failure);
        error
    }
}

impl Read for FeedReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.is_empty() {
            if self.facts.is_some() {
                return Ok(0);
            }
            // Its maker may be slow; when something else went wrong, nobody waits for it.
            match self.feed.0.recv_timeout(Duration::from_millis(200)) {
                Err(RecvTimeoutError::Timeout) => {
                    self.guard.check().map_err(|failure| std::io::Error::other(failure.message))?;
                }
                Ok(Piece::Data(data)) => self.rest = data,
                Ok(Piece::End(Ok(facts))) => self.facts = Some(facts),
                Ok(Piece::End(Err(failure))) => return Err(self.fault(failure)),
                Err(RecvTimeoutError::Disconnected) => {
                    let message = format!("the stream `{}` broke off", self.name);
                    return Err(self.fault(Failure::new(FailureKind::System, message)));
                }
            }
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
