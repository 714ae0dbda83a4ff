//! Looking whether everything is there and as it was written; and what it means when it is not.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use jiff::Zoned;
use rustic_core::repofile::IndexFile;
use rustic_core::{CheckOptions, FileType, Id, IndexedFullStatus, ReadSubsetOption, RusticError, TreeId};
use serde::Serialize;

use super::late::patiently;
use super::meter::Flow;
use super::repository::{Engine, snapshot};
use super::{Repository, Snapshot};
use crate::failure::{Failure, FailureKind};

/// Into so many parts the data of a repository falls: one a day is all in a month.
pub const PARTS: u32 = 30;

/// So many files of a damaged snapshot are named.
const NAMED: usize = 50;

/// What of the data is read and compared with its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: it is only looked whether it is there.
    Nothing,
    /// These of the [`PARTS`], counted from 0.
    Parts(Vec<u32>),
    /// All of it.
    All,
}

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Damage.
    pub errors: Vec<String>,
    /// What does no harm, such as packs that belong to nothing.
    pub warnings: Vec<String>,
    /// The snapshots that need what is damaged.
    pub damaged: Vec<Damaged>,
}

/// A snapshot that is not whole any more.
#[derive(Clone, Debug, Serialize)]
pub struct Damaged {
    /// Its name.
    pub id: String,
    /// Its job.
    pub job: String,
    /// When it was made.
    pub time: Zoned,
    /// Files of it that cannot be relied upon, and folders of which nobody knows what is in them: the first of them.
    pub files: Vec<String>,
    /// How many there are.
    pub count: usize,
}

type Indexed = rustic_core::Repository<IndexedFullStatus>;

impl Repository {
    /// Looks whether everything is there that snapshots need; with `read_data`, whether it is what was written.
    pub fn check(&self, read_data: bool) -> Result<Checked, Failure> {
        self.inspect(&if read_data { Reads::All } else { Reads::Nothing })
    }

    /// Looks whether everything is there that snapshots need, and whether what is read is what was written. Of what is damaged it
    /// is said which snapshots and which of their files need it.
    pub fn inspect(&self, reads: &Reads) -> Result<Checked, Failure> {
        let mut found = Checked::default();
        let passes: Vec<CheckOptions> = match reads {
            Reads::Nothing => vec![CheckOptions::default()],
            Reads::All => vec![CheckOptions::default().read_data(true)],
            Reads::Parts(parts) => {
                let of = |part: &u32| ReadSubsetOption::IdSubSet((*part, PARTS));
                parts.iter().map(|part| CheckOptions::default().read_data(true).read_data_subset(of(part))).collect()
            }
        };
        if *reads != Reads::Nothing {
            let all: u64 = self.listed(FileType::Pack)?.iter().map(|(_, size)| u64::from(*size)).sum();
            let parts = if let Reads::Parts(parts) = reads { parts.len() as u64 } else { PARTS.into() };
            self.meter().begin("reading what is stored", Flow::Read, Some(all / u64::from(PARTS) * parts));
        }
        for options in passes {
            let checked = patiently(&format!("check the repository `{}`", self.shown()), || {
                self.wanted()?;
                self.engine().check(options).map_err(|error| self.failed("check", &error))
            })?;
            for (level, problem) in checked.0 {
                // The engine keeps the type of the level to itself.
                let list = if format!("{level:?}") == "Error" { &mut found.errors } else { &mut found.warnings };
                let problem = in_words(&problem.to_string());
                if !list.contains(&problem) {
                    list.push(problem);
                }
            }
        }
        if !found.errors.is_empty() {
            found.damaged = self.damaged(&found.errors)?;
        }
        Ok(found)
    }

    /// Looks whether every pack is there, and as long as it has to be, that the index counts on: what is in one is not stored again, so
    /// that a new snapshot would lack it.
    pub(super) fn intact(&self) -> Result<(), Failure> {
        let failed = |error: Box<RusticError>| self.failed("read the index of", &error);
        let mut wanted: HashMap<Id, u32> = HashMap::new();
        for file in self.engine().stream_files::<IndexFile>().map_err(failed)? {
            for pack in file.map_err(failed)?.1.packs {
                let ends = pack.blobs.iter().map(|blob| blob.location.offset.saturating_add(blob.location.length));
                let end = ends.max().unwrap_or_default();
                let known = wanted.entry(*pack.id).or_default();
                *known = end.max(*known);
            }
        }
        // After the index: what others add meanwhile is there before it is in one.
        for (id, size) in self.listed(FileType::Pack)? {
            if wanted.get(&id).is_some_and(|end| *end <= size) {
                wanted.remove(&id);
            }
        }
        let Some(lost) = wanted.keys().min() else { return Ok(()) };
        let what = if wanted.len() == 1 { "is" } else { "and others are" };
        let message = format!(
            "the repository `{}` is damaged: pack {} {what} missing or cut off, and nothing would be stored that was in it",
            self.shown(),
            &lost.to_hex()[..8],
        );
        Err(Failure::new(FailureKind::Check, message).hint(
            "`runbook backup check` tells which snapshots need it, and how what is still at its source is stored anew",
        ))
    }

