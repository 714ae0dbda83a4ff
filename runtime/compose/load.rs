//! The pipeline: YAML, merge keys, variables, `extends`, merge, long syntax, paths.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use super::explain::Watch;
use super::node::{Content, Map, Mark, Node, Path};
use super::problem::{Problem, Problems};
use super::{canonical, extends, include, interpolate, merge, mounts, paths, unique, yaml};

/// What reading files needs: where they are, which variables there are, and where problems go.
pub(super) struct Loader<'a> {
    /// The project's folder, which problems name files against.
    pub root: &'a FilePath,
    /// The folder of these files, which their relative paths start from.
    pub directory: &'a FilePath,
    pub environment: &'a BTreeMap<String, String>,
    /// Who watches what becomes of a variable.
    pub watch: Option<&'a Watch<'a>>,
    pub problems: &'a Problems,
    /// Variables that were warned about.
    pub warned: RefCell<BTreeSet<String>>,
    /// Every file that was read so far, whoever named it.
    pub read: &'a RefCell<BTreeSet<PathBuf>>,
    /// The files being read, from the outermost to this one.
    pub including: RefCell<Vec<PathBuf>>,
}

impl Loader<'_> {
    /// All files over one another, in the long syntax and with absolute paths. `None` when a file cannot be read at all.
    pub fn merged(&self, files: &[PathBuf]) -> Option<Node> {
        let mut whole: Option<Node> = None;
        let mut readable = true;
        for file in files {
            let Some(documents) = self.documents(file) else {
                readable = false;
                continue;
            };
            for document in documents {
                whole = Some(self.onto(whole.take(), document, file));
            }
        }
        if whole.is_none() && readable {
            let file = files.first().map(|file| self.shown(file))?;
            self.problems.error(Problem::new(file, 0, 0, "is empty"));
        }
        let mut whole = whole.filter(|_| readable)?;
        paths::resolve(&mut whole, &Path::default(), self.directory, self.home());
        Some(whole)
    }

    /// The documents of a file with their variables replaced.
    pub fn documents(&self, file: &FilePath) -> Option<Vec<Node>> {
        let shown = self.shown(file);
        let text = match std::fs::read(file) {
            Ok(bytes) => {
                self.read.borrow_mut().insert(file.to_path_buf());
                bytes
            }
            Err(error) => {
                let reason = match error.kind() {
                    std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                self.problems.error(Problem::new(shown, 0, 0, reason));
                return None;
            }
        };
        let Ok(text) = String::from_utf8(text) else {
            self.problems.error(Problem::new(shown, 0, 0, "is not UTF-8 text"));
            return None;
        };
        let mut documents =
            yaml::parse(&text, &Arc::from(shown.as_str())).map_err(|problem| self.problems.error(problem)).ok()?;
        let lookup = |name: &str| self.environment.get(name).cloned();
        for document in &mut documents {
            if let Some(watch) = self.watch {
                watch.document(document, &Path::default(), self.environment);
            }
            let mut warned = self.warned.borrow_mut();
            interpolate::tree(document, &Path::default(), &lookup, self.problems, &mut warned);
        }
        Some(documents)
    }

    fn onto(&self, base: Option<Node>, mut document: Node, file: &FilePath) -> Node {
        let empty = Node::new(Content::Map(Map::default()), &document.mark);
        match document.content {
            Content::Map(_) => {}
            Content::Null => document = empty.clone(),
            _ => {
                let message = format!("a compose file is a mapping, got {}", document.describe());
                self.problems.error(Problem::at(&document.mark, &Path::default(), message));
                document = empty.clone();
            }
        }
        let mut base = base.unwrap_or(empty);
        self.including.borrow_mut().push(file.to_path_buf());
        include::apply(&mut document, self);
        self.including.borrow_mut().pop();
        let root = Path::default();
        unique::enforce(&mut document, &root, Some(self.problems));
        merge::reset(&mut base, &document);
        extends::apply(&mut document, file, self);
        let mut whole = merge::merge(base, document, &root, self.problems);
        unique::enforce(&mut whole, &root, None);
        canonical::expand(&mut whole, &root, self.problems);
        unique::enforce(&mut whole, &root, None);
        whole
    }

    /// A path of a file named in another one.
    pub fn relative(&self, text: &str, from: &FilePath) -> PathBuf {
        let folder = from.parent().unwrap_or(self.directory);
        PathBuf::from(paths::absolute(text, folder, self.home()))
    }

    /// A path of these files.
    pub fn inside(&self, text: &str) -> PathBuf {
        PathBuf::from(paths::absolute(text, self.directory, self.home()))
    }

    /// How problems name a file: relative to the project's folder when it is inside.
    pub fn shown(&self, file: &FilePath) -> String {
        file.strip_prefix(self.root).unwrap_or(file).display().to_string()
    }

    pub fn home(&self) -> Option<&str> {
        self.environment.get("HOME").map(String::as_str)
    }
}

/// A path without `.` and `..`, made absolute against the folder.
pub(super) fn absolute(path: &FilePath, folder: &FilePath) -> PathBuf {
    PathBuf::from(mounts::clean(&folder.join(path).to_string_lossy()))
}

/// A place for what no file says.
pub(super) fn nowhere() -> Mark {
    Mark { file: Arc::from(""), line: 0, column: 0 }
}
