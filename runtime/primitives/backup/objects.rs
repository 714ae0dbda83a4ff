//! Buckets of S3 servers: as sources, what is listed is saved as a folder, and only what changed since the last snapshot is read; as
//! targets, only what differs is written.

mod link;
mod placing;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Component, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::excludes;
use super::program::Pumping;
use super::repository::wanted;
use crate::drivers::backup::{Entry, EntryKind, Manifest, Opener, Packer, Stat, hex};
use crate::drivers::bucket::{self, Keys, Object, ObjectReader, Place, Style};
use crate::primitive::{Context, Failure, FailureKind, Need, parse_options, text_of};

pub use link::Link;
pub use placing::{AllWanted, Differing, Placing, Wanting, writing};

/// A bucket, or what is under a folder of it.
#[derive(Clone)]
pub struct Bucket {
    /// The name of its part.
    pub name: String,
    place: Place,
    access_key: String,
    secret_key: String,
    exclude: Vec<String>,
    /// The names of the only objects that are meant.
    only: Option<BTreeSet<String>>,
}

/// As a script writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    bucket: String,
    access_key: String,
    secret_key: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    style: Option<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    name: Option<String>,
}

/// What the manifest tells of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its URL.
    pub place: String,
    /// How many objects were read, because they were not in the snapshot before.
    pub read: u64,
    /// Each object by its name.
    pub objects: BTreeMap<String, Saved>,
}

/// What is known of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Bytes.
    pub size: u64,
    /// What the server calls its content.
    pub etag: String,
    /// When it was written, as the server says.
    pub modified: String,
    /// The hash of its content.
    pub sha256: String,
    /// When it was saved first.
    pub since: Timestamp,
    /// Its type, and what whoever wrote it added.
    pub headers: BTreeMap<String, String>,
}

/// What is being saved, by several readers at once.
type Noted = Arc<Mutex<Facts>>;

impl Bucket {
    /// Reads `#{ bucket, access_key, secret_key, region, style, exclude, name }`.
    pub fn read(value: &Value, exclude: &[String]) -> Result<Self, Failure> {
        let written: Written = parse_options(value)?;
        let style = match written.style.as_deref() {
            None | Some("path") => Style::Path,
            Some("virtual-host") => Style::VirtualHost,
            Some(other) => {
                let message = format!("`style` is `path` or `virtual-host`, not `{other}`");
                return Err(Failure::new(FailureKind::Argument, message));
            }
        };
        let place = Place::parse(&written.bucket, written.region.as_deref().unwrap_or("us-east-1"), style)
            .map_err(|failure| Failure { kind: FailureKind::Argument, ..failure })?;
        let last = written.bucket.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
        let bucket = Self {
            name: written.name.unwrap_or(last),
            place,
            access_key: written.access_key,
            secret_key: written.secret_key,
            exclude: [exclude, &written.exclude].concat(),
            only: None,
        };
        excludes(&bucket.exclude).map(|_| bucket)
    }

    /// What reading it needs, as it is written.
    pub fn needs(value: &Value) -> Vec<Need> {
        let keys = ["access_key", "secret_key"].into_iter().filter_map(|key| value.get(key));
        let keys = keys.map(|name| Need::secret(text_of(Some(name))));
        [Need::http(text_of(value.get("bucket")))].into_iter().chain(keys).collect()
    }

    /// The same, of which nothing but these objects is meant.
    pub fn only(&self, names: BTreeSet<String>) -> Self {
        Self { only: Some(names), ..self.clone() }
    }

    /// In words.
    pub fn shown(&self) -> String {
        format!("bucket `{}`", self.place.shown())
    }

    /// What a snapshot knows of it, where it is in that.
    pub fn known(&self, manifest: &Manifest) -> Option<Facts> {
        let part = manifest.parts.iter().find(|part| part.name == self.name)?;
        let facts: Facts = serde_json::from_value(part.facts.get("bucket")?.clone()).ok()?;
        (facts.place == self.place.shown()).then_some(facts)
    }

