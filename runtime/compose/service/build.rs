use std::collections::BTreeMap;

use serde::Serialize;

use super::{FileMount, Ulimit, devices, hosts, is_zero};
use crate::compose::cursor::Cursor;
use crate::compose::quantity::as_text;

/// How an image is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Build {
    /// The folder, absolute, or the address of a repository.
    #[serde(skip_serializing_if = "is_zero")]
    pub context: String,
    /// The Dockerfile, relative to the context.
    #[serde(skip_serializing_if = "is_zero")]
    pub dockerfile: String,
    /// The text of a Dockerfile, instead of one.
    #[serde(skip_serializing_if = "is_zero")]
    pub dockerfile_inline: String,
    /// Build arguments; `None` takes the image's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub args: BTreeMap<String, Option<String>>,
    /// Labels of the image.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// Images to take layers from.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_from: Vec<String>,
    /// Build every layer anew?
    #[serde(skip_serializing_if = "is_zero")]
    pub no_cache: bool,
    /// Folders and images that the Dockerfile may name.
    #[serde(skip_serializing_if = "is_zero")]
    pub additional_contexts: BTreeMap<String, String>,
    /// Look for newer base images?
    #[serde(skip_serializing_if = "is_zero")]
    pub pull: bool,
    /// Names for `/etc/hosts` during the build, as `name=address`.
    #[serde(skip_serializing_if = "is_zero")]
    pub extra_hosts: Vec<String>,
    /// The network during the build.
    #[serde(skip_serializing_if = "is_zero")]
    pub network: String,
    /// The stage to stop at.
    #[serde(skip_serializing_if = "is_zero")]
    pub target: String,
    /// Secrets during the build.
    #[serde(skip_serializing_if = "is_zero")]
    pub secrets: Vec<FileMount>,
    /// Size of `/dev/shm`, in bytes.
    #[serde(skip_serializing_if = "is_zero", serialize_with = "as_text")]
    pub shm_size: i64,
    /// Further tags of the image.
    #[serde(skip_serializing_if = "is_zero")]
    pub tags: Vec<String>,
    /// Limits during the build.
    #[serde(skip_serializing_if = "is_zero")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// The platforms that it may be built for.
    #[serde(skip_serializing_if = "is_zero")]
    pub platforms: Vec<String>,
}

const UNSUPPORTED: &[&str] = &[
    "additional_contexts",
    "cache_to",
    "entitlements",
    "isolation",
    "no_cache_filter",
    "privileged",
    "provenance",
    "sbom",
    "secrets",
    "ssh",
];

pub(super) fn read(cursor: &Cursor, environment: &BTreeMap<String, String>) -> Option<Build> {
    let fields = cursor.fields()?;
    let args = fields.get("args").map(|cursor| cursor.pairs()).unwrap_or_default();
    let inline = fields.string("dockerfile_inline");
    let written = fields.has("dockerfile");
    let mut build = Build {
        context: fields.string("context"),
        dockerfile: fields.string("dockerfile"),
        // An argument without a value comes from outside, or is left to the Dockerfile.
        args: args
            .into_iter()
            .filter_map(|(key, value)| value.or_else(|| environment.get(&key).cloned()).map(|value| (key, Some(value))))
            .collect(),
        labels: fields.text_pairs("labels"),
        cache_from: fields.strings("cache_from"),
        no_cache: fields.bool("no_cache"),
        pull: fields.bool("pull"),
        extra_hosts: fields.get("extra_hosts").map(|cursor| hosts::read(&cursor)).unwrap_or_default(),
        network: fields.string("network"),
        target: fields.string("target"),
        shm_size: fields.bytes("shm_size"),
        tags: fields.strings("tags"),
        ulimits: fields.get("ulimits").map(|cursor| devices::ulimits(&cursor)).unwrap_or_default(),
        platforms: fields.strings("platforms"),
        ..Build::default()
    };
    if written && !inline.is_empty() {
        cursor.error("`dockerfile` and `dockerfile_inline` exclude each other");
    } else if !written && inline.is_empty() {
        build.dockerfile = "Dockerfile".into();
    }
    build.dockerfile_inline = inline;
    fields.close(UNSUPPORTED);
    Some(build)
}
