use std::fs::File;
use std::io::{Cursor, Error, ErrorKind, Read, Take};
use std::path::PathBuf;
use std::sync::Arc;

use rustic_core::{ReadSourceOpen, RusticResult};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::archive::Opener;
use super::fault::passed;
use super::feed::{Feed, FeedReader};
use super::guard::Guard;
use super::manifest::Ledger;
use super::meter::Flow;
use super::tally::{NOBODYS, Rights};
use crate::failure::{Failure, FailureKind};

/// Something to be read, not opened yet.
pub struct Opening {
    pub what: What,
    pub ledger: Arc<Ledger>,
    pub guard: Arc<Guard>,
}

/// What is to be read.
pub enum What {
    /// A file of a part that is a folder.
    File { path: PathBuf, part: usize, relative: PathBuf, rights: Rights, bytes: u64 },
    /// A file of a part whose entries come one after the other.
    Entry { name: String, part: usize, relative: PathBuf, rights: Rights, bytes: u64, opener: Opener },
    /// The same of one that need not be read where it is in the snapshot before.
    Same { name: String, same: Same, opener: Opener },
    /// A part that is a stream.
    Stream { name: String, part: usize, feed: Feed },
    /// The manifest.
    Manifest,
}

/// A file that counts as read with what is known of it, unless it is read after all.
pub struct Same {
    ledger: Arc<Ledger>,
    part: usize,
    relative: PathBuf,
    rights: Rights,
    bytes: u64,
    hash: Option<[u8; 32]>,
}

impl Same {
    /// Nothing is counted yet.
    pub fn new(
        ledger: Arc<Ledger>,
        part: usize,
        relative: PathBuf,
        rights: Rights,
        bytes: u64,
        hash: [u8; 32],
    ) -> Self {
        Self { ledger, part, relative, rights, bytes, hash: Some(hash) }
    }

    /// It is read now, and counted by who reads it.
    fn into_read(mut self) -> (usize, PathBuf, Rights, u64) {
        self.hash = None;
        (self.part, std::mem::take(&mut self.relative), self.rights, self.bytes)
    }
}

impl Drop for Same {
    fn drop(&mut self) {
        if let Some(hash) = self.hash {
            self.ledger.guard.meter().count(Flow::Content, usize::try_from(self.bytes).unwrap_or(usize::MAX));
            self.ledger.closed(self.part, &self.relative, self.rights, self.bytes, &hash, Value::Null);
        }
    }
}

enum Data {
    File(Take<File>),
    Entry(Box<dyn Read + Send>),
    Stream(FeedReader),
    Manifest(Option<Cursor<Vec<u8>>>),
}

/// Reads, counts and hashes, and lets nothing end before its end.
pub struct Reader {
    data: Data,
    what: Counted,
    hasher: Sha256,
    read: u64,
    is_done: bool,
    ledger: Arc<Ledger>,
    guard: Arc<Guard>,
}

/// What is said of it in the manifest.
struct Counted {
    name: String,
    part: Option<usize>,
    relative: PathBuf,
    rights: Rights,
    /// How much there has to be, where that is known.
    bytes: Option<u64>,
}

/// Opens what is read; a failure to do so is noted.
fn begun(opener: Opener, part: usize, guard: &Guard) -> RusticResult<Box<dyn Read + Send>> {
    opener().map_err(|failure| {
        let error = passed(&failure);
        guard.note_in(Some(part), failure);
        error
    })
}

impl ReadSourceOpen for Opening {
    type Reader = Reader;

