use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::failure::{Failure, FailureKind};

/// How many links may lead to each other, as the kernel counts.
const LINKS: usize = 40;

/// A path as a script wrote it, and the project it was written in.
///
/// What is written inside the project stays inside: a link there that leads out is refused for every change, because
/// whoever reads the script cannot see where it goes. A path that is written as one outside is taken at its word.
#[derive(Clone, Debug)]
pub struct Place {
    project: PathBuf,
    path: PathBuf,
    written: String,
}

impl Place {
    /// A path relative to the project's folder, or an absolute one.
    pub fn new(project: &Path, written: &str) -> Result<Self, Failure> {
        let invalid = |why: &str| Failure::new(FailureKind::Argument, format!("the path {written:?} {why}"));
        if written.is_empty() {
            return Err(invalid("is empty"));
        }
        if written.contains('\0') {
            return Err(invalid("holds a NUL byte"));
        }
        if written == "~" || written.starts_with("~/") {
            return Err(invalid("starts with `~`, which only a shell expands").hint("write the whole path"));
        }
        Ok(Self { project: project.to_owned(), path: project.join(written), written: written.to_owned() })
    }

    /// The path, absolute when the project's folder is. Reading follows its links wherever they lead.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The file that a write ends up in: behind every link.
    pub fn target(&self) -> Result<PathBuf, Failure> {
        let mut path = self.in_real_folder(&self.path)?;
        for _ in 0..LINKS {
            if !path.is_symlink() {
                return self.inside(path);
            }
            let link =
                path.read_link().map_err(|error| Failure::system(format!("follow `{}`", self.written), &error))?;
            let folder = path.parent().unwrap_or(Path::new("/"));
            path = self.in_real_folder(&folder.join(link))?;
        }
        Err(Failure::new(FailureKind::Invalid, format!("the links behind `{}` lead in a circle", self.written)))
    }

    /// The entry itself, which may be a link: what a removal removes.
    pub fn entry(&self) -> Result<PathBuf, Failure> {
        self.inside(self.in_real_folder(&self.path)?)
    }

    /// Refuses a place whose nearest existing folder lies outside although it is written as one inside.
    pub fn check_new(&self) -> Result<(), Failure> {
        let existing = self.path.ancestors().find_map(|folder| folder.canonicalize().ok());
        self.inside(existing.unwrap_or_else(|| PathBuf::from("/"))).map(drop)
    }

    /// Is it written as a path inside the project?
    pub fn is_inside(&self) -> bool {
        folded(&self.path).starts_with(folded(&self.project))
    }

    /// The project's folder, behind every link.
    pub fn project(&self) -> Result<PathBuf, Failure> {
        let what = || format!("find the project's folder `{}`", self.project.display());
        self.project.canonicalize().map_err(|error| Failure::system(what(), &error))
    }

    fn inside(&self, path: PathBuf) -> Result<PathBuf, Failure> {
        if !self.is_inside() || path.starts_with(self.project()?) {
            return Ok(path);
        }
        Err(Failure::new(
            FailureKind::Refused,
            format!("`{}` leads out of the project, to `{}`", self.written, path.display()),
        )
        .hint("write the whole path if that place is meant"))
    }

    /// The path with its folder's links resolved, its own last name kept.
    fn in_real_folder(&self, path: &Path) -> Result<PathBuf, Failure> {
        let Some(name) = path.file_name() else {
            return path.canonicalize().map_err(|error| Failure::system(format!("find `{}`", self.written), &error));
        };
        let folder = path.parent().unwrap_or(Path::new("/"));
        match folder.canonicalize() {
            Ok(real) => Ok(real.join(name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let written = Path::new(&self.written).parent().unwrap_or(Path::new("."));
                let (shown, is_own) = if path == self.path { (written, true) } else { (folder, false) };
                let failure =
                    Failure::new(FailureKind::NotFound, format!("the folder of `{}` does not exist", self.written));
                Err(if is_own {
                    failure.hint(format!("make it first: `folder({:?}).create()`", shown.display().to_string()))
                } else {
                    failure.hint(format!("it is a link into `{}`", shown.display()))
                })
            }
            Err(error) => Err(Failure::system(format!("reach `{}`", self.written), &error)),
        }
    }
}

/// The path without `.` and `..`, by its text alone.
fn folded(path: &Path) -> PathBuf {
    let mut folded = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                folded.pop();
            }
            other => folded.push(other),
        }
    }
    folded
}
