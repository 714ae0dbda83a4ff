//! Images from one engine to another, or to whoever keeps them, without a registry: saved, and loaded without the layers that are
//! there already.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use bollard::errors::Error;
use bollard::query_parameters::ImportImageOptions;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::build_context::Pieces;
use super::errors::failure;
use super::{Engine, stream};
use crate::failure::{Failure, FailureKind};

/// An image, by what two engines can compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layered {
    /// Its id. Engines that store images in different ways give different ones.
    pub id: String,
    /// The checksums of its layers, the lowest first.
    pub layers: Vec<String>,
    created: String,
}

impl Layered {
    /// Is it the same image?
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id || self.layers == other.layers && self.created == other.created
    }
}

/// One entry of an archive's `manifest.json`.
#[derive(Deserialize)]
struct Manifest {
    #[serde(rename = "Layers", default)]
    layers: Vec<String>,
}

impl Engine {
    /// The layers of an image; `None` when there is no such image.
    pub async fn layered(&self, image: &str) -> Result<Option<Layered>, Failure> {
        match self.api().await?.inspect_image(image).await {
            Ok(answer) => Ok(Some(Layered {
                id: answer.id.unwrap_or_default(),
                layers: answer.root_fs.and_then(|system| system.layers).unwrap_or_default(),
                created: answer.created.unwrap_or_default(),
            })),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failure(self.address(), format!("inspect image `{image}`"), error)),
        }
    }

    /// How many layers of that image, from the lowest on, the engine has by way of its other images.
    pub async fn shared_layers(&self, image: &Layered) -> Result<usize, Failure> {
        let mut most = 0;
        let mut seen = BTreeSet::new();
        for other in self.images().await? {
            if !seen.insert(other.id.clone()) {
                continue;
            }
            let Some(other) = self.layered(&other.id).await? else { continue };
            let shared = other.layers.iter().zip(&image.layers).take_while(|(theirs, ours)| theirs == ours).count();
            most = most.max(shared);
        }
        Ok(most)
    }

    /// Writes an image with its name into a file, as `docker save` does.
    pub async fn save(&self, image: &str, to: &Path) -> Result<(), Failure> {
        let what = format!("save image `{image}`");
        let mut file = File::create(to).map_err(|error| Failure::system(&what, &error))?;
        let api = self.patient(stream::IDLE).await?;
        let mut answers = std::pin::pin!(api.export_image(image));
        while let Some(piece) = stream::next(&mut answers, stream::IDLE, format!("saving `{image}`")).await? {
            let piece = piece.map_err(|error| failure(self.address(), &what, error))?;
            file.write_all(&piece).map_err(|error| Failure::system(&what, &error))?;
        }
        Ok(())
    }

    /// Hands on several images in one archive, as `docker save` does; what is named by its id comes without a name. `false` ends it.
    pub async fn save_all(
        &self,
        images: &[&str],
        on_bytes: &mut (dyn FnMut(&[u8]) -> bool + Send),
    ) -> Result<(), Failure> {
        let what = format!("save {} images", images.len());
        let api = self.patient(stream::IDLE).await?;
        let mut answers = std::pin::pin!(api.export_images(images));
        while let Some(piece) = stream::next(&mut answers, stream::IDLE, "saving images").await? {
            if !on_bytes(&piece.map_err(|error| failure(self.address(), &what, error))?) {
                return Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"));
            }
        }
        Ok(())
    }

    /// Loads an image from such a file, without so many of its lowest layers, which the engine has. Returns how many bytes
    /// of layers were sent, before they were compressed.
    pub async fn load(&self, image: &str, from: &Path, without: usize) -> Result<u64, Failure> {
        let what = format!("load image `{image}`");
        let (left_out, size) = left_out(from, without).map_err(|error| Failure::system(&what, &error))?;
        let (sender, pieces) = mpsc::channel(4);
        let from = from.to_owned();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = pack(&from, &left_out, Pieces(sender.clone())) {
                let _ = sender.blocking_send(Err(error));
            }
        });
        let body = unfold(pieces, async |mut pieces| pieces.recv().await.map(|piece| (piece, pieces)));
        self.load_from(&what, body).await.map(|()| size)
    }

    /// Loads what is in an archive that somebody hands over; `what` completes "cannot …".
    pub async fn load_from(
        &self,
        what: &str,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), Failure> {
        let api = self.patient(stream::IDLE * 60).await?;
        let options = ImportImageOptions::default();
        let mut answers = std::pin::pin!(api.import_image(options, bollard::body_try_stream(Box::pin(archive)), None));
        while let Some(item) = stream::next(&mut answers, stream::IDLE * 60, "loading images").await? {
            let item = item.map_err(|error| failure(self.address(), what, error))?;
            if let Some(problem) = item.error_detail.and_then(|detail| detail.message) {
                return Err(Failure::new(FailureKind::System, format!("cannot {what}: {problem}")));
            }
        }
        Ok(())
    }
}

/// The entries of an archive that need not be sent, and how large the layers are that must.
fn left_out(archive: &Path, without: usize) -> std::io::Result<(BTreeSet<String>, u64)> {
    let mut file = BufReader::new(File::open(archive)?);
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut links = Vec::new();
    let mut sizes = Vec::new();
    for entry in tar::Archive::new(&mut file).entries_with_seek()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        if name == "manifest.json" {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            manifests = serde_json::from_str(&text)?;
        } else if let Some(to) = entry.link_name()? {
            links.push((name, to.to_string_lossy().into_owned()));
        } else {
            sizes.push((name, entry.size()));
        }
    }
    file.rewind()?;
    let layers = |manifest: &Manifest| manifest.layers.iter().take(without).cloned().collect::<Vec<_>>();
    let mut left_out: BTreeSet<String> = manifests.iter().flat_map(layers).collect();
    let all: BTreeSet<&String> = manifests.iter().flat_map(|manifest| &manifest.layers).collect();
    // A layer that stands for another's by a link needs that one.
    for (name, to) in &links {
        if !left_out.contains(name) {
            left_out.retain(|path| !to.ends_with(path.as_str()));
        }
    }
    let sent = |name: &String| all.contains(name) && !left_out.contains(name);
    let size = sizes.iter().filter(|(name, _)| sent(name)).map(|(_, size)| size).sum();
    Ok((left_out, size))
}

/// The archive without some entries, compressed: a line between hosts is slower than that.
fn pack(archive: &Path, left_out: &BTreeSet<String>, to: Pieces) -> std::io::Result<()> {
    let mut from = tar::Archive::new(BufReader::with_capacity(256 << 10, File::open(archive)?));
    let compressed = GzEncoder::new(std::io::BufWriter::with_capacity(256 << 10, to), Compression::fast());
    let mut packed = tar::Builder::new(compressed);
    for entry in from.entries()? {
        let entry = entry?;
        if left_out.contains(entry.path()?.to_string_lossy().as_ref()) {
            continue;
        }
        let header = entry.header().clone();
        packed.append(&header, entry)?;
    }
    packed.into_inner()?.finish()?.flush()
}