    /// Tells a repository of every object.
    pub fn pump(&self, context: &Context<'_>, packer: &Packer, before: Option<Facts>, pumping: Pumping<'_>) {
        match self.list(context, packer, before.unwrap_or_default(), pumping) {
            Ok(noted) => packer.end_with(Arc::new(
                move || json!({ "bucket": &*noted.lock().unwrap_or_else(PoisonError::into_inner) }),
            )),
            Err(failure) => {
                if !pumping.over.is_cancelled() {
                    let _ = pumping.fault.set(failure.clone());
                }
                packer.end(Err(failure));
            }
        }
    }

    fn list(
        &self,
        context: &Context<'_>,
        packer: &Packer,
        mut before: Facts,
        pumping: Pumping<'_>,
    ) -> Result<Noted, Failure> {
        let (still, over) = (wanted(context, pumping.within), pumping.over.clone());
        let wanted: bucket::Wanted = Arc::new(move || {
            if over.is_cancelled() {
                return Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"));
            }
            still()
        });
        let bucket = self.client(context, wanted)?;
        let tree = self.tree(bucket.list("")?)?;
        let now = Timestamp::now();
        let noted: Noted = Arc::new(Mutex::new(Facts { place: self.place.shown(), ..Facts::default() }));
        for (path, line) in tree {
            let mut stat = Stat { mode: 0o755, time: Timestamp::UNIX_EPOCH, ..Stat::default() };
            let kind = match line {
                None => EntryKind::Folder,
                Some((name, object)) => {
                    let old = before.objects.remove(&name).filter(|old| old.is_same(&object));
                    let hash = old.as_ref().and_then(|old| unhex(&old.sha256));
                    let since = old.as_ref().map_or(now, |old| old.since);
                    stat = Stat { mode: 0o644, time: time_of(&object), known: Some(since), ..Stat::default() };
                    let size = object.size;
                    let saved = old.unwrap_or_else(|| Saved::of(&object, now));
                    note(&noted, |facts| drop(facts.objects.insert(name.clone(), saved)));
                    let opener = opener(Arc::clone(&bucket), name, object, Arc::clone(&noted));
                    match hash {
                        Some(hash) => EntryKind::Same(size, hash, opener),
                        None => EntryKind::File(size, opener),
                    }
                }
            };
            if !packer.put(Entry { path, stat, kind }) {
                return Err(Failure::new(FailureKind::Cancelled, "stopped because nobody reads it any more"));
            }
        }
        Ok(noted)
    }

    /// A client with its keys.
    fn client(&self, context: &Context<'_>, wanted: bucket::Wanted) -> Result<Arc<bucket::Bucket>, Failure> {
        let access = context.secret_for("the bucket's access key", &self.access_key)?.expose().to_owned();
        let secret = context.secret_for("the bucket's secret key", &self.secret_key)?.expose().to_owned();
        let keys = Keys { access, secret };
        Ok(Arc::new(bucket::Bucket::new(self.place.clone(), keys, wanted)?))
    }

    /// Objects as files, with the folders that their names speak of. What cannot be both, or is no path, is a fault: it would
    /// not come back.
    fn tree(&self, objects: Vec<Object>) -> Result<BTreeMap<PathBuf, Option<(String, Object)>>, Failure> {
        let (excludes, prefix) = (excludes(&self.exclude)?, self.place.key(""));
        let mut tree = BTreeMap::from([(PathBuf::new(), None)]);
        for object in objects {
            let name = object.key.strip_prefix(&prefix).unwrap_or(&object.key).to_owned();
            let (path, is_folder) = (PathBuf::from(name.trim_end_matches('/')), name.ends_with('/'));
            if name.is_empty() || self.only.as_ref().is_some_and(|only| !only.contains(&name)) {
                continue;
            }
            if excludes.matched_path_or_any_parents(&path, is_folder).is_ignore() {
                continue;
            }
            let parts: Vec<&str> = name.trim_end_matches('/').split('/').collect();
            let is_path = parts.iter().all(|part| !part.is_empty() && part.len() < 256 && !part.contains('\0'))
                && path.components().all(|part| matches!(part, Component::Normal(_)))
                && path.components().count() == parts.len();
            let wrong = |why: &str| {
                let message = format!("the object `{name}` of {} {why}", self.shown());
                Err(Failure::new(FailureKind::Invalid, message).hint("exclude it, or give it another name"))
            };
            if !is_path || is_folder && object.size > 0 {
                return wrong("can be no file");
            }
            for folder in path.ancestors().skip(1) {
                if tree.entry(folder.to_owned()).or_insert(None).is_some() {
                    return wrong("would be a file in a file");
                }
            }
            let line = if is_folder { None } else { Some((name.clone(), object)) };
            let is_file = line.is_some();
            if tree.insert(path.clone(), line).is_some_and(|old| old.is_some() != is_file || is_file) {
                return wrong("would be a file and a folder");
            }
        }
        Ok(tree)
    }
}

