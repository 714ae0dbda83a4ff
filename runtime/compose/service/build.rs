use std::collections::BTreeMap;

use serde::Serialize;

use super::{FileMount, Ulimit, devices, hosts, is_zero, mount};
use crate::compose::cursor::{Cursor, plain};
use crate::compose::fields::{Fields, Unmet};
use crate::compose::problem::Problem;
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
    /// Rights of the build beyond the usual ones.
    #[serde(skip_serializing_if = "is_zero")]
    pub entitlements: Vec<String>,
    /// Build arguments; `None` takes the image's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub args: BTreeMap<String, Option<String>>,
    /// Where the image comes from, as an attestation.
    #[serde(skip_serializing_if = "is_zero")]
    pub provenance: String,
    /// What is in the image, as an attestation.
    #[serde(skip_serializing_if = "is_zero")]
    pub sbom: String,
    /// SSH keys during the build, as `name` or `name=path`.
    #[serde(skip_serializing_if = "is_zero")]
    pub ssh: Vec<String>,
    /// Labels of the image.
    #[serde(skip_serializing_if = "is_zero")]
    pub labels: BTreeMap<String, String>,
    /// Images to take layers from.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_from: Vec<String>,
    /// Where layers are kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_to: Vec<String>,
    /// Build every layer anew?
    #[serde(skip_serializing_if = "is_zero")]
    pub no_cache: bool,
    /// Stages that are built anew.
    #[serde(skip_serializing_if = "is_zero")]
    pub no_cache_filter: Vec<String>,
    /// Folders and images that the Dockerfile may name.
    #[serde(skip_serializing_if = "is_zero")]
    pub additional_contexts: BTreeMap<String, String>,
    /// Look for newer base images?
    #[serde(skip_serializing_if = "is_zero")]
    pub pull: bool,
    /// Names for `/etc/hosts` during the build, as `name=address`.
    #[serde(skip_serializing_if = "is_zero")]
    pub extra_hosts: Vec<String>,
    /// The isolation of a Windows build.
    #[serde(skip_serializing_if = "is_zero")]
    pub isolation: String,
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
    /// All rights of the host's root during the build?
    #[serde(skip_serializing_if = "is_zero")]
    pub privileged: bool,
    /// What it asks for and the engine's own builder does not do: whoever builds refuses.
    #[serde(skip)]
    pub unmet: Vec<Problem>,
}

/// What the engine's own builder, which is used here, cannot do.
const UNMET: &[Unmet] = &[
    ("additional_contexts", NEEDS_BUILDKIT, BUILD_ELSEWHERE),
    ("entitlements", NEEDS_BUILDKIT, BUILD_ELSEWHERE),
    ("no_cache_filter", NEEDS_BUILDKIT, "write `no_cache: true`, or build the image elsewhere"),
    ("privileged", NEEDS_BUILDKIT, BUILD_ELSEWHERE),
    ("secrets", NEEDS_BUILDKIT, BUILD_ELSEWHERE),
    ("ssh", NEEDS_BUILDKIT, BUILD_ELSEWHERE),
    ("extra_hosts", "is not supported", BUILD_ELSEWHERE),
    ("shm_size", "is not supported", BUILD_ELSEWHERE),
    ("ulimits", "is not supported", BUILD_ELSEWHERE),
];
const NEEDS_BUILDKIT: &str = "needs BuildKit, where images are built here by the engine's own builder";
const BUILD_ELSEWHERE: &str = "build the image elsewhere, push it to a registry and name it with `image`";

/// What does not change the image.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("cache_to", "has no effect: the engine's own builder keeps its layers itself"),
    ("isolation", "has no effect: it belongs to Windows containers"),
    ("provenance", "has no effect: the engine's own builder writes no attestations"),
    ("sbom", "has no effect: the engine's own builder writes no attestations"),
];

pub(super) fn read(cursor: &Cursor, environment: &BTreeMap<String, String>) -> Option<Build> {
    let fields = cursor.fields()?;
    fields.without_effect(WITHOUT_EFFECT);
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
        entitlements: fields.strings("entitlements"),
        provenance: text(&fields, "provenance"),
        sbom: text(&fields, "sbom"),
        ssh: fields.nullable("ssh").map(|cursor| keys(&cursor)).unwrap_or_default(),
        labels: fields.text_pairs("labels"),
        cache_from: fields.strings("cache_from"),
        cache_to: fields.strings("cache_to"),
        no_cache: fields.bool("no_cache"),
        no_cache_filter: fields.string_or_list("no_cache_filter"),
        additional_contexts: fields.text_pairs("additional_contexts"),
        pull: fields.bool("pull"),
        extra_hosts: fields.get("extra_hosts").map(|cursor| hosts::read(&cursor)).unwrap_or_default(),
        isolation: fields.string("isolation"),
        network: fields.string("network"),
        target: fields.string("target"),
        secrets: fields.get("secrets").map(|cursor| mount::files(&cursor, None)).unwrap_or_default(),
        shm_size: fields.bytes("shm_size"),
        tags: fields.strings("tags"),
        ulimits: fields.get("ulimits").map(|cursor| devices::ulimits(&cursor)).unwrap_or_default(),
        platforms: fields.strings("platforms"),
        privileged: fields.bool("privileged"),
        unmet: fields.unmet(UNMET),
        ..Build::default()
    };
    if written && !inline.is_empty() {
        cursor.error("`dockerfile` and `dockerfile_inline` exclude each other");
    } else if !written && inline.is_empty() {
        build.dockerfile = "Dockerfile".into();
    }
    build.dockerfile_inline = inline;
    fields.close();
    Some(build)
}

/// A text, or a switch written as a bool.
fn text(fields: &Fields, key: &'static str) -> String {
    fields.get(key).and_then(|cursor| plain(cursor.node).or_else(|| cursor.expected("a string"))).unwrap_or_default()
}

fn keys(cursor: &Cursor) -> Vec<String> {
    let pairs = cursor.pairs().into_iter();
    pairs.map(|(name, path)| path.map_or_else(|| name.clone(), |path| format!("{name}={path}"))).collect()
}
