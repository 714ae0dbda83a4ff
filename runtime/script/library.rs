//! The texts of a program: the runbook and every module it imports, read once, before anything runs.
//!
//! A run executes exactly these texts and the journal keeps them, so what ran can be shown, compared and run again.
//! Import paths are literals; `std/…` is the embedded library, `./…` and `../…` start at the importing file, anything
//! else at the project's folder. No path leaves the project, symbolic links included.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, FailureKind};

/// The embedded standard library, by import path.
const STANDARD: &[(&str, &str)] = &[
    ("std/backup", include_str!("../../stdlib/backup.rhai")),
    ("std/certificate", include_str!("../../stdlib/certificate.rhai")),
    ("std/db", include_str!("../../stdlib/db.rhai")),
    ("std/deploy", include_str!("../../stdlib/deploy.rhai")),
    ("std/drill", include_str!("../../stdlib/drill.rhai")),
    ("std/drill/evidence", include_str!("../../stdlib/drill/evidence.rhai")),
    ("std/drill/host", include_str!("../../stdlib/drill/host.rhai")),
    ("std/drill/scratch", include_str!("../../stdlib/drill/scratch.rhai")),
    ("std/drill/stores", include_str!("../../stdlib/drill/stores.rhai")),
    ("std/health", include_str!("../../stdlib/health.rhai")),
    ("std/options", include_str!("../../stdlib/options.rhai")),
    ("std/proxy", include_str!("../../stdlib/proxy.rhai")),
    ("std/recover", include_str!("../../stdlib/recover.rhai")),
    ("std/rollback", include_str!("../../stdlib/rollback.rhai")),
];

/// Modules a program may have, to stop a mistake rather than a user.
const MOST_FILES: usize = 200;

/// One text of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as messages show it: relative to the project, or `std/…`.
    pub path: String,
    /// The text.
    pub text: String,
}

/// A runbook and the modules it imports, directly and through others.
#[derive(Clone, Debug)]
pub struct Library {
    runbook: String,
    texts: BTreeMap<String, String>,
}

impl Library {
    /// Reads a runbook and its modules. A module that cannot be found is left out: `check` and the import itself say so.
    pub fn load(project: &Path, runbook: &Path) -> Result<Self, Failure> {
        let full = if runbook.is_absolute() { runbook.to_path_buf() } else { project.join(runbook) };
        let text = read(&full)?;
        let shown = shown_path(project, &full);
        Ok(Self::collect(project, shown, text))
    }

    /// The same for a text that is already there.
    pub fn collect(project: &Path, runbook: String, text: String) -> Self {
        let mut library = Self { runbook: runbook.clone(), texts: BTreeMap::new() };
        let mut open = vec![(runbook, text)];
        while let Some((path, text)) = open.pop() {
            for import in super::program::imports(&text) {
                if let Ok(found) = locate(project, &path, &import)
                    && !library.texts.contains_key(&found.path)
                    && library.texts.len() < MOST_FILES
                {
                    open.push((found.path, found.text));
                }
            }
            library.texts.insert(path, text);
        }
        library
    }

    /// Puts a program together from texts that a journal kept; the first one is the runbook.
    pub fn from_sources(sources: Vec<SourceFile>) -> Result<Self, Failure> {
        let runbook = sources.first().map(|source| source.path.clone());
        let runbook = runbook.ok_or_else(|| Failure::new(FailureKind::Invalid, "the run has no script text"))?;
        Ok(Self { runbook, texts: sources.into_iter().map(|source| (source.path, source.text)).collect() })
    }

    /// The runbook's path.
    pub fn runbook(&self) -> &str {
        &self.runbook
    }

    /// The text of a file of the program.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// All texts, the runbook first.
    pub fn sources(&self) -> Vec<SourceFile> {
        let mut files: Vec<_> =
            self.texts.iter().map(|(path, text)| SourceFile { path: path.clone(), text: text.clone() }).collect();
        files.sort_by_key(|file| file.path != self.runbook);
        files
    }

    /// The path under which an import of `from` is known, whether or not it exists.
    pub fn import_path(&self, from: &str, import: &str) -> Option<String> {
        let path = module_path(from, import).ok()?;
        self.texts.contains_key(&path).then_some(path)
    }
}

/// Finds a module: its path as shown, and its text.
pub fn locate(project: &Path, from: &str, import: &str) -> Result<SourceFile, Failure> {
    let path = module_path(from, import)?;
    if path.starts_with("std/") {
        let text = STANDARD.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
        let text = text.ok_or_else(|| {
            let names: Vec<&str> = STANDARD.iter().map(|(name, _)| *name).collect();
            Failure::new(FailureKind::NotFound, format!("there is no module `{path}` in the standard library"))
                .hint(format!("the modules are {}", names.join(", ")))
        })?;
        return Ok(SourceFile { path, text });
    }
    let missing = || Failure::new(FailureKind::NotFound, format!("module `{import}` not found: there is no `{path}`"));
    let outside = || Failure::new(FailureKind::Refused, format!("import path `{import}` leaves the project's folder"));
    let real = project.join(&path).canonicalize().map_err(|_| missing())?;
    let root = project.canonicalize().map_err(|_| missing())?;
    if !real.starts_with(root) {
        return Err(outside());
    }
    Ok(SourceFile { path, text: read(&real)? })
}

/// The names of the embedded modules.
#[allow(dead_code)]
pub fn standard_modules() -> impl Iterator<Item = &'static str> {
    STANDARD.iter().map(|(name, _)| *name)
}

/// `./health` in `lib/deploy.rhai` is `lib/health.rhai`.
fn module_path(from: &str, import: &str) -> Result<String, Failure> {
    if import.starts_with("std/") {
        return Ok(import.to_owned());
    }
    let outside = || Failure::new(FailureKind::Refused, format!("import path `{import}` leaves the project's folder"));
    let start = if import.starts_with("./") || import.starts_with("../") {
        Path::new(from).parent().map(Path::to_path_buf).unwrap_or_default()
    } else {
        PathBuf::new()
    };
    let mut path = PathBuf::new();
    for part in start.join(import).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return Err(outside()),
        }
    }
    if path.extension().is_none_or(|extension| extension != "rhai") {
        path.as_mut_os_string().push(".rhai");
    }
    Ok(path.to_string_lossy().into_owned())
}

fn shown_path(project: &Path, full: &Path) -> String {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (project, full) = (real(project), real(full));
    full.strip_prefix(&project).unwrap_or(&full).to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(FailureKind::Invalid, format!("`{}` is not a text file: it is not valid UTF-8", path.display()))
    })
}
