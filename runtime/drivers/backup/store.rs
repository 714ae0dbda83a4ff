use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustic_core::{FileType, Id};

use super::Wanted;
use super::folder::Folder;
use super::objects::Objects;
use super::remote::Remote;
use super::repository::Access;
use crate::drivers::bucket::{Keys, Place, Style};
use crate::drivers::pace::{Limits, Paces};
use crate::drivers::ssh::{Target, quoted};
use crate::failure::Failure;

/// Where the files of a repository are kept, laid out as restic does. A file is whole, or not there.
pub trait Store: Debug + Send + Sync + 'static {
    /// The place for messages.
    fn shown(&self) -> String;

    /// A file of the repository for messages.
    fn shown_file(&self, kind: FileType, id: &Id) -> String;

    /// Is there a repository?
    fn is_there(&self) -> Result<bool, Failure>;

    /// Is there nothing at all, so that one can be made?
    fn is_vacant(&self) -> Result<bool, Failure>;

    /// Makes what an empty repository needs before its first file.
    fn create(&self) -> Result<(), Failure>;

    /// Everything of a kind, with sizes. What cannot be listed is a failure: whoever believed that it is not there would
    /// remove what belongs to it.
    fn list(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure>;

    /// A whole file.
    fn read(&self, kind: FileType, id: &Id) -> Result<Bytes, Failure>;

    /// A part of a file.
    fn read_part(&self, kind: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure>;

    /// A part of a file and what follows, as far as it is there: from `length` to `most` bytes.
    fn read_on(&self, kind: FileType, id: &Id, offset: u32, length: u32, most: u32) -> Result<Bytes, Failure> {
        let _ = most;
        self.read_part(kind, id, offset, length)
    }

    /// Does it take long to ask for something, however little it is?
    fn is_far(&self) -> bool {
        false
    }

    /// Writes a file. Its name is the hash of its content, unless it is the config.
    fn write(&self, kind: FileType, id: &Id, pieces: &[Bytes]) -> Result<(), Failure>;

    /// Removes a file.
    fn remove(&self, kind: FileType, id: &Id) -> Result<(), Failure>;

    /// Waits until nobody is at work there who must not be disturbed, and holds off others for as long as the hold is kept.
    fn hold(&self, access: Access, wanted: &Wanted) -> Result<Box<dyn Hold>, Failure>;

    /// How old what is known of the repository may be when a snapshot is added; any age where a hold keeps others from
    /// removing anything meanwhile.
    fn patience(&self) -> Option<Duration> {
        None
    }

    /// The folder of this machine it lies in.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Removes what writers left behind that were killed. Nobody else may be writing.
    fn tidy(&self) {}
}

/// A hold on a repository. It ends with its value or with the process.
pub trait Hold: Debug + Send + Sync {
    /// Is it still held?
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Where a repository is.
#[derive(Clone, Debug)]
pub enum Location {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a bucket, and who asks.
    Bucket(Place, Keys),
    /// In a folder of a host.
    Host(Box<Target>, String),
    /// Anywhere, and how much may travel there and back in a second.
    Limited(Box<Self>, Limits),
}

impl Location {
    /// The place for messages.
    pub fn shown(&self) -> String {
        match self {
            Self::Folder(root) => root.display().to_string(),
            Self::Bucket(place, _) => place.shown(),
            Self::Host(target, root) => format!("{}:{root}", target.name),
            Self::Limited(location, _) => location.shown(),
        }
    }

    /// The options by which `restic` finds it, as a shell reads them.
    pub fn restic(&self) -> String {
        match self {
            Self::Folder(root) => format!("-r {}", quoted(&root.display().to_string())),
            Self::Host(target, root) => {
                let command = quoted(&format!("sftp.command={} -s sftp", target.ssh_line()));
                format!("-o {command} -r {}", quoted(&format!("sftp:{}:{root}", target.name)))
            }
            Self::Bucket(place, _) => {
                let style = if place.style == Style::Path { "path" } else { "dns" };
                let repository = quoted(&format!("s3:{}", place.shown()));
                format!("-r {repository} -o s3.region={} -o s3.bucket-lookup={style}", quoted(&place.region))
            }
            Self::Limited(location, Limits { upload, download }) => {
                let option = |name: &str, rate: &Option<u64>| {
                    rate.map_or_else(String::new, |rate| format!(" --limit-{name} {}", rate.div_ceil(1 << 10)))
                };
                format!("{}{}{}", location.restic(), option("upload", upload), option("download", download))
            }
        }
    }

    pub(super) fn store(&self, wanted: &Wanted) -> Result<Arc<dyn Store>, Failure> {
        self.paced(&Arc::default(), wanted)
    }

    fn paced(&self, paces: &Arc<Paces>, wanted: &Wanted) -> Result<Arc<dyn Store>, Failure> {
        Ok(match self {
            Self::Folder(root) => Arc::new(Folder::new(root)),
            Self::Host(target, root) => Arc::new(Remote::new(target, root, paces, wanted)?),
            Self::Bucket(place, keys) => Arc::new(Objects::new(place, keys, paces, wanted)?),
            Self::Limited(location, limits) => location.paced(&Arc::new(Paces::new(*limits)), wanted)?,
        })
    }
}

impl From<&Location> for Location {
    fn from(location: &Location) -> Self {
        location.clone()
    }
}

impl From<PathBuf> for Location {
    fn from(root: PathBuf) -> Self {
        Self::Folder(root)
    }
}

impl From<&PathBuf> for Location {
    fn from(root: &PathBuf) -> Self {
        Self::Folder(root.clone())
    }
}

impl From<&Path> for Location {
    fn from(root: &Path) -> Self {
        Self::Folder(root.to_owned())
    }
}
