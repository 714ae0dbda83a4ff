//! Objects of any size, read piece by piece, as they were when they were listed.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;

use super::{Bucket, Order};
use crate::drivers::http::Reply;
use crate::failure::{Failure, FailureKind};

/// How much is asked for at once.
const PIECE: u64 = 8 << 20;
/// What is kept of what a server says beside the content, besides everything that begins with [`OWN`].
const KEPT: [&str; 6] =
    ["content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"];
/// How names begin that whoever wrote the object thought of.
const OWN: &str = "x-amz-meta-";

/// An object that is read.
pub struct ObjectReader {
    bucket: Arc<Bucket>,
    name: String,
    etag: String,
    size: u64,
    at: u64,
    piece: Bytes,
    headers: BTreeMap<String, String>,
}

impl ObjectReader {
    /// Asks for its first piece.
    pub fn open(bucket: Arc<Bucket>, name: &str, etag: &str, size: u64) -> Result<Self, Failure> {
        let mut reader = Self {
            bucket,
            name: name.to_owned(),
            etag: etag.to_owned(),
            size,
            at: 0,
            piece: Bytes::new(),
            headers: BTreeMap::new(),
        };
        let reply = reader.ask()?;
        reader.headers = reply.headers.into_iter().filter(|(name, _)| is_kept(name)).collect();
        reader.piece = reply.body;
        Ok(reader)
    }

    /// What the server says about it beside its content: its type, what whoever wrote it added.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// The next piece of its content; nothing after the last.
    pub fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.piece.is_empty() && self.at < self.size {
            self.piece = self.ask()?.body;
        }
        Ok(Some(std::mem::take(&mut self.piece)).filter(|piece| !piece.is_empty()))
    }

    /// Asks for what is not here yet.
    fn ask(&mut self) -> Result<Reply, Failure> {
        let length = PIECE.min(self.size - self.at);
        let mut headers = Vec::new();
        if self.size > 0 {
            headers.push(("range".into(), format!("bytes={}-{}", self.at, self.at + length - 1)));
        }
        if !self.etag.is_empty() {
            headers.push(("if-match".into(), self.etag.clone()));
        }
        let key = self.bucket.place.key(&self.name);
        let reply = self.bucket.ask(&Order { headers, bytes: length, ..Order::new("GET", &key) })?;
        let changed = |how: &str| {
            let message = format!("`{}` {how} while it was saved", self.bucket.shown(&self.name));
            Err(Failure::new(FailureKind::Conflict, message)
                .hint("run it again: what is stored already is not read again"))
        };
        match reply.status {
            404 => changed("was removed"),
            412 | 416 => changed("was written again"),
            200 | 206 if reply.body.len() as u64 == length => {
                self.at += length;
                Ok(reply)
            }
            status => {
                let message = format!(
                    "`{}`: the answer is {status} with {} bytes instead of {length}",
                    self.bucket.shown(&self.name),
                    reply.body.len()
                );
                Err(Failure::new(FailureKind::System, message))
            }
        }
    }
}

fn is_kept(name: &str) -> bool {
    KEPT.contains(&name) || name.starts_with(OWN)
}

impl Read for ObjectReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.piece.is_empty() && self.at < self.size {
            self.piece = self.ask().map_err(|failure| std::io::Error::other(failure.message))?.body;
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}
