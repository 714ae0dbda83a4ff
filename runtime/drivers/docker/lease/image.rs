//! The image that lock containers are made from: one text file, no program.
//!
//! It is loaded and not imported: an import makes a new image each time, and ten at once would leave nine without a
//! name. This one is made of the same bytes by everyone, so to the engine it is one image, however many load it.

use bollard::query_parameters::ImportImageOptionsBuilder;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::drivers::docker::errors::{failure, refusal};
use crate::drivers::docker::{Engine, stream};
use crate::failure::Failure;

pub(super) const IMAGE: &str = "runbook/lock:1";
const README: &[u8] =
    b"Containers of this image are locks. They never run; they are there as long as somebody deploys.\n";

/// Gives the engine the image.
pub(super) async fn load(engine: &Engine) -> Result<(), Failure> {
    let what = || format!("load the image `{IMAGE}`");
    let api = engine.api().await?;
    let version = api.version().await.map_err(|error| failure(engine.address(), what(), error))?;
    let architecture = version.arch.unwrap_or_else(|| "amd64".into());
    let archive = archive(&architecture).map_err(|error| Failure::system(what(), &error))?;
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let mut answers = std::pin::pin!(api.import_image(options, bollard::body_full(Bytes::from(archive)), None));
    while let Some(item) = stream::next(&mut answers, stream::IDLE, "loading an image").await? {
        let item = item.map_err(|error| failure(engine.address(), what(), error))?;
        if let Some(problem) = item.error_detail.and_then(|detail| detail.message) {
            return Err(refusal(what(), None, &problem));
        }
    }
    Ok(())
}

/// As `docker save` writes it.
fn archive(architecture: &str) -> std::io::Result<Vec<u8>> {
    let layer = pack(&[("README", README)])?;
    let mut sum = String::from("sha256:");
    Sha256::digest(&layer).iter().for_each(|byte| sum.push_str(&format!("{byte:02x}")));
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": { "Labels": { "runbook.image": "lock" } },
        "rootfs": { "type": "layers", "diff_ids": [sum] },
        "history": [{ "created": "2026-01-01T00:00:00Z", "comment": "runbook: the image of locks" }],
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"] }]);
    let (config, manifest) = (config.to_string(), manifest.to_string());
    pack(&[("config.json", config.as_bytes()), ("layer.tar", &layer), ("manifest.json", manifest.as_bytes())])
}

fn pack(files: &[(&str, &[u8])]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content)?;
    }
    archive.into_inner()
}