impl Saved {
    fn of(object: &Object, since: Timestamp) -> Self {
        let Object { size, etag, modified, .. } = object.clone();
        Self { size, etag, modified, since, ..Self::default() }
    }

    /// Is it the same still, as far as its server says?
    fn is_same(&self, object: &Object) -> bool {
        !object.etag.is_empty()
            && (self.size, &self.etag, &self.modified) == (object.size, &object.etag, &object.modified)
    }
}

fn note(noted: &Noted, how: impl FnOnce(&mut Facts)) {
    how(&mut noted.lock().unwrap_or_else(PoisonError::into_inner));
}

fn opener(bucket: Arc<bucket::Bucket>, name: String, object: Object, noted: Noted) -> Opener {
    Box::new(move || {
        let reader = ObjectReader::open(bucket, &name, &object.etag, object.size)?;
        note(&noted, |facts| {
            facts.read += 1;
            if let Some(saved) = facts.objects.get_mut(&name) {
                saved.headers.clone_from(reader.headers());
            }
        });
        Ok(Box::new(Noting { reader, hasher: Sha256::new(), name, noted }))
    })
}

/// Notes the hash of an object when all of it was read.
struct Noting {
    reader: ObjectReader,
    hasher: Sha256,
    name: String,
    noted: Noted,
}

impl Read for Noting {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..length]);
        if length == 0 {
            let hash = hex(&std::mem::take(&mut self.hasher).finalize());
            note(&self.noted, |facts| {
                if let Some(saved) = facts.objects.get_mut(&self.name).filter(|saved| saved.sha256.is_empty()) {
                    saved.sha256 = hash;
                }
            });
        }
        Ok(length)
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let byte = |at: usize| text.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..32).map(|place| byte(place * 2)).collect();
    bytes.filter(|_| text.len() == 64)?.try_into().ok()
}

/// When an object was written.
fn time_of(object: &Object) -> Timestamp {
    object.modified.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(keys: &[&str]) -> Result<Vec<String>, String> {
        let value = json!({ "bucket": "https://s3.example.com/shop/in", "access_key": "A", "secret_key": "B", "exclude": ["*.tmp"] });
        let bucket = Bucket::read(&value, &[]).unwrap();
        let object = |key: &&str| Object {
            key: format!("in/{key}"),
            size: 1 - u64::from(key.ends_with('/')),
            etag: "e".into(),
            modified: String::new(),
        };
        let tree = bucket.tree(keys.iter().map(object).collect()).map_err(|failure| failure.message)?;
        Ok(tree
            .iter()
            .map(|(path, line)| format!("{}{}", path.display(), if line.is_some() { "" } else { "/" }))
            .collect())
    }

    #[test]
    fn names_become_paths_in_the_order_of_folders() {
        let found = tree(&["a-b", "a/b", "empty/", "x.tmp", "z/y/x"]).unwrap();
        assert_eq!(found, ["/", "a/", "a/b", "a-b", "empty/", "z/", "z/y/", "z/y/x"]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for keys in [&["a//b"][..], &["../a"], &["a", "a/b"], &["a/b", "a"], &["./a"], &["/a"]] {
            assert!(tree(keys).is_err(), "{keys:?}");
        }
    }
}
