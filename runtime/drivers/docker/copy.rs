//! Files into and out of a container.

use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use bollard::errors::Error;
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use super::build_context::{Pieces, add};
use super::errors::failure;
use super::{Engine, stream};
use crate::drivers::disk::{Held, Tree};
use crate::failure::{Failure, FailureKind};

impl Engine {
    /// Does a path of a container receive what is copied to it, or become its name? As with `cp`: a folder receives, and
    /// so does whatever ends in `/`.
    pub async fn receives(&self, container: &str, to: &str) -> Result<bool, Failure> {
        Ok(to.ends_with('/') || self.is_folder(container, to).await?)
    }

    /// Copies a file or folder of this machine, called `name` there, into a container, running or not: `into` a folder, under
    /// its own name, or to a name of its own. Files in there belong to root.
    pub async fn copy_in(&self, container: &str, from: Tree, name: &Path, to: &str, into: bool) -> Result<(), Failure> {
        let what = format!("copy `{}` to `{to}` in container `{container}`", name.display());
        if from.metadata().is_ok_and(|metadata| metadata.is_file()) {
            from.read().map_err(|error| Failure::system(&what, &error))?;
        }
        let target = Path::new(to);
        let (folder, name) = match (into, target.file_name().zip(target.parent())) {
            (false, Some((name, parent))) => (parent.to_path_buf(), PathBuf::from(name)),
            _ => (target.to_path_buf(), file_name(name, &what)?),
        };
        let (sender, pieces) = mpsc::channel(4);
        tokio::task::spawn_blocking(move || {
            let mut archive = tar::Builder::new(std::io::BufWriter::with_capacity(256 * 1024, Pieces(sender.clone())));
            let packed = add_all(&mut archive, &from, &name)
                .and_then(|()| archive.into_inner())
                .and_then(|mut writer| writer.flush());
            if let Err(error) = packed {
                let _ = sender.blocking_send(Err(error));
            }
        });
        let body = unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)));
        let options = UploadToContainerOptionsBuilder::default().path(&folder.to_string_lossy()).build();
        let api = self.patient(stream::IDLE * 60).await?;
        let sent = api.upload_to_container(container, Some(options), bollard::body_try_stream(Box::pin(body))).await;
        sent.map_err(|error| failure(self.address(), &what, error))
    }

    /// Writes a file into a container, running or not. Missing folders on the way are made.
    pub async fn put_file(
        &self,
        container: &str,
        path: &str,
        content: &[u8],
        mode: u32,
        (user, group): (u64, u64),
    ) -> Result<(), Failure> {
        let what = format!("write `{path}` in container `{container}`");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(user);
        header.set_gid(group);
        let mut archive = tar::Builder::new(Vec::new());
        archive
            .append_data(&mut header, path.trim_start_matches('/'), content)
            .map_err(|error| Failure::system(&what, &error))?;
        let archive = archive.into_inner().map_err(|error| Failure::system(&what, &error))?;
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let body = bollard::body_full(Bytes::from(archive));
        let sent = self.api().await?.upload_to_container(container, Some(options), body).await;
        sent.map_err(|error| failure(self.address(), &what, error))
    }

    /// Where a file or folder of a container would be copied to: as with `cp`, a folder receives it under its own name.
    /// A folder that is there is not replaced.
    pub fn target_of_copy(&self, container: &str, from: &str, to: &Path) -> Result<PathBuf, Failure> {
        let what = format!("copy `{from}` of container `{container}` to `{}`", to.display());
        let target = if to.is_dir() { to.join(file_name(Path::new(from), &what)?) } else { to.to_owned() };
        if target.is_dir() {
            return Err(Failure::new(
                FailureKind::Conflict,
                format!("cannot {what}: there is a folder `{}`", target.display()),
            ));
        }
        Ok(target)
    }

    /// Copies a file or folder out of a container, running or not, to exactly that path. It appears whole or not at all;
    /// a file that is there is replaced. `name` is nobody else's: what is half there carries it, and makes way when the
    /// same copy is made again.
    pub async fn copy_out(&self, container: &str, from: &str, target: &Held, name: &str) -> Result<(), Failure> {
        let what = format!("copy `{from}` of container `{container}` to `{}`", target.real().display());
        let unique = format!(".{}.{name}.part", file_name(target.real(), &what)?.display());
        let staging = Staging(target.beside(unique));
        let _ = std::fs::remove_dir_all(&staging.0);
        std::fs::create_dir(&staging.0).map_err(|error| Failure::system(&what, &error))?;

        let options = DownloadFromContainerOptionsBuilder::default().path(from).build();
        let api = self.api().await?;
        let mut answers = std::pin::pin!(api.download_from_container(container, Some(options)));
        let (sender, pieces) = mpsc::channel::<Bytes>(4);
        let folder = staging.0.clone();
        let unpacking = tokio::task::spawn_blocking(move || tar::Archive::new(Assembled::new(pieces)).unpack(folder));
        while let Some(piece) = stream::next(&mut answers, stream::IDLE, format!("copying `{from}`")).await? {
            let piece = piece.map_err(|error| failure(self.address(), &what, error))?;
            if sender.send(piece).await.is_err() {
                break; // Unpacking failed, and says why below.
            }
        }
        drop(sender);
        let unpacked = unpacking.await.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()));
        unpacked.map_err(|error| Failure::system(&what, &error))?;
        let entry = std::fs::read_dir(&staging.0).and_then(|mut entries| entries.next().transpose());
        let entry = entry.map_err(|error| Failure::system(&what, &error))?;
        let entry = entry.ok_or_else(|| Failure::new(FailureKind::NotFound, format!("cannot {what}: nothing came")))?;
        std::fs::rename(entry.path(), target.path()).map_err(|error| Failure::system(&what, &error))
    }

    /// Is a path of a container a folder?
    pub async fn is_folder(&self, container: &str, path: &str) -> Result<bool, Failure> {
        /// Go's `os.ModeDir`, in which the engine speaks.
        const FOLDER: u32 = 1 << 31;
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        match self.api().await?.get_container_archive_info(container, Some(options)).await {
            Ok(found) => Ok(found.file_mode & FOLDER != 0),
            // The container is missing or the path is; the upload will tell which.
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(failure(self.address(), format!("look at `{path}` in container `{container}`"), error)),
        }
    }
}

fn file_name(path: &Path, what: &str) -> Result<PathBuf, Failure> {
    match path.components().next_back() {
        Some(Component::Normal(name)) => Ok(PathBuf::from(name)),
        _ => Err(Failure::new(FailureKind::Argument, format!("cannot {what}: `{}` has no name", path.display()))),
    }
}

fn add_all<W: Write>(archive: &mut tar::Builder<W>, from: &Tree, name: &Path) -> std::io::Result<()> {
    add(archive, from, name)?;
    if from.metadata()?.is_dir() {
        for inside in from.names()? {
            add_all(archive, &from.child(&inside)?, &name.join(inside))?;
        }
    }
    Ok(())
}

/// A folder that is gone in the end, whatever happens.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads the pieces of an archive one after the other.
struct Assembled {
    pieces: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Assembled {
    fn new(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self { pieces, rest: Bytes::new() }
    }
}

impl Read for Assembled {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.rest.len());
        buffer[..length].copy_from_slice(&self.rest.split_to(length));
        Ok(length)
    }
}
