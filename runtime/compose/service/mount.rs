use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::is_zero;
use crate::compose::cursor::Cursor;
use crate::compose::mounts::clean;
use crate::compose::node::Content;
use crate::compose::quantity::as_text;

/// Something mounted into the containers of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs` or `image`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The volume's key in the file, the absolute path, or the image; empty for an anonymous volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub source: String,
    /// The path inside.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// Read only?
    #[serde(skip_serializing_if = "is_zero")]
    pub read_only: bool,
    /// A wish of Docker Desktop's, without effect.
    #[serde(skip_serializing_if = "is_zero")]
    pub consistency: String,
    /// Options of a path of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<BindOptions>,
    /// Options of a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeOptions>,
    /// Options of a temporary file system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs: Option<TmpfsOptions>,
    /// Options of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageOptions>,
}

/// Options of a path of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BindOptions {
    /// `z` or `Z`.
    #[serde(skip_serializing_if = "is_zero")]
    pub selinux: String,
    /// How mounts below it spread.
    #[serde(skip_serializing_if = "is_zero")]
    pub propagation: String,
    /// Make the folder when it is missing?
    #[serde(skip_serializing_if = "Clone::clone")]
    pub create_host_path: bool,
    /// Whether mounts below it are mounted too.
    #[serde(skip_serializing_if = "is_zero")]
    pub recursive: String,
}

/// Options of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VolumeOptions {
    /// Labels of the volume.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// Start empty, without what the image has there?
    #[serde(skip_serializing_if = "is_zero")]
    pub nocopy: bool,
    /// A folder of the volume instead of all of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub subpath: String,
}

/// Options of a temporary file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TmpfsOptions {
    /// In bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub size: i64,
    /// Permission bits.
    #[serde(skip_serializing_if = "is_zero")]
    pub mode: i64,
}

/// Options of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImageOptions {
    /// A folder of the image instead of all of it.
    #[serde(skip_serializing_if = "is_zero")]
    pub subpath: String,
}

/// A config or secret as a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileMount {
    /// Its key under `configs` or `secrets`.
    #[serde(skip_serializing_if = "is_zero")]
    pub source: String,
    /// The path inside.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// The owner.
    #[serde(skip_serializing_if = "is_zero")]
    pub uid: String,
    /// The group.
    #[serde(skip_serializing_if = "is_zero")]
    pub gid: String,
    /// Permission bits.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_octal")]
    pub mode: Option<i64>,
}

/// Which keys belong to which kind.
const KINDS: &[&str] = &["volume", "bind", "tmpfs", "image", "npipe", "cluster"];

pub(super) fn read(cursor: &Cursor) -> Vec<Mount> {
    cursor.list().iter().filter_map(mount).collect()
}

fn mount(cursor: &Cursor) -> Option<Mount> {
    let fields = cursor.fields()?;
    fields.without_effect(&[("consistency", "has no effect: it belongs to Docker Desktop")]);
    let mount = Mount {
        kind: fields.choice("type", KINDS),
        source: fields.string("source"),
        target: fields.get("target").and_then(|target| target.string()).map(|path| clean(&path)).unwrap_or_default(),
        read_only: fields.bool("read_only"),
        consistency: fields.string("consistency"),
        bind: fields.get("bind").and_then(|cursor| bind(&cursor)),
        volume: fields.get("volume").and_then(|cursor| volume(&cursor)),
        tmpfs: fields.get("tmpfs").and_then(|cursor| tmpfs(&cursor)),
        image: fields.get("image").and_then(|cursor| image(&cursor)),
    };
    if !fields.has("type") {
        cursor.error_with_hint("`type` is missing", "write `type: volume`, `bind`, `tmpfs` or `image`");
    }
    if !fields.has("target") {
        cursor.error_with_hint("`target` is missing", "say where it is mounted inside the container");
    }
    if matches!(mount.kind.as_str(), "bind" | "image") && !fields.has("source") {
        cursor.error(format!("a mount of type `{}` needs a `source`", mount.kind));
    }
    fields.close();
    Some(mount)
}

fn bind(cursor: &Cursor) -> Option<BindOptions> {
    let fields = cursor.fields()?;
    let options = BindOptions {
        selinux: fields.choice("selinux", &["z", "Z"]),
        propagation: fields.choice("propagation", &["rprivate", "private", "rshared", "shared", "rslave", "slave"]),
        create_host_path: fields.get("create_host_path").is_none_or(|cursor| cursor.bool().unwrap_or(true)),
        recursive: fields.choice("recursive", &["enabled", "disabled", "writable", "readonly"]),
    };
    fields.close();
    Some(options)
}

fn volume(cursor: &Cursor) -> Option<VolumeOptions> {
    let fields = cursor.fields()?;
    let options = VolumeOptions {
        labels: fields.text_pairs("labels"),
        nocopy: fields.bool("nocopy"),
        subpath: fields.string("subpath"),
    };
    fields.close();
    Some(options)
}

fn tmpfs(cursor: &Cursor) -> Option<TmpfsOptions> {
    let fields = cursor.fields()?;
    let size = fields.get("size");
    let options = TmpfsOptions { size: fields.bytes("size"), mode: fields.int("mode") };
    if let Some(size) = size.filter(|_| options.size < 0) {
        size.error("must not be negative");
    }
    fields.close();
    Some(options)
}

fn image(cursor: &Cursor) -> Option<ImageOptions> {
    let fields = cursor.fields()?;
    let options = ImageOptions { subpath: fields.string("subpath") };
    fields.close();
    Some(options)
}

/// Configs, or secrets when there is a folder that they are mounted into by default.
pub(super) fn files(cursor: &Cursor, folder: Option<&str>) -> Vec<FileMount> {
    cursor.list().iter().filter_map(|item| file(item, folder)).collect()
}

fn file(cursor: &Cursor, folder: Option<&str>) -> Option<FileMount> {
    let fields = cursor.fields()?;
    let source = fields.string("source");
    let target = match (fields.get("target"), folder) {
        (Some(target), _) => target.string().unwrap_or_default(),
        (None, Some(folder)) => format!("{folder}/{source}"),
        (None, None) => String::new(),
    };
    let mount = FileMount {
        source,
        target,
        uid: fields.string("uid"),
        gid: fields.string("gid"),
        mode: fields.get("mode").and_then(|cursor| mode(&cursor)),
    };
    if !fields.has("source") {
        cursor.error("`source` is missing");
    }
    fields.close();
    Some(mount)
}

/// A text is octal digits, a number is what YAML made of it.
fn mode(cursor: &Cursor) -> Option<i64> {
    let Content::Text(text) = &cursor.node.content else { return cursor.int() };
    i64::from_str_radix(text, 8)
        .map_err(|_| {
            cursor.error_with_hint(format!("`{text}` is not a file mode"), "write four octal digits, as in \"0440\"");
        })
        .ok()
}

#[allow(clippy::ref_option)] // the signature serde asks for
fn as_octal<S: Serializer>(mode: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("0{:o}", mode.unwrap_or_default()))
}