    fn open(self) -> RusticResult<Reader> {
        let Self { what, ledger, guard } = self;
        let (data, what) = match what {
            What::File { path, part, relative, rights, bytes } => {
                let name = path.display().to_string();
                let file = File::open(&path).map_err(|error| {
                    let failure = Failure::system(format!("read `{name}`"), &error);
                    let failure = failure.hint("exclude it, or let `runbook` run as somebody who may read it");
                    let error = passed(&failure);
                    guard.note_in(Some(part), failure);
                    error
                })?;
                // A file that grows meanwhile is saved as long as it was: what is behind that was not there yet.
                let counted = Counted { name, part: Some(part), relative, rights, bytes: Some(bytes) };
                (Data::File(file.take(bytes)), counted)
            }
            What::Entry { name, part, relative, rights, bytes, opener } => {
                let data = begun(opener, part, &guard)?;
                (Data::Entry(data), Counted { name, part: Some(part), relative, rights, bytes: Some(bytes) })
            }
            What::Same { name, same, opener } => {
                let (part, relative, rights, bytes) = same.into_read();
                let data = begun(opener, part, &guard)?;
                (Data::Entry(data), Counted { name, part: Some(part), relative, rights, bytes: Some(bytes) })
            }
            What::Stream { name, part, feed } => {
                let reader = FeedReader::new(name.clone(), part, feed, Arc::clone(&guard));
                let counted =
                    Counted { name, part: Some(part), relative: PathBuf::new(), rights: NOBODYS, bytes: None };
                (Data::Stream(reader), counted)
            }
            What::Manifest => {
                let name = super::manifest::MANIFEST.to_owned();
                let counted = Counted { name, part: None, relative: PathBuf::new(), rights: NOBODYS, bytes: None };
                (Data::Manifest(None), counted)
            }
        };
        Ok(Reader { data, what, hasher: Sha256::new(), read: 0, is_done: false, ledger, guard })
    }
}

impl Reader {
    fn once(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.data {
            Data::File(file) => file.read(buffer).inspect_err(|error| {
                if error.kind() != ErrorKind::Interrupted {
                    self.guard.note_in(self.what.part, Failure::system(format!("read `{}`", self.what.name), error));
                }
            }),
            Data::Entry(entry) => entry.read(buffer).inspect_err(|error| {
                if error.kind() != ErrorKind::Interrupted {
                    self.guard.note_in(self.what.part, Failure::system(format!("read `{}`", self.what.name), error));
                }
            }),
            Data::Stream(stream) => stream.read(buffer),
            Data::Manifest(Some(text)) => text.read(buffer),
            Data::Manifest(text) => {
                let manifest = self.ledger.finished().map_err(|failure| Error::other(failure.message))?;
                let mut written = serde_json::to_vec_pretty(&manifest)?;
                written.push(b'\n');
                text.insert(Cursor::new(written)).read(buffer)
            }
        }
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.is_done = true;
        if let Some(bytes) = self.what.bytes.filter(|bytes| *bytes != self.read) {
            let message =
                format!("`{}` became shorter while it was read: {} of {bytes} bytes", self.what.name, self.read);
            let failure = Failure::new(FailureKind::Conflict, message.clone()).hint("save it while nobody writes it");
            self.guard.note_in(self.what.part, failure);
            return Err(Error::other(message));
        }
        let Some(part) = self.what.part else { return Ok(()) };
        let facts = if let Data::Stream(stream) = &mut self.data { stream.facts() } else { Value::Null };
        let hash = std::mem::take(&mut self.hasher).finalize();
        self.ledger.closed(part, &self.what.relative, self.what.rights, self.read, &hash, facts);
        Ok(())
    }
}

impl Read for Reader {
    /// Fills the whole buffer, except at the end: after one short read the engine would go on in ever smaller steps.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.guard.check().map_err(|failure| Error::other(failure.message))?;
        let mut filled = 0;
        while filled < buffer.len() {
            match self.once(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.hasher.update(&buffer[..filled]);
        self.read += filled as u64;
        if self.what.part.is_some() {
            self.guard.meter().count(Flow::Content, filled);
        }
        if filled == 0 && !buffer.is_empty() && !self.is_done {
            self.finish()?;
        }
        Ok(filled)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_done {
            let message = format!("`{}` was not read to its end", self.what.name);
            self.guard.note(Failure::new(FailureKind::System, message));
        }
    }
}
