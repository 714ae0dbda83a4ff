//! Objects of any size, written piece by piece: small ones at once, larger ones in parts of which the server makes one object at the end.

use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::sign::{digest, hex};
use super::xml::leaves;
use super::{Bucket, Order};
use crate::drivers::http::{Header, Reply};
use crate::failure::{Failure, FailureKind};

/// How large a part is. There may be ten thousand of them.
const PART: usize = 16 << 20;

/// What a server calls content that is written as it is written here: the hash of small content, the hash of the hashes of its parts
/// of larger.
#[derive(Default)]
pub struct Etags {
    whole: Md5,
    part: Md5,
    /// How much of the part is there.
    filled: usize,
    parts: Vec<[u8; 16]>,
}

impl Etags {
    /// More of the content.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.filled));
            self.part.update(now);
            self.filled += now.len();
            if self.filled == PART {
                self.parts.push(std::mem::take(&mut self.part).finalize().into());
                self.filled = 0;
            }
            bytes = later;
        }
    }

    /// Its names: of all of it at once, and of it in parts as large as they are here.
    pub fn finish(mut self) -> [String; 2] {
        if self.filled > 0 {
            self.parts.push(self.part.finalize().into());
        }
        let whole = format!("\"{}\"", hex(&self.whole.finalize()));
        let parts = format!("\"{}-{}\"", hex(&Md5::digest(self.parts.concat())), self.parts.len());
        [whole, parts]
    }
}

/// An object that is written. It is there once [`finish`](Self::finish) says so; before, what was there is.
pub struct ObjectWriter {
    bucket: Arc<Bucket>,
    name: String,
    headers: Vec<Header>,
    part: Vec<u8>,
    /// What the server calls the upload, and the parts so far.
    upload: Option<(String, Vec<String>)>,
}

impl ObjectWriter {
    /// Nothing is sent yet.
    pub fn new(bucket: Arc<Bucket>, name: &str, headers: Vec<Header>) -> Self {
        Self { bucket, name: name.to_owned(), headers, part: Vec::new(), upload: None }
    }

    /// More of its content.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            if self.part.len() == PART {
                self.send()?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PART - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// That was all.
    pub fn finish(mut self) -> Result<(), Failure> {
        if self.upload.is_none() {
            let (key, headers) = (self.bucket.place.key(&self.name), std::mem::take(&mut self.headers));
            let body = Bytes::from(std::mem::take(&mut self.part));
            return self.ask(Order { headers, ..Order::new("PUT", &key) }, body).map(drop);
        }
        self.send()?;
        let Some((id, parts)) = &self.upload else { return Ok(()) };
        let lines = (1..).zip(parts).map(|(number, etag)| {
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", etag.replace('"', "&quot;"))
        });
        let text = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", lines.collect::<String>());
        let (key, query) = (self.bucket.place.key(&self.name), [("uploadId", id.clone())]);
        let reply = self.ask(Order { query: &query, ..Order::new("POST", &key) }, text.into())?;
        // An answer that began well may still end in a complaint.
        if String::from_utf8_lossy(&reply.body).contains("<Error>") {
            return Err(self.wrong("the server did not put its parts together"));
        }
        self.upload = None;
        Ok(())
    }

    /// Sends the part that is there, and begins an upload with the first.
    fn send(&mut self) -> Result<(), Failure> {
        let key = self.bucket.place.key(&self.name);
        if self.upload.is_none() {
            let (headers, query) = (std::mem::take(&mut self.headers), [("uploads", String::new())]);
            let reply = self.ask(Order { query: &query, headers, ..Order::new("POST", &key) }, Bytes::new())?;
            let found = leaves(&String::from_utf8_lossy(&reply.body)).unwrap_or_default();
            let id = found.into_iter().find(|leaf| leaf.path.last().is_some_and(|name| name == "UploadId"));
            let id = id.ok_or_else(|| self.wrong("the server does not say how it calls the upload"))?;
            self.upload = Some((id.text, Vec::new()));
        }
        let body = Bytes::from(std::mem::take(&mut self.part));
        let Some((id, parts)) = &self.upload else { return Ok(()) };
        let query = [("partNumber", (parts.len() + 1).to_string()), ("uploadId", id.clone())];
        let reply = self.ask(Order { query: &query, ..Order::new("PUT", &key) }, body)?;
        let etag = reply.header("etag").ok_or_else(|| self.wrong("the server does not say how it calls a part"))?;
        let etag = etag.to_owned();
        if let Some((_, parts)) = &mut self.upload {
            parts.push(etag);
        }
        Ok(())
    }

    fn ask(&self, order: Order<'_>, body: Bytes) -> Result<Reply, Failure> {
        let (payload, bytes) = (digest(&body), body.len() as u64);
        let reply = self.bucket.ask(&Order { payload, bytes, body: &[body], ..order })?;
        match reply.status {
            200 => Ok(reply),
            status => Err(self.wrong(&format!("the answer is {status}"))),
        }
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::new(FailureKind::System, format!("cannot write `{}`: {why}", self.bucket.shown(&self.name)))
    }
}

impl Drop for ObjectWriter {
    /// What was sent of an upload that nobody ends would be paid for, and not be seen.
    fn drop(&mut self) {
        if let Some((id, _)) = &self.upload {
            let (key, query) = (self.bucket.place.key(&self.name), [("uploadId", id.clone())]);
            let _ = self.bucket.ask(&Order { query: &query, ..Order::new("DELETE", &key) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_called_by_its_hash_or_by_that_of_its_parts() {
        let mut etags = Etags::default();
        etags.push(b"hel");
        etags.push(b"lo");
        assert_eq!(etags.finish()[0], "\"5d41402abc4b2a76b9719d911017c592\"");
        let mut etags = Etags::default();
        etags.push(&vec![0; PART + 1]);
        let hashes = [Md5::digest(vec![0; PART]), Md5::digest([0])].concat();
        assert_eq!(etags.finish()[1], format!("\"{}-2\"", hex(&Md5::digest(hashes))));
    }
}
