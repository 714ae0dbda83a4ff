//! Folders that are not of this machine: whoever knows what is in them tells of one entry after the other.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::guard::Guard;
use super::tally::{Rights, digest_of};
use crate::failure::{Failure, FailureKind};

/// How many entries may wait to be saved.
const WAITING: usize = 8;

/// Extended attributes, by name.
pub type Attributes = Vec<(String, Vec<u8>)>;

/// Opens a file when its turn comes, which may be after entries that were told later.
pub type Opener = Box<dyn FnOnce() -> Result<Box<dyn Read + Send>, Failure> + Send>;

/// One entry of a folder.
pub struct Entry {
    /// Its path in the folder; nothing for the folder itself, which comes first. A folder comes before what is in it, and
    /// what is in it comes by name.
    pub path: PathBuf,
    /// What is known of it.
    pub stat: Stat,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A symbolic link to there.
    Link(PathBuf),
    /// A file of that many bytes.
    File(u64, Opener),
    /// A file that is known to be as it is in the snapshot before, with this hash: it is opened only where that lacks something.
    Same(u64, [u8; 32], Opener),
}

/// What is known of a part, asked when all of it was read.
pub type Told = Arc<dyn Fn() -> Value + Send + Sync>;

/// Who may do what with an entry, and since when it is as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Permission bits.
    pub mode: u32,
    /// The numeric owner.
    pub user: u32,
    /// The numeric group.
    pub group: u32,
    /// When its content was changed last.
    pub time: Timestamp,
    /// Extended attributes.
    pub attributes: Attributes,
    /// Since when it is known to be as it is; nothing where only reading tells.
    pub known: Option<Timestamp>,
}

impl Stat {
    /// The part of it that a manifest tells.
    pub fn rights(&self) -> Rights {
        let attributes = digest_of(&self.attributes);
        Rights { mode: self.mode & 0o7777, user: self.user, group: self.group, attributes }
    }
}

enum Item {
    Entry(Box<Entry>),
    End(Result<Told, Failure>),
}

/// The end into which entries are put. One that is dropped before [`end`](Self::end) broke off.
#[derive(Clone)]
pub struct Packer(SyncSender<Item>);

/// The end that is saved.
pub struct Archive {
    items: Receiver<Item>,
    told: Option<Told>,
}

/// A folder from whoever tells of it to a repository.
pub fn archive() -> (Packer, Archive) {
    let (sender, items) = sync_channel(WAITING);
    (Packer(sender), Archive { items, told: None })
}

impl Packer {
    /// Tells of an entry, and waits while there is no room. `false` when nobody saves it any more.
    pub fn put(&self, entry: Entry) -> bool {
        self.0.send(Item::Entry(Box::new(entry))).is_ok()
    }

    /// Says that this was all, and what is known about it, or why it is not.
    pub fn end(&self, result: Result<Value, Failure>) {
        let result = result.map(|facts| -> Told { Arc::new(move || facts.clone()) });
        let _ = self.0.send(Item::End(result));
    }

    /// The same, where what is known of it is only known when all of it was read.
    pub fn end_with(&self, told: Told) {
        let _ = self.0.send(Item::End(Ok(told)));
    }
}

impl Archive {
    /// The next entry; `None` after the last one.
    pub(super) fn next(&mut self, guard: &Guard, name: &str) -> Result<Option<Entry>, Failure> {
        loop {
            match self.items.recv_timeout(Duration::from_millis(200)) {
                // Whoever tells may be slow; when something else went wrong, nobody waits for it.
                Err(RecvTimeoutError::Timeout) => guard.check()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::new(FailureKind::System, format!("the listing of `{name}` broke off")));
                }
                Ok(Item::Entry(entry)) => return Ok(Some(*entry)),
                Ok(Item::End(Err(failure))) => return Err(failure),
                Ok(Item::End(Ok(told))) => {
                    self.told = Some(told);
                    return Ok(None);
                }
            }
        }
    }

    /// What was said of it at its end.
    pub(super) fn told(self) -> Option<Told> {
        self.told
    }
}
