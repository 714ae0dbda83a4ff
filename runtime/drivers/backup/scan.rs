//! How much there is to be saved, counted while it is saved already: nobody waits for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::guard::Guard;
use super::save::{Content, Part};

/// Counts what is in these parts, where all of them are folders of this machine: of anything else nobody knows it before.
pub fn begin(parts: &[Part], guard: &Arc<Guard>) {
    let folder = |part: &Part| match &part.content {
        Content::Folder { root, excludes } => Some((root.clone(), patterns(root, excludes)?)),
        _ => None,
    };
    let Some(folders) = parts.iter().map(folder).collect::<Option<Vec<(PathBuf, Gitignore)>>>() else { return };
    let guard = Arc::downgrade(guard);
    std::thread::spawn(move || {
        // What cannot be looked at is told by whoever saves it.
        let total = folders.iter().map(|(root, excludes)| size(root, excludes, &guard)).sum::<Option<u64>>();
        if let (Some(total), Some(guard)) = (total, guard.upgrade()) {
            guard.meter().expect(total);
        }
    });
}

fn patterns(root: &Path, excludes: &[String]) -> Option<Gitignore> {
    let mut builder = GitignoreBuilder::new(root);
    for pattern in excludes {
        builder.add_line(None, pattern).ok()?;
    }
    builder.build().ok()
}

fn size(root: &Path, excludes: &Gitignore, guard: &Weak<Guard>) -> Option<u64> {
    let (mut open, mut total) = (vec![root.to_owned()], 0);
    while let Some(folder) = open.pop() {
        guard.upgrade()?.check().ok()?;
        for entry in fs::read_dir(folder).ok()? {
            let entry = entry.ok()?;
            let (path, metadata) = (entry.path(), entry.metadata().ok()?);
            let relative = path.strip_prefix(root).ok()?;
            if excludes.matched(relative, metadata.is_dir()).is_ignore() {
                continue;
            }
            if metadata.is_dir() {
                open.push(path);
            } else if metadata.is_file() {
                total += metadata.len();
            }
        }
    }
    Some(total)
}
