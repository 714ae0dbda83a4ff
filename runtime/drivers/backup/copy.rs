use std::collections::HashMap;
use std::sync::Arc;

use rustic_core::repofile::SnapshotFile;
use rustic_core::{FileType, Id, LsOptions};

use super::fault::failure;
use super::meter::Flow;
use super::repository::{Engine, snapshot as known};
use super::seen::Indexed;
use super::{Repository, Snapshot};
use crate::failure::{Failure, FailureKind};

impl Repository {
    /// Copies those of these snapshots into another repository that are not there yet: only what is missing travels, and each
    /// snapshot is written after everything that it needs. Before, it is looked at whether all of that is here; afterwards,
    /// whether all of it is there. Returns the copies.
    pub fn copy(&self, to: Repository, ids: &[String]) -> Result<Vec<Snapshot>, Failure> {
        let there = to.files()?;
        let chosen = self.files()?.into_iter().filter(|file| ids.iter().any(|id| id[..] == file.id.to_hex()[..]));
        let missing: Vec<SnapshotFile> =
            chosen.filter(|file| !there.iter().any(|other| is_same(file, other))).collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let source = self.whole(&missing)?;
        let what = format!("copy into the repository `{}`", to.shown());
        let (store, engine, guard, hold) = to.into_parts();
        let failed = |error: Box<rustic_core::RusticError>| guard.reason(|| failure(&what, &error));
        let added = missing.iter().filter_map(|file| file.summary.as_ref()).map(|summary| summary.data_added_packed);
        guard.meter().begin("copying", Flow::Written, Some(added.sum()));
        let indexed = engine.to_indexed_ids().map_err(failed)?;
        // What cannot be read here is said as that, what cannot be written there as this.
        let copied = source.copy(&indexed, &missing);
        copied.map_err(|error| guard.reason(|| self.reason(|| failure(&what, &error))))?;
        guard.check()?;
        let to = Repository::from_parts(Arc::clone(&store), indexed.drop_index(), Arc::clone(&guard), hold, &[]);

        // Said to be there is what was found there.
        let there = to.files()?;
        let copies = missing.iter().map(|file| {
            let copy = there.iter().find(|other| is_same(file, other)).cloned();
            copy.ok_or_else(|| Failure::new(FailureKind::System, format!("cannot {what}: it is not there afterwards")))
        });
        let copies = copies.collect::<Result<Vec<SnapshotFile>, Failure>>()?;
        to.whole(&copies)?;
        let copies: Vec<Snapshot> = copies.into_iter().map(known).collect();
        for (file, copy) in missing.into_iter().zip(&copies) {
            if self.manifest(&known(file))? != to.manifest(copy)? {
                let message = format!("cannot {what}: the manifest of {} is another one there", copy.short());
                return Err(Failure::new(FailureKind::Check, message));
            }
        }
        Ok(copies)
    }

    /// Looks whether all that these snapshots need is in the index, and in packs as long as it says. The engine would copy a
    /// snapshot without what it does not find.
    fn whole(&self, files: &[SnapshotFile]) -> Result<Indexed, Failure> {
        let failed = |error: Box<rustic_core::RusticError>| self.failed("read the index of", &error);
        let engine = self.again().and_then(Engine::to_indexed).map_err(failed)?;
        let packs: HashMap<Id, u32> = self.listed(FileType::Pack)?.into_iter().collect();
        for file in files {
            let short = file.id.to_hex()[..8].to_owned();
            let lacks = |what: &str| {
                let message = format!("snapshot {short} in `{}` is not whole: {what}", self.shown());
                Failure::new(FailureKind::Check, message).hint("`runbook backup check --read-data` tells more")
            };
            let broken =
                |error: Box<rustic_core::RusticError>| self.reason(|| lacks(&failure("read it", &error).message));
            let root = engine.node_from_snapshot_and_path(file, "").map_err(broken)?;
            for item in engine.ls(&root, &LsOptions::default()).map_err(broken)? {
                self.wanted()?;
                let (path, node) = item.map_err(broken)?;
                for blob in node.content.iter().flatten() {
                    let entry = engine.get_index_entry(blob).ok();
                    let end = entry.as_ref().map(|entry| entry.location.offset.saturating_add(entry.location.length));
                    let size = entry.and_then(|entry| packs.get(&*entry.pack).copied());
                    if size.zip(end).is_none_or(|(size, end)| size < end) {
                        return Err(lacks(&format!("a part of `{}` is missing", path.display())));
                    }
                }
            }
        }
        Ok(engine)
    }
}

/// The same snapshot in two repositories: its name is another one in each.
fn is_same(one: &SnapshotFile, other: &SnapshotFile) -> bool {
    one.tree == other.tree && one.time == other.time && one.hostname == other.hostname && one.tags == other.tags
}
