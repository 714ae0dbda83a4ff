use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::tally::{Count, Rights};

/// Everything in a folder, by its path, so that two can be compared.
#[derive(Clone, Debug, Default)]
pub struct Lines(BTreeMap<PathBuf, Line>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    kind: &'static str,
    /// The hash of a file, the target of a link.
    content: Vec<u8>,
    rights: Rights,
}

impl Count for Lines {
    fn file(&mut self, path: &Path, rights: Rights, _: u64, hash: &[u8]) {
        self.0.insert(path.to_owned(), Line { kind: "file", content: hash.to_vec(), rights });
    }

    fn folder(&mut self, path: &Path, rights: Rights) {
        self.0.insert(path.to_owned(), Line { kind: "folder", content: Vec::new(), rights });
    }

    fn link(&mut self, path: &Path, target: &Path, rights: Rights) {
        let content = target.as_os_str().as_encoded_bytes().to_vec();
        self.0.insert(path.to_owned(), Line { kind: "link", content, rights: Rights { mode: 0o777, ..rights } });
    }
}

/// What a restore would do to one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its path in the folder.
    pub path: String,
    /// `missing`: it would come back; `extra`: it would be gone; `kind`, `content`, `mode`, `owner` or `attributes`: what is
    /// different about it.
    pub what: &'static str,
}

/// What is not the same in a folder as in a snapshot, by path.
pub fn differences(snapshot: &Lines, there: &Lines, owners: bool) -> Vec<Difference> {
    let mut all = Vec::new();
    let names: std::collections::BTreeSet<&PathBuf> = snapshot.0.keys().chain(there.0.keys()).collect();
    for path in names {
        let what = match (snapshot.0.get(path), there.0.get(path)) {
            (Some(_), None) => Some("missing"),
            (None, _) => Some("extra"),
            (Some(was), Some(is)) if was.kind != is.kind => Some("kind"),
            (Some(was), Some(is)) if was.content != is.content => Some("content"),
            (Some(was), Some(is)) => of_rights(was.rights, is.rights, owners),
        };
        all.extend(what.map(|what| Difference { path: path.display().to_string(), what }));
    }
    all
}

fn of_rights(was: Rights, is: Rights, owners: bool) -> Option<&'static str> {
    match () {
        () if was.mode != is.mode => Some("mode"),
        () if owners && (was.user, was.group) != (is.user, is.group) => Some("owner"),
        () if owners && was.attributes != is.attributes => Some("attributes"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_difference_has_its_word() {
        let plain = Rights { mode: 0o644, ..Rights::default() };
        let (mut was, mut is) = (Lines::default(), Lines::default());
        for path in ["same", "content", "kind", "mode", "owner", "gone"] {
            was.file(path.as_ref(), plain, 1, b"1");
        }
        is.file("same".as_ref(), plain, 1, b"1");
        is.file("content".as_ref(), plain, 1, b"2");
        is.folder("kind".as_ref(), plain);
        is.file("mode".as_ref(), Rights { mode: 0o600, ..plain }, 1, b"1");
        is.file("owner".as_ref(), Rights { user: 7, ..plain }, 1, b"1");
        is.link("new".as_ref(), "there".as_ref(), plain);
        let words = |owners| -> Vec<String> {
            let found = differences(&was, &is, owners);
            found.iter().map(|one| format!("{} {}", one.what, one.path)).collect()
        };
        let all = ["content content", "missing gone", "kind kind", "mode mode", "extra new", "owner owner"];
        assert_eq!(words(true), all);
        assert_eq!(words(false), all[..5]);
    }
}
