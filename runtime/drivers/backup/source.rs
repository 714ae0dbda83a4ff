use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use jiff::Timestamp;
use rustic_core::repofile::{self, Node, NodeType};
use rustic_core::{ReadSource, ReadSourceEntry, RusticResult};

use super::archive::{Archive, Entry as Told, EntryKind};
use super::guard::Guard;
use super::manifest::{DATA, Ledger, MANIFEST};
use super::node::{NodeKind, attributes, kept, rights, told};
use super::reader::{Opening, Same, What};
use super::save::{Content, Part};
use super::tally::Count;
use super::unpack::Hashing;
use super::{Tally, Wanted};
use crate::failure::{Failure, FailureKind};

/// All parts of a snapshot and the manifest, as the engine reads them: once.
pub struct Source {
    parts: Mutex<Vec<Part>>,
    ledger: Arc<Ledger>,
    guard: Arc<Guard>,
    /// The repository's own folder, by device and number: never a part of what is saved in it.
    repository: Option<(u64, u64)>,
    /// Now, where there is a snapshot before whose files count as read: then nothing but what is known to be the same looks as
    /// if it were.
    now: Option<Timestamp>,
}

impl Source {
    /// Parts in the order of their names.
    pub fn new(
        parts: Vec<Part>,
        ledger: Arc<Ledger>,
        guard: Arc<Guard>,
        repository: Option<&Path>,
        now: Option<Timestamp>,
    ) -> Self {
        let repository =
            repository.and_then(|folder| fs::metadata(folder).ok()).map(|metadata| (metadata.dev(), metadata.ino()));
        Self { parts: Mutex::new(parts), ledger, guard, repository, now }
    }
}

impl ReadSource for Source {
    type Open = Opening;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Entries {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        Entries {
            parts: parts.into_iter().enumerate().collect::<Vec<_>>().into_iter(),
            tree: None,
            archive: None,
            ledger: Arc::clone(&self.ledger),
            guard: Arc::clone(&self.guard),
            repository: self.repository,
            now: self.now,
            at: None,
            is_done: false,
        }
    }
}

type Entry = ReadSourceEntry<Opening>;

/// Goes through everything, folder by folder.
pub struct Entries {
    parts: std::vec::IntoIter<(usize, Part)>,
    tree: Option<Tree>,
    archive: Option<Listed>,
    ledger: Arc<Ledger>,
    guard: Arc<Guard>,
    repository: Option<(u64, u64)>,
    now: Option<Timestamp>,
    /// The part that is gone through.
    at: Option<usize>,
    is_done: bool,
}

/// A folder that is gone through.
struct Tree {
    part: usize,
    name: String,
    root: PathBuf,
    excludes: Gitignore,
    /// What is still to be visited, relative to the root: one list for each folder, the next last.
    open: Vec<Vec<PathBuf>>,
}

/// A part whose entries are told one after the other.
struct Listed {
    part: usize,
    name: String,
    archive: Archive,
    /// The entry before: the next one comes behind it.
    last: Option<PathBuf>,
}

impl Iterator for Entries {
    type Item = RusticResult<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // After a fault nothing counts any more.
            if self.guard.check().is_err() || self.is_done {
                return None;
            }
            match self.step() {
                Ok(Some(entry)) => return Some(Ok(entry)),
                Ok(None) => {}
                Err(failure) => self.guard.note_in(self.at, failure),
            }
        }
    }
}

impl Entries {
    fn step(&mut self) -> Result<Option<Entry>, Failure> {
        if let Some(mut tree) = self.tree.take() {
            let next = loop {
                let Some(folder) = tree.open.last_mut() else { break None };
                match folder.pop() {
                    Some(path) => break Some(path),
                    None => drop(tree.open.pop()),
                }
            };
            if let Some(path) = next {
                let entry = self.visit(&mut tree, path);
                self.tree = Some(tree);
                return entry;
            }
        }
        if let Some(mut listed) = self.archive.take() {
            if let Some(entry) = listed.archive.next(&self.guard, &listed.name)? {
                let entry = self.list(&mut listed, entry)?;
                self.archive = Some(listed);
                return Ok(Some(entry));
            }
            if let Some(told) = listed.archive.told() {
                self.ledger.tell(listed.part, told);
            }
        }
        let Some((number, Part { name, content, .. })) = self.parts.next() else {
            (self.is_done, self.at) = (true, None);
            return Ok(Some(self.file(Path::new(MANIFEST), What::Manifest)));
        };
        self.at = Some(number);
        match content {
            Content::Stream(feed) => {
                self.ledger.opened();
                let path = Path::new(DATA).join(&name);
                Ok(Some(self.file(&path, What::Stream { name, part: number, feed })))
            }
            Content::Archive(archive) => {
                self.archive = Some(Listed { part: number, name, archive, last: None });
                Ok(None)
            }
            Content::Folder { root, excludes } => self.enter(number, name, root, &excludes).map(Some),
        }
    }

