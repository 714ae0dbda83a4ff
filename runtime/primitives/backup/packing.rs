//! An archive that comes from elsewhere, handed to a repository entry by entry.

use std::io::Read;
use std::path::PathBuf;

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::spool::Spool;
use crate::drivers::backup::{Entry, EntryKind, Packer, Tarred, TarredKind, unfit};
use crate::primitive::{Failure, FailureKind};

/// A file that has several names, which the archive has only under the first of them: its content is asked for again.
pub struct Again {
    /// The first name.
    pub first: PathBuf,
    answer: std::sync::mpsc::Sender<Result<Vec<u8>, Failure>>,
}

impl Again {
    /// Says what is in it, or why that cannot be said.
    pub fn answer(self, content: Result<Vec<u8>, Failure>) {
        let _ = self.answer.send(content);
    }
}

/// Hands entries of an archive to a repository.
pub struct Packing {
    packer: Packer,
    spool: Spool,
    asking: Sender<Again>,
}

impl Packing {
    /// Begins; files wait in `folder` for their turn. Whoever gets the other end answers what is asked.
    pub fn new(packer: &Packer, folder: PathBuf) -> (Self, Receiver<Again>) {
        let (asking, asked) = mpsc::channel(1);
        (Self { packer: packer.clone(), spool: Spool::new(folder), asking }, asked)
    }

    /// Hands on an entry.
    pub fn put(&mut self, tarred: Tarred, content: &mut dyn Read) -> Result<(), Failure> {
        let Tarred { path, kind, stat, bytes, .. } = tarred;
        let kind = match kind {
            TarredKind::Folder => EntryKind::Folder,
            TarredKind::Link(target) => EntryKind::Link(target),
            TarredKind::File => EntryKind::File(bytes, self.spool.keep(bytes, content)?),
            TarredKind::Hard(first) => {
                let content = self.ask(first)?;
                let bytes = content.len() as u64;
                EntryKind::File(bytes, self.spool.keep(bytes, &mut content.as_slice())?)
            }
            TarredKind::Other => return Err(unfit(&path)),
        };
        if self.packer.put(Entry { path, stat, kind }) { Ok(()) } else { Err(gone()) }
    }

    fn ask(&self, first: PathBuf) -> Result<Vec<u8>, Failure> {
        let (answer, answered) = std::sync::mpsc::channel();
        self.asking.blocking_send(Again { first, answer }).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

fn gone() -> Failure {
    Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more")
}
