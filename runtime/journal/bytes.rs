//! Every byte of the database file, those that hold nothing included.
//!
//! What the file says is verified by what it says. Between the cells of its pages lie bytes that say nothing, and one that
//! a tired disk alters shows nowhere. So what all bytes come to is noted beside the file, with the file's size and the time
//! at which it was last written to. A disk that forgets changes neither; whoever writes, in whatever program, changes the
//! time, and then the note counts no more until it is made again. That time is first put back a little when the last write was only
//! now: the next one could otherwise have the same.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::chain::hex;
use super::{FILE, Journal, locked, schema};
use crate::failure::Failure;

/// The name of the note in the state folder.
const NOTE: &str = "bytes";

/// A file that was written to so lately may be written to again without its time changing, unless its time was set apart.
const SETTLED: Duration = Duration::from_secs(2);

/// A larger file is read only by those who verify it: reading this much takes some 50 ms.
const QUICK: u64 = 64 << 20;

/// A file's device and number.
type Identity = (u64, u64);

/// The files that this process has open here, and how many use each.
///
/// Whoever closes a file drops all locks that the process has on it, SQLite's among them
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.2): so it is closed with the last run log that is open on it.
static HELD: Mutex<BTreeMap<Identity, (Arc<File>, usize)>> = Mutex::new(BTreeMap::new());

/// The database file, open to be read. Drop it after every connection.
pub(super) struct Bytes {
    identity: Identity,
    note: PathBuf,
}

impl Bytes {
    pub(super) fn hold(state_folder: &Path) -> io::Result<Self> {
        let path = state_folder.join(FILE);
        let mut held = locked(&HELD);
        let file = match held.get(&identity(&std::fs::metadata(&path)?)) {
            Some((file, _)) => file.clone(),
            None => Arc::new(File::open(&path)?),
        };
        let identity = identity(&file.metadata()?);
        held.entry(identity).or_insert((file, 0)).1 += 1;
        Ok(Self { identity, note: state_folder.join(NOTE) })
    }

    /// For the time of one look: it is closed when it is taken out of those that are held.
    fn file(&self) -> io::Result<Arc<File>> {
        let held = locked(&HELD);
        held.get(&self.identity).map(|(file, _)| file.clone()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Is the file other than it was written? Nothing is known when it was written to since the note.
    fn is_altered(&self) -> io::Result<bool> {
        let file = self.file()?;
        let stamp = Stamp::of(&file)?;
        let Some(noted) = self.noted().filter(|(noted, _)| *noted == stamp).map(|(_, sum)| sum) else {
            return Ok(false);
        };
        Ok(sum(&file)? != noted && Stamp::of(&file)? == stamp)
    }

    /// Notes what the bytes come to, unless that is noted already or the file is too large or too new.
    fn note(&self, largest: u64) -> io::Result<()> {
        let file = self.file()?;
        let stamp = Stamp::of(&file)?;
        if stamp.size > largest || self.noted().is_some_and(|(noted, _)| noted == stamp) {
            return Ok(());
        }
        let Some(stamp) = (if stamp.is_settled() { Some(stamp) } else { stamp.set_apart(&file)? }) else {
            return Ok(());
        };
        let sum = sum(&file)?;
        if Stamp::of(&file)? == stamp {
            std::fs::write(&self.note, format!("{} {} {sum}\n", stamp.written, stamp.size))?;
        }
        Ok(())
    }

    /// Somebody may be writing it: then it is not whole, and says nothing.
    fn noted(&self) -> Option<(Stamp, String)> {
        let text = std::fs::read_to_string(&self.note).ok()?;
        let mut parts = text.strip_suffix('\n')?.split(' ');
        let stamp = Stamp { written: parts.next()?.parse().ok()?, size: parts.next()?.parse().ok()? };
        Some((stamp, parts.next()?.to_owned()))
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let mut held = locked(&HELD);
        if let Some((_, users)) = held.get_mut(&self.identity) {
            *users -= 1;
            if *users == 0 {
                held.remove(&self.identity);
            }
        }
    }
}

impl Journal {
    /// Notes what all bytes of the file come to, where that takes no time worth mentioning. A write-ahead log that would be folded into
    /// it when it is closed is so before.
    pub fn note_bytes(&self) -> Result<(), Failure> {
        schema::fold(&locked(&self.writer).connection, &self.file);
        self.bytes.note(QUICK).map_err(|error| Failure::system(format!("note what `{FILE}` holds"), &error))
    }

    /// A byte that changed although nobody wrote to the file, in words.
    pub(super) fn altered_bytes(&self) -> Option<String> {
        match self.bytes.is_altered() {
            Ok(false) => None,
            Ok(true) => Some(format!("bytes of `{FILE}` changed although nothing wrote to it: is the disk damaged?")),
            Err(error) => Some(format!("`{FILE}` cannot be read whole: {error}")),
        }
    }

    /// Notes them however large the file is. What cannot be noted is not known later, and nothing else is worse.
    pub(super) fn note_all_bytes(&self) {
        let _ = self.bytes.note(u64::MAX);
    }
}

/// What tells whether somebody wrote to a file.
#[derive(PartialEq, Eq)]
struct Stamp {
    /// Nanoseconds since 1970.
    written: i128,
    size: u64,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let data = file.metadata()?;
        let written = i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec());
        Ok(Self { written, size: data.len() })
    }

    /// Puts the file's time back, by less than a millisecond and each time by another part of it, to one that no write will give it:
    /// times of writes do not go back. None where the file system keeps times less exactly, or the clock was put back.
    fn set_apart(&self, file: &File) -> io::Result<Option<Self>> {
        let now = SystemTime::now();
        let written = file.metadata()?.modified()?;
        let back = Duration::from_nanos(1 + u64::from(since_1970(now).subsec_nanos()) % 1_000_000);
        let Some(apart) = written.checked_sub(back).filter(|_| written <= now) else { return Ok(None) };
        file.set_modified(apart)?;
        let exact = i128::try_from(since_1970(apart).as_nanos()).ok();
        Ok(Some(Self::of(file)?).filter(|stamp| Some(stamp.written) == exact && stamp.size == self.size))
    }

    fn is_settled(&self) -> bool {
        let now = since_1970(SystemTime::now());
        i128::try_from(now.saturating_sub(SETTLED).as_nanos()).is_ok_and(|latest| self.written < latest)
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn identity(data: &Metadata) -> Identity {
    (data.dev(), data.ino())
}

fn sum(file: &File) -> io::Result<String> {
    let (mut hash, mut buffer, mut place) = (Sha256::new(), vec![0; 1 << 16], 0);
    loop {
        let count = file.read_at(&mut buffer, place)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
        place += count as u64;
    }
}