    fn file(&self, path: &Path, what: What) -> Entry {
        let now = Some(jiff::Timestamp::now());
        let metadata = repofile::Metadata { mode: Some(0o600), mtime: now, ..repofile::Metadata::default() };
        self.entry(path.to_owned(), NodeType::File, metadata, Some(what))
    }

    fn entry(&self, path: PathBuf, kind: NodeType, metadata: repofile::Metadata, what: Option<What>) -> Entry {
        // The engine compares sizes and times with those of the snapshot before.
        let knows = matches!(what, Some(What::Same { .. } | What::Entry { .. }));
        let ctime = if knows { metadata.ctime.or(self.now) } else { self.now.or(metadata.ctime) };
        let metadata = repofile::Metadata { ctime, ..metadata };
        let node = Node::new_node(path.file_name().unwrap_or_default(), kind, metadata);
        let (ledger, guard) = (Arc::clone(&self.ledger), Arc::clone(&self.guard));
        ReadSourceEntry { path, node, open: what.map(|what| Opening { what, ledger, guard }) }
    }

    /// An entry that was told. The first one is the folder itself; each one comes behind the one before, as the format wants it.
    fn list(&self, listed: &mut Listed, Told { path, stat, kind }: Told) -> Result<Entry, Failure> {
        let shown = format!("{}/{}", listed.name, path.display());
        let is_root = path.as_os_str().is_empty();
        let is_next = match &listed.last {
            None => is_root && matches!(kind, EntryKind::Folder),
            Some(last) => *last < path,
        };
        if !is_next {
            let message = format!("`{shown}` came at the wrong place of what was to be saved");
            return Err(Failure::new(FailureKind::Invalid, message));
        }
        listed.last = Some(path.clone());
        let (part, rights) = (listed.part, stat.rights());
        let inside = Path::new(DATA).join(&listed.name);
        let inside = if is_root { inside } else { inside.join(&path) };
        Ok(match kind {
            EntryKind::Folder => {
                if !is_root {
                    self.ledger.count(part, |tally| tally.folder(&path, rights));
                }
                self.entry(inside, NodeType::Dir, told(stat, NodeKind::Folder, 0), None)
            }
            EntryKind::Link(target) => {
                self.ledger.count(part, |tally| tally.link(&path, &target, rights));
                self.entry(inside, NodeType::from_link(&target), told(stat, NodeKind::Link, 0), None)
            }
            EntryKind::File(bytes, opener) => {
                self.ledger.opened();
                let what = What::Entry { name: shown, part, relative: path, rights, bytes, opener };
                self.entry(inside, NodeType::File, told(stat, NodeKind::File, bytes), Some(what))
            }
            EntryKind::Same(bytes, hash, opener) => {
                self.ledger.opened();
                let ledger = Arc::clone(&self.ledger);
                let same = Same::new(ledger, part, path, rights, bytes, hash);
                let what = What::Same { name: shown, same, opener };
                self.entry(inside, NodeType::File, told(stat, NodeKind::File, bytes), Some(what))
            }
        })
    }

