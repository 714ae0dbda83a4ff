use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustic_core::{FileType, Id};

use super::Wanted;
use super::lock::Lock;
use super::repository::Access;
use super::store::{Hold, Store};
use crate::failure::Failure;

/// Where files are while they are written. `restic` does not look there.
const UNFINISHED: &str = "unfinished";

/// A repository in a local folder, laid out as restic does. A file is whole and on the disk, or not there.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder, which need not be there yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn path(&self, kind: FileType, id: &Id) -> PathBuf {
        let name = id.to_hex();
        match kind {
            FileType::Config => self.root.join("config"),
            FileType::Pack => self.root.join("data").join(&name[..2]).join(&name[..]),
            _ => self.root.join(kind.dirname()).join(&name[..]),
        }
    }
}

impl Store for Folder {
    fn shown(&self) -> String {
        self.root.display().to_string()
    }

    fn shown_file(&self, kind: FileType, id: &Id) -> String {
        self.path(kind, id).display().to_string()
    }

    fn is_there(&self) -> Result<bool, Failure> {
        Ok(self.root.join("config").is_file())
    }

    fn is_vacant(&self) -> Result<bool, Failure> {
        Ok(fs::read_dir(&self.root).into_iter().flatten().next().is_none())
    }

    fn create(&self) -> Result<(), Failure> {
        let packs = (0..=255).map(|byte| format!("data/{byte:02x}"));
        let others = ["index", "keys", "locks", "snapshots", UNFINISHED].map(str::to_owned);
        for name in packs.chain(others) {
            let folder = self.root.join(name);
            fs::create_dir_all(&folder)
                .map_err(|error| Failure::system(format!("make the folder `{}`", folder.display()), &error))?;
        }
        Ok(())
    }

    fn list(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure> {
        let mut found = Vec::new();
        match kind {
            FileType::Config => match fs::metadata(self.path(kind, &Id::default())) {
                Ok(metadata) => found.push((Id::default(), length(&metadata))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::system(format!("look into `{}`", self.shown()), &error)),
            },
            FileType::Pack => {
                for name in names(&self.root.join("data"))? {
                    files(&self.root.join("data").join(name), &mut found)?;
                }
            }
            _ => files(&self.root.join(kind.dirname()), &mut found)?,
        }
        Ok(found)
    }

    fn read(&self, kind: FileType, id: &Id) -> Result<Bytes, Failure> {
        let path = self.path(kind, id);
        let read = fs::read(&path).map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?;
        Ok(read.into())
    }

    fn read_part(&self, kind: FileType, id: &Id, offset: u32, length: u32) -> Result<Bytes, Failure> {
        let path = self.path(kind, id);
        let read = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(offset.into()))?;
            let mut part = vec![0; length as usize];
            file.read_exact(&mut part)?;
            Ok(part)
        };
        let part: Vec<u8> =
            read().map_err(|error: std::io::Error| Failure::system(format!("read `{}`", path.display()), &error))?;
        Ok(part.into())
    }

    /// Aside first, then under its name.
    fn write(&self, kind: FileType, id: &Id, pieces: &[Bytes]) -> Result<(), Failure> {
        let path = self.path(kind, id);
        let written = || {
            let folder = self.root.join(UNFINISHED);
            fs::create_dir_all(&folder)?;
            let aside = folder.join(format!("{}-{}", std::process::id(), &id.to_hex()[..]));
            let put = || {
                let mut file = File::create(&aside)?;
                for piece in pieces {
                    file.write_all(piece)?;
                }
                file.sync_all()?;
                let parent = path.parent().unwrap_or(&self.root);
                fs::create_dir_all(parent)?;
                fs::rename(&aside, &path)?;
                File::open(parent)?.sync_all()
            };
            put().inspect_err(|_| drop(fs::remove_file(&aside)))
        };
        written().map_err(|error: std::io::Error| {
            let failure = Failure::system(format!("write into the repository `{}`", self.shown()), &error);
            if error.kind() == ErrorKind::StorageFull {
                return failure.hint("make room: `runbook backup forget` and `prune`, or a larger disk");
            }
            failure
        })
    }

    fn remove(&self, kind: FileType, id: &Id) -> Result<(), Failure> {
        let path = self.path(kind, id);
        fs::remove_file(&path).map_err(|error| Failure::system(format!("remove `{}`", path.display()), &error))
    }

    fn hold(&self, access: Access, wanted: &Wanted) -> Result<Box<dyn Hold>, Failure> {
        Ok(Box::new(Lock::take(&self.root, access == Access::Alone, wanted)?))
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn tidy(&self) {
        for entry in fs::read_dir(self.root.join(UNFINISHED)).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn length(metadata: &fs::Metadata) -> u32 {
    u32::try_from(metadata.len()).unwrap_or(u32::MAX)
}

fn names(folder: &Path) -> Result<Vec<OsString>, Failure> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<OsString>>>();
    read().map_err(|error: std::io::Error| Failure::system(format!("list `{}`", folder.display()), &error))
}

/// The files of a folder that are named as files of a repository are.
fn files(folder: &Path, found: &mut Vec<(Id, u32)>) -> Result<(), Failure> {
    for name in names(folder)? {
        let Some(id) = name.to_str().filter(|name| name.len() == 64).and_then(|name| name.parse::<Id>().ok()) else {
            continue;
        };
        let path = folder.join(&name);
        match fs::metadata(&path) {
            Ok(metadata) => found.push((id, length(&metadata))),
            // Another process forgot it in the meantime.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::system(format!("look at `{}`", path.display()), &error)),
        }
    }
    Ok(())
}