    /// What damage means for people, and what can be done about it.
    pub fn advice(&self, checked: &Checked, all: &[Snapshot]) -> Vec<String> {
        let is_whole = |snapshot: &&Snapshot| checked.damaged.iter().all(|damaged| damaged.id != snapshot.id);
        let jobs: BTreeSet<&str> = checked.damaged.iter().map(|damaged| damaged.job.as_str()).collect();
        let mut lines: Vec<String> = jobs
            .into_iter()
            .map(|job| match all.iter().filter(is_whole).rfind(|snapshot| snapshot.group() == job) {
                Some(snapshot) => format!("the newest whole snapshot of {job} is {}", snapshot.short()),
                None => format!("no whole snapshot of {job} is left"),
            })
            .collect();
        let packs: BTreeSet<&str> = checked.errors.iter().filter_map(|error| pack_in(error)).collect();
        if !packs.is_empty() {
            let files: Vec<String> = packs.iter().map(|pack| format!("data/{}/{pack}…", &pack[..2])).collect();
            lines.push(format!("move what is damaged out of `{}`: {}", self.shown(), files.join(", ")));
            let at = self.folder().map_or_else(String::new, |folder| format!(" -r {}", folder.display()));
            lines.push(format!("then have restic make the index anew: `restic{at} rebuild-index`"));
        }
        lines.push("the next backup then stores anew what is still at its source; look after the disk".to_owned());
        lines
    }

    /// Which snapshots need what is wrong with these packs, or something that is nowhere.
    fn damaged(&self, errors: &[String]) -> Result<Vec<Damaged>, Failure> {
        let failed = |error: Box<RusticError>| self.failed("read the index of", &error);
        let bad: HashSet<&str> = errors.iter().filter_map(|error| pack_in(error)).collect();
        let mut good: HashSet<Id> = HashSet::new();
        for file in self.engine().stream_files::<IndexFile>().map_err(failed)? {
            let (_, index) = file.map_err(failed)?;
            let whole = index.packs.into_iter().filter(|pack| !bad.contains(&pack.id.to_hex()[..8]));
            good.extend(whole.flat_map(|pack| pack.blobs).map(|blob| *blob.id));
        }
        let engine = self.again().and_then(Engine::to_indexed).map_err(failed)?;
        let mut walk = Walk { engine, good, known: HashMap::new() };
        let mut found = Vec::new();
        for file in self.files()? {
            self.wanted()?;
            let touched = walk.touched(file.tree);
            if touched.is_empty() {
                continue;
            }
            let Snapshot { id, time, .. } = &snapshot(file.clone());
            let shown = |path: &PathBuf| format!("/{}", path.display());
            found.push(Damaged {
                id: id.clone(),
                job: snapshot(file).group(),
                time: time.clone(),
                files: touched.iter().take(NAMED).map(shown).collect(),
                count: touched.len(),
            });
        }
        found.sort_by_key(|damaged| damaged.time.timestamp());
        Ok(found)
    }
}

/// What the engine says of a problem, without what is for its authors.
fn in_words(problem: &str) -> String {
    let first = problem.lines().next().unwrap_or_default();
    let said = problem.lines().skip_while(|line| line.trim() != "Message:").nth(1).map(str::trim);
    let what = first.split(" : `rustic_core`").next().unwrap_or(first).split(" To repair:").next().unwrap_or(first);
    let what = what.replace(" marked to-delete: false", "").replace(" marked to-delete: true", "");
    said.map_or_else(|| what.clone(), |said| format!("{what}: {said}"))
}

/// The first digits of the pack that is named in a message of the engine.
fn pack_in(error: &str) -> Option<&str> {
    let name = error.split("pack ").nth(1)?.get(..8)?;
    name.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(name)
}

/// Goes through trees, each once.
struct Walk {
    engine: Indexed,
    good: HashSet<Id>,
    known: HashMap<Id, Rc<Vec<PathBuf>>>,
}

impl Walk {
    /// The paths below a tree that need something that is not good; an empty path for a tree that cannot be read itself.
    fn touched(&mut self, tree: TreeId) -> Rc<Vec<PathBuf>> {
        if let Some(known) = self.known.get(&*tree) {
            return Rc::clone(known);
        }
        let touched = Rc::new(self.look(tree));
        self.known.insert(*tree, Rc::clone(&touched));
        touched
    }

    fn look(&mut self, tree: TreeId) -> Vec<PathBuf> {
        let read = if self.good.contains(&*tree) { self.engine.get_tree(&tree).ok() } else { None };
        let Some(read) = read else { return vec![PathBuf::new()] };
        let mut touched = Vec::new();
        for node in read.nodes {
            let name = PathBuf::from(node.name().into_owned());
            if let Some(subtree) = node.subtree {
                touched.extend(self.touched(subtree).iter().map(|path| name.join(path)));
            } else if node.content.iter().flatten().any(|blob| !self.good.contains(&**blob)) {
                touched.push(name);
            }
        }
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_says_becomes_a_sentence() {
        let long = "error checking pack 68a7fa70 : `rustic_core` experienced an error related to `x`.\n\nMessage:\nMAC check failed.\n\nBacktrace:\n   0: a";
        assert_eq!(in_words(long), "error checking pack 68a7fa70: MAC check failed.");
        let short =
            "pack 68a7fa70 marked to-delete: false is referenced but not present! To repair: 'rustic repair index'.";
        assert_eq!(in_words(short), "pack 68a7fa70 is referenced but not present!");
        assert_eq!(pack_in(short), Some("68a7fa70"));
        assert_eq!(pack_in("file \"a\" blob 326b9504 is missing in index"), None);
    }
}
