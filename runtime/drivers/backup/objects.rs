use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use rustic_core::{FileType, Id};

use super::Wanted;
use super::lease::{self, Lease};
use super::repository::Access;
use super::store::{Hold, Store};
use crate::drivers::bucket::{Bucket, Keys, Object, Place, digest};
use crate::drivers::pace::Paces;
use crate::failure::{Failure, FailureKind};

/// How long a snapshot may take to make. What nobody needs is marked first and removed a day later, so that whoever is done
/// by then loses nothing, and needs no right to leave word and to take it back.
const PATIENCE: Duration = Duration::from_secs(20 * 60 * 60);

/// A repository in a bucket, laid out as restic does.
#[derive(Debug)]
pub struct Objects {
    bucket: Bucket,
    place: Place,
    keys: Keys,
    /// What whoever removes something has to hold.
    lease: Mutex<Weak<Lease>>,
}

impl Objects {
    /// The bucket, of which nothing is asked yet.
    pub fn new(place: &Place, keys: &Keys, paces: &Arc<Paces>, wanted: &Wanted) -> Result<Self, Failure> {
        let bucket = Bucket::paced(place.clone(), keys.clone(), paces, Arc::clone(wanted))?;
        Ok(Self { bucket, place: place.clone(), keys: keys.clone(), lease: Mutex::default() })
    }

    fn refuse_foreign(&self) -> Result<(), Failure> {
        if self.bucket.list("locks/")?.is_empty() {
            return Ok(());
        }
        let message = format!("`restic` is at work in the repository `{}`, or was killed there", self.shown());
        Err(Failure::new(FailureKind::Conflict, message)
            .hint("wait for it; when none is running, remove what it left with `restic unlock`"))
    }
}

fn name(kind: FileType, id: &Id) -> String {
    let name = id.to_hex();
    match kind {
        FileType::Config => "config".into(),
        FileType::Pack => format!("data/{}/{}", &name[..2], &name[..]),
        _ => format!("{}/{}", kind.dirname(), &name[..]),
    }
}

/// The id of an object that is named as a file of a repository is, and lies where it belongs.
fn id_of(kind: FileType, place: &Place, object: &Object) -> Option<Id> {
    let last = object.key.rsplit('/').next().filter(|name| name.len() == 64)?;
    let id = last.parse::<Id>().ok()?;
    (object.key == place.key(&name(kind, &id))).then_some(id)
}

impl Store for Objects {
    fn shown(&self) -> String {
        self.place.shown()
    }

    fn shown_file(&self, kind: FileType, id: &Id) -> String {
        format!("{}/{}", self.place.shown(), name(kind, id))
    }

    fn is_there(&self) -> Result<bool, Failure> {
        Ok(!self.list(FileType::Config)?.is_empty())
    }

    fn is_vacant(&self) -> Result<bool, Failure> {
        Ok(self.bucket.list("")?.is_empty())
    }

    fn create(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn list(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure> {
        let size = |object: &Object| u32::try_from(object.size).unwrap_or(u32::MAX);
        if kind == FileType::Config {
            let key = self.place.key("config");
            let found = self.bucket.list("config")?;
            return Ok(found.iter().filter(|object| object.key == key).map(|one| (Id::default(), size(one))).collect());
        }
        let found = self.bucket.list(&format!("{}/", kind.dirname()))?;
        Ok(found.iter().filter_map(|object| Some((id_of(kind, &self.place, object)?, size(object)))).collect())
    }

    fn read(&self, kind: FileType, id: &Id) -> Result<Bytes, Failure> {
        let found = self.bucket.get(&name(kind, id))?.map(|reply| reply.body);
        found.ok_or_else(|| {
            let message = format!("cannot read `{}`: it is not there", self.shown_file(kind, id));
            Failure::new(FailureKind::NotFound, message)
        })
    }

    fn read_part(&self, kind: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        self.bucket.get_part(&name(kind, id), offset, length)
    }

    fn read_on(&self, kind: FileType, id: &Id, offset: u32, length: u32, most: u32) -> Result<Bytes, Failure> {
        if most == 0 {
            return Ok(Bytes::new());
        }
        self.bucket.get_range(&name(kind, id), offset, length, most)
    }

    fn is_far(&self) -> bool {
        true
    }

    /// The server compares what arrives with its hash, which is the name.
    fn write(&self, kind: FileType, id: &Id, pieces: &[Bytes]) -> Result<(), Failure> {
        if kind != FileType::Config {
            return self.bucket.put(&name(kind, id), pieces, &id.to_hex(), false).map(drop);
        }
        // Of two who make a repository at one time, one does.
        let text = pieces.concat();
        let is_ours = self.bucket.put("config", pieces, &digest(&text), true)?
            // It may have been written by a request whose answer was lost.
            || self.read(kind, id)? == text;
        if is_ours {
            return Ok(());
        }
        let message = format!("somebody else makes a repository in `{}`", self.shown());
        Err(Failure::new(FailureKind::Conflict, message))
    }

    fn remove(&self, kind: FileType, id: &Id) -> Result<(), Failure> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        let held = lease.ok_or_else(|| {
            let message = format!("`{}` is not removed without a lease", self.shown_file(kind, id));
            Failure::new(FailureKind::Refused, message)
        })?;
        held.check()?;
        self.bucket.remove(&name(kind, id))
    }

    fn hold(&self, access: Access, wanted: &Wanted) -> Result<Box<dyn Hold>, Failure> {
        self.refuse_foreign()?;
        if access == Access::Shared {
            lease::wait(&self.bucket, wanted)?;
            return Ok(Box::new(Nothing));
        }
        let lease = Arc::new(Lease::take(&self.place, &self.keys, wanted)?);
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&lease);
        Ok(Box::new(lease))
    }

    fn patience(&self) -> Option<Duration> {
        Some(PATIENCE)
    }
}

/// Whoever only adds needs no hold.
#[derive(Debug)]
struct Nothing;

impl Hold for Nothing {}

impl Hold for Arc<Lease> {
    fn check(&self) -> Result<(), Failure> {
        Lease::check(self)
    }
}
