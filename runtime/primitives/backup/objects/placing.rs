use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sha2::{Digest, Sha256};

use super::{Bucket, Saved};
use crate::drivers::backup::{Contents, hex};
use crate::drivers::bucket::{self, Etags, Object, ObjectReader, ObjectWriter};
use crate::primitive::{Context, Failure, FailureKind, Span};
use crate::primitives::backup::repository::wanted;

/// How many objects are on their way at a time.
const WRITERS: usize = 4;

/// A bucket into which a part is restored.
pub struct Placing {
    /// The bucket, or a folder of it.
    pub target: Bucket,
    pub within: Span,
}

/// An object as it has to be.
pub struct Wanted {
    /// How large it is.
    pub bytes: u64,
    sha256: String,
    /// What a server calls such content.
    etags: [String; 2],
}

/// Objects by their names in the bucket.
pub type AllWanted = BTreeMap<String, Wanted>;

/// What is not as it has to be, by name.
#[derive(Debug, Default)]
pub struct Differing {
    pub missing: BTreeSet<String>,
    /// With other content.
    pub content: BTreeSet<String>,
    /// That do not belong there.
    pub extra: BTreeSet<String>,
}

impl Differing {
    /// What would be lost if it were made as it has to be.
    pub fn lost(&self) -> BTreeSet<String> {
        self.content.union(&self.extra).cloned().collect()
    }

    /// What has to be written.
    pub fn written(&self) -> BTreeSet<String> {
        self.missing.union(&self.content).cloned().collect()
    }

    /// Each of them, in words that those of folders are as well.
    pub fn lines(&self) -> Vec<(&str, &'static str)> {
        let kinds = [(&self.missing, "missing"), (&self.content, "content"), (&self.extra, "extra")];
        let mut all = Vec::new();
        for (names, what) in kinds {
            all.extend(names.iter().map(|name| (name.as_str(), what)));
        }
        all.sort_unstable();
        all
    }
}

impl Placing {
    /// Opens it with its keys.
    pub fn open(&self, context: &Context<'_>) -> Result<Arc<bucket::Bucket>, Failure> {
        self.target.client(context, wanted(context, self.within))
    }

    /// Compares what is there with what has to be. The server says what it calls the content of each object; where that is something
    /// else, as with servers that encrypt, the object is read.
    pub fn compare(&self, bucket: &Arc<bucket::Bucket>, wanted: &AllWanted) -> Result<Differing, Failure> {
        let prefix = self.target.place.key("");
        let mut there: BTreeMap<String, Object> = BTreeMap::new();
        for object in bucket.list("")? {
            let name = object.key.strip_prefix(&prefix).unwrap_or(&object.key).to_owned();
            // What stands for a folder holds nothing.
            if !(name.is_empty() || name.ends_with('/') && object.size == 0) {
                there.insert(name, object);
            }
        }
        let mut differing = Differing::default();
        for (name, wanted) in wanted {
            match there.remove(name) {
                None => drop(differing.missing.insert(name.clone())),
                Some(object) if object.size == wanted.bytes && is_same(bucket, name, &object, wanted)? => {}
                Some(_) => drop(differing.content.insert(name.clone())),
            }
        }
        differing.extra = there.into_keys().collect();
        Ok(differing)
    }
}

/// Whoever writes these objects, several at a time, with what was said of them when they were saved.
pub fn writing<T>(
    bucket: &Arc<bucket::Bucket>,
    names: &BTreeSet<String>,
    saved: &BTreeMap<String, Saved>,
    work: impl FnOnce(&mut Writing<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (hand, ready) = sync_channel::<ObjectWriter>(0);
    let (ready, fault) = (Mutex::new(ready), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| finish_each(&ready, &fault));
        }
        let mut writing = Writing { bucket, names, saved, fault: &fault, hand, open: None };
        let done = work(&mut writing);
        drop(writing);
        done
    })
    .and_then(|done| fault.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(done), Err))
}

/// What has been handed over is written until nobody hands over anything any more, or something went wrong.
fn finish_each(ready: &Mutex<Receiver<ObjectWriter>>, fault: &Mutex<Option<Failure>>) {
    loop {
        let next = ready.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(writer) = next else { return };
        if fault.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            continue;
        }
        if let Err(failure) = writer.finish() {
            fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    }
}

/// Objects that are being written.
pub struct Writing<'a> {
    bucket: &'a Arc<bucket::Bucket>,
    names: &'a BTreeSet<String>,
    saved: &'a BTreeMap<String, Saved>,
    fault: &'a Mutex<Option<Failure>>,
    hand: SyncSender<ObjectWriter>,
    open: Option<ObjectWriter>,
}

impl Contents for Writing<'_> {
    fn begin(&mut self, path: &Path) -> Result<bool, Failure> {
        if let Some(failure) = &*self.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(failure.clone());
        }
        let name = name_of(path)?;
        if !self.names.contains(&name) {
            return Ok(false);
        }
        let headers = self.saved.get(&name).into_iter().flat_map(|saved| saved.headers.clone());
        let headers = headers.map(|(name, value)| (name.into(), value)).collect();
        self.open = Some(ObjectWriter::new(Arc::clone(self.bucket), &name, headers));
        Ok(true)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.open.as_mut().map_or(Ok(()), |open| open.write(bytes))
    }

    fn end(&mut self, _: u64, _: &[u8]) -> Result<(), Failure> {
        let lost = || Failure::new(FailureKind::System, "nobody writes objects any more");
        self.open.take().map_or(Ok(()), |open| self.hand.send(open).map_err(|_| lost()))
    }
}

/// What is in the files of a part, and what servers call it.
#[derive(Default)]
pub struct Wanting {
    pub all: AllWanted,
    open: Option<(String, Etags)>,
}

impl Contents for Wanting {
    fn begin(&mut self, path: &Path) -> Result<bool, Failure> {
        self.open = Some((name_of(path)?, Etags::default()));
        Ok(true)
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.open.iter_mut().for_each(|(_, etags)| etags.push(bytes));
        Ok(())
    }

    fn end(&mut self, bytes: u64, hash: &[u8]) -> Result<(), Failure> {
        if let Some((name, etags)) = self.open.take() {
            self.all.insert(name, Wanted { bytes, sha256: hex(hash), etags: etags.finish() });
        }
        Ok(())
    }
}

fn name_of(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("`{}` cannot be the name of an object: it is no text", path.display());
        Failure::new(FailureKind::Invalid, message)
    })
}

fn is_same(bucket: &Arc<bucket::Bucket>, name: &str, object: &Object, wanted: &Wanted) -> Result<bool, Failure> {
    if wanted.etags.contains(&object.etag) {
        return Ok(true);
    }
    let mut reader = ObjectReader::open(Arc::clone(bucket), name, &object.etag, object.size)?;
    let mut hasher = Sha256::new();
    while let Some(piece) = reader.piece()? {
        hasher.update(&piece);
    }
    Ok(hex(&hasher.finalize()) == wanted.sha256)
}
