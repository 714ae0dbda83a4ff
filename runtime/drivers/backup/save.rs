use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use rustic_core::{BackupOptions, ParentOptions, SnapshotOptions};

use super::Feed;
use super::archive::Archive;
use super::fault::failure;
use super::manifest::{DATA, Ledger, MANIFEST, Manifest, Missing, PartRecord};
use super::meter::Flow;
use super::repository::{CALL, JOB, PARTIAL, Repository, Snapshot, host};
use super::scan;
use super::source::Source;
use crate::failure::{Failure, FailureKind};

/// Of what a snapshot is made.
pub struct Part {
    /// Its name in the snapshot.
    pub name: String,
    /// Where it comes from, for people.
    pub from: String,
    /// What is saved.
    pub content: Content,
}

/// What is saved as a part.
pub enum Content {
    /// A folder of this machine, without what these patterns (as in `.gitignore`) fit.
    Folder {
        /// The folder.
        root: PathBuf,
        /// The patterns.
        excludes: Vec<String>,
    },
    /// Entries of a folder that is elsewhere, told one after the other.
    Archive(Archive),
    /// Whatever comes out of a stream.
    Stream(Feed),
}

/// What a snapshot is known by.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The job it belongs to.
    pub job: String,
    /// The name of the call that makes it.
    pub call: String,
    /// Other tags.
    pub tags: Vec<String>,
    /// When what is saved was made; now, where nothing else is said.
    pub time: Option<Timestamp>,
    /// The snapshot in which is what is known to be the same.
    pub before: Option<String>,
    /// What should be in it and cannot be: then the snapshot is only partial.
    pub missing: Vec<Missing>,
    /// Where it goes wrong because of a part: which.
    pub blame: Arc<OnceLock<String>>,
    /// About how much it is; what is in folders is counted where nobody says it.
    pub about: Option<u64>,
}

impl Repository {
    /// Makes a snapshot of these parts: of all of them, or none.
    pub fn save(self, order: &Order, mut parts: Vec<Part>) -> Result<(Snapshot, Manifest), Failure> {
        check(order, &parts)?;
        self.intact()?;
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        let what = format!("save into the repository `{}`", self.shown());
        let records = parts.iter().map(|part| PartRecord {
            name: part.name.clone(),
            kind: if matches!(part.content, Content::Stream(_)) { "stream" } else { "folder" }.to_owned(),
            from: part.from.clone(),
            ..PartRecord::default()
        });
        let (job, missing) = (order.job.clone(), order.missing.clone());
        let manifest = Manifest { version: 1, job, started: Timestamp::now(), parts: records.collect(), missing };
        let mut paths: Vec<PathBuf> = parts.iter().map(|part| format!("/{DATA}/{}", part.name).into()).collect();
        paths.push(format!("/{MANIFEST}").into());

        let names: Vec<String> = parts.iter().map(|part| part.name.clone()).collect();
        let known = self.listed_snapshots();
        let (store, engine, guard, hold) = self.into_parts();
        guard.meter().begin("saving", Flow::Content, order.about);
        if order.about.is_none() {
            scan::begin(&parts, &guard);
        }
        let ledger = Arc::new(Ledger::new(manifest, Arc::clone(&guard)));
        let now = order.before.as_ref().map(|_| Timestamp::now());
        let source = Source::new(parts, Arc::clone(&ledger), Arc::clone(&guard), store.folder(), now);
        let blame = || {
            if let Some(name) = guard.blamed().and_then(|part| names.get(part)) {
                let _ = order.blame.set(name.clone());
            }
        };
        let failed = |error: Box<rustic_core::RusticError>| {
            blame();
            guard.reason(|| failure(&what, &error))
        };

        let tags = [format!("{JOB}{}", order.job), format!("{CALL}{}", order.call)];
        let partial = (!order.missing.is_empty()).then_some(PARTIAL);
        let tags: Vec<&str> = tags.iter().chain(&order.tags).map(String::as_str).chain(partial).collect();
        // Whatever is said on the command line stays out of the snapshot: there may be secrets in it.
        let named = SnapshotOptions::default().host(host()).command("runbook backup".to_owned());
        let named = match order.time {
            Some(time) => named.time(time.to_zoned(jiff::tz::TimeZone::system())),
            None => named,
        };
        let named = named.add_tags(&tags.join(",")).and_then(|named| named.to_snapshot()).map_err(failed)?;
        // Every file is read every time: the manifest tells what was read, not what was like it the last time.
        let parent = match &order.before {
            Some(id) => ParentOptions::default().parents(vec![id.clone()]),
            None => ParentOptions::default().force(true),
        };
        let options = BackupOptions::default().no_scan(true).parent_opts(parent);
        let indexed = engine.to_indexed_ids().map_err(failed)?;
        let saved = indexed.archive(&options, &source, named, &paths).map_err(failed)?;
        guard.check().inspect_err(|_| blame())?;

        // Said to be there is what was found there.
        let manifest = ledger.finished().inspect_err(|_| blame())?;
        let engine = indexed.drop_index();
        let again = Repository::from_parts(store, engine, guard, hold, &known);
        let found = again.snapshots()?.into_iter().find(|snapshot| snapshot.id == saved.id.to_hex()[..]);
        let snapshot = found.ok_or_else(|| {
            Failure::new(FailureKind::System, format!("cannot {what}: the snapshot is not there afterwards"))
        })?;
        let stored = again.manifest(&snapshot)?;
        if stored.as_ref() != Some(&manifest) {
            let message = format!("cannot {what}: the manifest that was stored is not the one that was made");
            return Err(Failure::new(FailureKind::System, message));
        }
        Ok((snapshot, manifest))
    }
}

fn check(order: &Order, parts: &[Part]) -> Result<(), Failure> {
    let wrong = |message: String| Err(Failure::new(FailureKind::Argument, message));
    if parts.is_empty() {
        return wrong("there is nothing to save".into());
    }
    for (place, part) in parts.iter().enumerate() {
        let name = &part.name;
        if name.is_empty() || name.contains(['/', '\0', '\n']) || name == "." || name == ".." {
            return wrong(format!("`{name}` cannot be the name of a part of a snapshot: use letters and digits"));
        }
        if parts[..place].iter().any(|other| other.name == *name) {
            return wrong(format!("two parts of the snapshot are named `{name}`: give one of them another `name`"));
        }
    }
    if order.tags.iter().any(|tag| tag == PARTIAL) {
        return wrong(format!("the tag `{PARTIAL}` is that of snapshots in which sources are missing"));
    }
    for tag in order.tags.iter().chain([&order.job]) {
        let is_plain = !tag.is_empty() && !tag.contains(|c: char| c == ',' || c.is_control() || c.is_whitespace());
        if !is_plain {
            return wrong(format!("`{tag}` cannot be a tag: it must have no commas and no blanks"));
        }
        if [JOB, CALL].iter().any(|own| tag.starts_with(own)) {
            return wrong(format!("tags that begin with `{JOB}` or `{CALL}` are made by `backup` itself"));
        }
    }
    Ok(())
}