    fn enter(&mut self, part: usize, name: String, root: PathBuf, patterns: &[String]) -> Result<Entry, Failure> {
        let shown = root.display().to_string();
        let metadata = fs::metadata(&root).map_err(|error| Failure::system(format!("save `{shown}`"), &error))?;
        if !metadata.is_dir() {
            return Err(Failure::new(FailureKind::Invalid, format!("cannot save `{shown}`: it is not a folder")));
        }
        let mut builder = GitignoreBuilder::new(&root);
        for pattern in patterns {
            builder.add_line(None, pattern).map_err(|error| {
                Failure::new(FailureKind::Option, format!("`{pattern}` cannot be excluded: {error}"))
            })?;
        }
        let excludes = builder.build().map_err(|error| Failure::new(FailureKind::Option, error.to_string()))?;
        let listed = list(&root, Path::new(""))?;
        let own = attributes(&root).map_err(|error| Failure::system(format!("look at `{shown}`"), &error))?;
        let entry = self.entry(Path::new(DATA).join(&name), NodeType::Dir, kept(&metadata, own), None);
        self.tree = Some(Tree { part, name, root, excludes, open: vec![listed] });
        Ok(entry)
    }

    /// An entry of a folder; `None` when it is left out, or gone.
    fn visit(&mut self, tree: &mut Tree, relative: PathBuf) -> Result<Option<Entry>, Failure> {
        let path = tree.root.join(&relative);
        let shown = path.display();
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::system(format!("look at `{shown}`"), &error)),
        };
        let is_repository = self.repository == Some((metadata.dev(), metadata.ino()));
        if is_repository || tree.excludes.matched(&relative, metadata.is_dir()).is_ignore() {
            return Ok(None);
        }
        let own = match attributes(&path) {
            Ok(own) => own,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::system(format!("look at `{shown}`"), &error)),
        };
        let (kind, rights, kept) = (metadata.file_type(), rights(&metadata, &own), kept(&metadata, own));
        let inside = Path::new(DATA).join(&tree.name).join(&relative);
        if kind.is_dir() {
            tree.open.push(list(&tree.root, &relative)?);
            self.ledger.count(tree.part, |tally| tally.folder(&relative, rights));
            return Ok(Some(self.entry(inside, NodeType::Dir, kept, None)));
        }
        if kind.is_symlink() {
            let target =
                fs::read_link(&path).map_err(|error| Failure::system(format!("read the link `{shown}`"), &error))?;
            self.ledger.count(tree.part, |tally| tally.link(&relative, &target, rights));
            return Ok(Some(self.entry(inside, NodeType::from_link(&target), kept, None)));
        }
        if !kind.is_file() {
            let message = format!("`{shown}` is neither a file nor a folder nor a link: it cannot be saved");
            return Err(Failure::new(FailureKind::Invalid, message).hint("exclude it"));
        }
        self.ledger.opened();
        let bytes = metadata.len();
        let what = What::File { path, part: tree.part, relative, rights, bytes };
        Ok(Some(self.entry(inside, NodeType::File, kept, Some(what))))
    }
}

/// What a folder holds, the first last.
fn list(root: &Path, relative: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = root.join(relative);
    let read =
        || fs::read_dir(&folder)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<OsString>>>();
    let mut names: Vec<OsString> =
        read().map_err(|error: std::io::Error| Failure::system(format!("list `{}`", folder.display()), &error))?;
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names.into_iter().map(|name| relative.join(name)).collect())
}

/// What is in a folder of this machine.
pub fn tally_of(root: &Path, wanted: &Wanted) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    count(root, wanted, &mut tally)?;
    Ok(tally)
}

/// Tells somebody of everything in a folder of this machine.
pub fn count(root: &Path, wanted: &Wanted, to: &mut dyn Count) -> Result<(), Failure> {
    let mut open = list(root, Path::new(""))?;
    while let Some(relative) = open.pop() {
        wanted()?;
        let path = root.join(&relative);
        let failed = |error: std::io::Error| Failure::system(format!("look at `{}`", path.display()), &error);
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        let rights = rights(&metadata, &attributes(&path).map_err(failed)?);
        if metadata.is_dir() {
            to.folder(&relative, rights);
            open.extend(list(root, &relative)?);
        } else if metadata.is_symlink() {
            to.link(&relative, &fs::read_link(&path).map_err(failed)?, rights);
        } else {
            let mut hashing = Hashing::new(std::io::sink());
            let mut file = fs::File::open(&path).map_err(failed)?;
            std::io::copy(&mut file, &mut hashing).map_err(failed)?;
            let (bytes, hash) = hashing.finish();
            to.file(&relative, rights, bytes, &hash);
        }
    }
    Ok(())
}
