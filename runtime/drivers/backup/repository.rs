use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use rustic_core::repofile::{MasterKey, Node, SnapshotFile, SnapshotId};
use rustic_core::{
    ConfigOptions, Credentials, FileType, Id, KeyOptions, LsOptions, OpenStatus, PruneOptions, RepositoryBackends,
    RepositoryOptions, RusticError,
};
use serde::Serialize;

use super::fault::failure;
use super::guard::{Guard, Guarded};
use super::key::{Keyring, Lock, sealed};
use super::manifest::{MANIFEST, Manifest};
use super::meter::{Flow, Meter};
use super::seen::{Indexed, Seen};
use super::store::{Hold, Location, Store};
use super::{Wanted, fault, plan};
use crate::drivers::bucket::digest;
use crate::failure::{Failure, FailureKind};

/// What stands before the job's name in a tag of a snapshot.
pub const JOB: &str = "job:";
/// What stands before the name of the call that made a snapshot.
pub const CALL: &str = "call:";

/// The tag of a snapshot in which sources are missing.
pub const PARTIAL: &str = "partial";

/// How large a pack of data becomes, as with restic: twice as much is in memory while one is made or looked at. In a large repository it
/// is somewhat more.
const PACK: &str = "16 MiB";

/// The engine, open.
pub type Engine = rustic_core::Repository<OpenStatus>;

/// What is done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look into it or add to it, as others may at the same time.
    Shared,
    /// Remove from it.
    Alone,
}

/// An open repository.
pub struct Repository {
    store: Arc<dyn Store>,
    engine: Engine,
    guard: Arc<Guard>,
    hold: Box<dyn Hold>,
    /// What was read of it already.
    seen: Seen,
}

/// What is known of a snapshot without reading what is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// 64 hexadecimal digits.
    pub id: String,
    /// When it was made.
    pub time: Zoned,
    /// The machine it was made on.
    pub host: String,
    /// The job, where `runbook` made it.
    pub job: Option<String>,
    /// The name of the call that made it.
    #[serde(skip)]
    pub call: Option<String>,
    /// Other tags.
    pub tags: Vec<String>,
    /// What is in it, as whoever made it says.
    pub paths: Vec<String>,
    /// Files in it.
    pub files: u64,
    /// The bytes in it, before anything was left out that was there already.
    pub bytes: u64,
    /// The bytes by which the repository grew.
    pub added: u64,
    /// How long it took to make it.
    pub milliseconds: u64,
}

impl Snapshot {
    /// The part of the name that people use.
    pub fn short(&self) -> &str {
        &self.id[..8]
    }

    /// Are sources missing in it? Then it counts as none, unless somebody means it by its name.
    pub fn is_partial(&self) -> bool {
        self.job.is_some() && self.tags.iter().any(|tag| tag == PARTIAL)
    }

    /// What snapshots belong together: those of a job, or what `restic` saved on one machine from the same paths.
    pub fn group(&self) -> String {
        self.job.clone().unwrap_or_else(|| format!("{}:{}", self.host, self.paths.join(",")))
    }
}

/// What a prune did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Pruned {
    /// Bytes that something needs.
    pub used: u64,
    /// Packs that are marked now, and removed by a later prune.
    pub marked: u64,
    /// Packs that were marked a day ago or earlier, and are gone.
    pub removed: u64,
}

impl Repository {
    /// Makes a repository where nothing is.
    pub fn init(location: impl Into<Location>, password: &str) -> Result<(), Failure> {
        let always: Wanted = Arc::new(|| Ok(()));
        let store = location.into().store(&always)?;
        let shown = store.shown();
        if store.is_there()? {
            return Err(Failure::new(FailureKind::Conflict, format!("there is a repository in `{shown}` already")));
        }
        if !store.is_vacant()? {
            return Err(Failure::new(FailureKind::Conflict, format!("`{shown}` is not empty"))
                .hint("a repository needs a folder of its own"));
        }
        let guard = Arc::new(Guard::new(always));
        let what = format!("make a repository in `{shown}`");
        let failed = |error: Box<RusticError>| guard.reason(|| failure(&what, &error));
        let master = MasterKey::new();
        let key = sealed(&master, password)?;
        let name = digest(&key).parse::<Id>().map_err(failed)?;
        // What a password opens comes first: there is a repository once there is its config.
        store.create()?;
        store.write(FileType::Key, &name, &[key.into()])?;
        let mut config = ConfigOptions::default().set_version(2u32).set_datapack_growfactor(8u32);
        config.set_datapack_size = PACK.parse().ok();
        let engine = engine(&store, &guard).map_err(failed)?;
        engine.init(&Credentials::Masterkey(master), &KeyOptions::default(), &config).map_err(failed)?;
        Ok(())
    }

    /// Opens a repository.
    pub fn open(
        location: impl Into<Location>,
        password: &str,
        access: Access,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        Self::open_with(location, password, access, wanted, &Keyring::default())
    }

    /// The same; by the key itself, when the keyring has it.
    pub fn open_with(
        location: impl Into<Location>,
        password: &str,
        access: Access,
        wanted: Wanted,
        keyring: &Keyring,
    ) -> Result<Self, Failure> {
        let store = location.into().store(&wanted)?;
        let shown = store.shown();
        if !store.is_there()? {
            return Err(Failure::new(FailureKind::NotFound, format!("there is no repository in `{shown}`")));
        }
        let hold = store.hold(access, &wanted)?;
        let guard = Arc::new(Guard::new(wanted));
        let failed = |error: Box<RusticError>| {
            guard.reason(|| fault::failure(&format!("open the repository `{shown}`"), &error))
        };
        let keys = store.list(FileType::Key)?;
        let files = keys.iter().map(|(id, _)| *id).collect();
        guard.files().found(keys);
        let lock = Lock::new(&shown, password, files);
        let known = keyring.find(&lock);
        let is_known = known.is_some();
        let credentials = known.map_or_else(|| Credentials::password(password), Credentials::Masterkey);
        let engine = engine(&store, &guard).map_err(failed)?.open(&credentials).map_err(failed)?;
        if !is_known {
            keyring.keep(lock, engine.key());
        }
        if access == Access::Alone {
            store.tidy();
        }
        Ok(Self { store, engine, guard, hold, seen: Seen::default() })
    }

    /// The place for messages.
    pub fn shown(&self) -> String {
        self.store.shown()
    }

    /// Every snapshot, the oldest first. One that cannot be read is a failure, and not one less.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Failure> {
        let mut all: Vec<Snapshot> = self.files()?.into_iter().map(snapshot).collect();
        all.sort_by(|a, b| a.time.timestamp().cmp(&b.time.timestamp()).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// What a snapshot has to hold; `None` for one that `restic` made.
    pub fn manifest(&self, snapshot: &Snapshot) -> Result<Option<Manifest>, Failure> {
        if snapshot.job.is_none() {
            return Ok(None);
        }
        let mut text = Vec::new();
        self.dump(&snapshot.id, MANIFEST, &mut text)?;
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Failure::new(FailureKind::Invalid, format!("the manifest of snapshot {}: {error}", snapshot.short()))
        })
    }

    /// Forgets snapshots. What only they had stays until it is pruned.
    pub fn forget(&self, ids: &[String]) -> Result<(), Failure> {
        let known: Vec<SnapshotId> = self.files()?.into_iter().map(|file| file.id).collect();
        let named = known.into_iter().filter(|id| ids.iter().any(|wanted| wanted[..] == id.to_hex()[..]));
        let named: Vec<SnapshotId> = named.collect();
        self.hold.check()?;
        self.engine.delete_snapshots(&named).map_err(|error| self.failed("forget snapshots of", &error))
    }

    /// Removes what no snapshot needs: marks it first, and removes a day later what is still needed by nobody, so that
    /// a snapshot that is being made by somebody else loses nothing.
    pub fn prune(&self) -> Result<Pruned, Failure> {
        let failed = |error: Box<RusticError>| self.failed("prune", &error);
        self.hold.check()?;
        let options = PruneOptions::default().keep_delete(jiff::Span::new().hours(24));
        let plan = self.engine.prune_plan(&options).map_err(failed)?;
        let (size, packs) = (plan.stats.size_sum(), &plan.stats.packs_to_delete);
        let pruned = Pruned {
            used: size.used,
            marked: plan.stats.packs.unused + plan.stats.packs.repack + packs.keep,
            removed: packs.remove,
        };
        self.guard.meter().begin("packing anew what is still needed", Flow::Written, Some(size.repack - size.repackrm));
        self.engine.prune(&options, plan).map_err(failed)?;
        Ok(pruned)
    }

    pub(super) fn into_parts(self) -> (Arc<dyn Store>, Engine, Arc<Guard>, Box<dyn Hold>) {
        (self.store, self.engine, self.guard, self.hold)
    }

    pub(super) fn from_parts(
        store: Arc<dyn Store>,
        engine: Engine,
        guard: Arc<Guard>,
        hold: Box<dyn Hold>,
        known: &[SnapshotFile],
    ) -> Self {
        let seen = Seen::default();
        seen.note_snapshots(known);
        Self { store, engine, guard, hold, seen }
    }

    /// The snapshots that were there when they were listed last.
    pub(super) fn listed_snapshots(&self) -> Vec<SnapshotFile> {
        self.seen.snapshots()
    }

    /// The snapshots as the engine has them.
    pub(super) fn files(&self) -> Result<Vec<SnapshotFile>, Failure> {
        let known = self.seen.snapshots();
        let files = self.engine.update_all_snapshots(known);
        let files = files.map_err(|error| self.failed("list the snapshots of", &error))?;
        self.seen.note_snapshots(&files);
        Ok(files)
    }

    /// One of them, without listing all where it was listed before.
    pub(super) fn file(&self, id: &str) -> Result<Option<SnapshotFile>, Failure> {
        let is_it = |file: &SnapshotFile| file.id.to_hex()[..] == *id;
        match self.seen.snapshots().into_iter().find(is_it) {
            Some(file) => Ok(Some(file)),
            None => Ok(self.files()?.into_iter().find(is_it)),
        }
    }

    /// Says that everything in a folder, or a file, of a snapshot is about to be read. A store that is near needs not know.
    pub(super) fn expect(&self, engine: &Indexed, root: &Node) -> Result<(), Failure> {
        if !self.store.is_far() {
            return Ok(());
        }
        let failed = |error: Box<RusticError>| self.failed("read from", &error);
        let mut parts = Vec::new();
        let mut add = |node: &Node| {
            // What is in no index is told of by whoever reads it.
            let entries = node.content.iter().flatten().filter_map(|blob| engine.get_index_entry(blob).ok());
            parts.extend(entries.map(|entry| {
                let (offset, length) = (entry.location.offset, entry.location.length);
                plan::Part { pack: *entry.pack, offset, length }
            }));
        };
        if root.is_dir() {
            for item in engine.ls(root, &LsOptions::default()).map_err(failed)? {
                self.wanted()?;
                add(&item.map_err(failed)?.1);
            }
        } else {
            add(root);
        }
        self.guard.ahead().expect(plan::Plan::new(parts));
        Ok(())
    }

    /// The engine with all of the index in memory; with `anew`, as the index is now.
    pub(super) fn indexed(&self, anew: bool) -> Result<Arc<Indexed>, Failure> {
        self.seen.index(anew, || {
            self.again().and_then(Engine::to_indexed).map_err(|error| self.failed("read the index of", &error))
        })
    }

    /// The engine once more, for what uses it up. With the key at hand, no password has to be tried.
    pub(super) fn again(&self) -> Result<Engine, Box<RusticError>> {
        engine(&self.store, &self.guard)?.open(&Credentials::Masterkey(self.engine.key()))
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the store has of a kind, with sizes.
    pub(super) fn listed(&self, kind: FileType) -> Result<Vec<(Id, u32)>, Failure> {
        self.store.list(kind)
    }

    /// A whole file of the store.
    pub(super) fn stored(&self, kind: FileType, id: &Id) -> Result<bytes::Bytes, Failure> {
        self.store.read(kind, id)
    }

    /// The folder of this machine it lies in.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.store.folder()
    }

    /// How far what goes on in it is.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.guard.meter())
    }

    pub(super) fn asked(&self) -> Wanted {
        self.guard.wanted()
    }

    pub(super) fn wanted(&self) -> Result<(), Failure> {
        self.guard.check()
    }

    /// What went wrong with the store, else this.
    pub(super) fn reason(&self, otherwise: impl FnOnce() -> Failure) -> Failure {
        self.guard.reason(otherwise)
    }

    pub(super) fn failed(&self, what: &str, error: &RusticError) -> Failure {
        self.guard.reason(|| failure(&format!("{what} the repository `{}`", self.shown()), error))
    }
}

/// The snapshot of that name among these: by the first digits of it, or the newest whole one of a job by `latest`.
pub fn find(all: Vec<Snapshot>, name: &str, job: &str) -> Result<Snapshot, Failure> {
    if name == "latest" {
        let is_own = |snapshot: &&Snapshot| snapshot.group() == job;
        let (parts, newest) = (all.iter().any(|one| is_own(&one) && one.is_partial()), {
            let own = all.iter().rfind(|snapshot| is_own(snapshot) && !snapshot.is_partial());
            own.cloned()
        });
        return newest.ok_or_else(|| {
            let whole = if parts { "whole snapshot" } else { "snapshot" };
            Failure::new(FailureKind::NotFound, format!("there is no {whole} of the job `{job}`"))
                .hint("`runbook backup list` shows what there is")
        });
    }
    let mut fitting = all.into_iter().filter(|snapshot| name.len() >= 4 && snapshot.id.starts_with(name));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::new(FailureKind::NotFound, format!("there is no snapshot `{name}`"))
            .hint("`runbook backup list` shows what there is")),
        (Some(_), Some(_)) => {
            Err(Failure::new(FailureKind::Argument, format!("several snapshots begin with `{name}`")))
        }
    }
}

fn engine(store: &Arc<dyn Store>, guard: &Arc<Guard>) -> Result<rustic_core::Repository<()>, Box<RusticError>> {
    let guarded = Guarded::new(Arc::clone(store), Arc::clone(guard));
    let backends = RepositoryBackends::new(Arc::new(guarded), None);
    rustic_core::Repository::new(&RepositoryOptions::default().no_cache(true), &backends)
}

/// This machine's name.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

pub(super) fn snapshot(file: SnapshotFile) -> Snapshot {
    let listed =
        |list: String| -> Vec<String> { list.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect() };
    let (mut job, mut call, mut tags) = (None, None, Vec::new());
    for tag in listed(file.tags.to_string()) {
        if let Some(name) = tag.strip_prefix(JOB) {
            job = Some(name.to_owned());
        } else if let Some(name) = tag.strip_prefix(CALL) {
            call = Some(name.to_owned());
        } else {
            tags.push(tag);
        }
    }
    let summary = file.summary.unwrap_or_default();
    Snapshot {
        id: file.id.to_hex()[..].to_owned(),
        time: file.time,
        host: file.hostname,
        job,
        call,
        tags,
        paths: listed(file.paths.to_string()),
        files: summary.total_files_processed,
        bytes: summary.total_bytes_processed,
        added: summary.data_added_packed,
        milliseconds: Duration::try_from_secs_f64(summary.total_duration)
            .map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    }
}
