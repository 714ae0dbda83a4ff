use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::{Held, NewFolder};
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
    /// Folders it must not leave, wherever links lead.
    confines: Vec<PathBuf>,
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
        let path = project.join(written);
        Ok(Self { project: project.to_owned(), path, written: written.to_owned(), confines: Vec::new() })
    }

    /// The same place, which must not be outside of any of these folders.
    #[must_use]
    pub fn within(self, confines: Vec<PathBuf>) -> Self {
        Self { confines, ..self }
    }

    /// Is it confined to folders?
    pub fn is_confined(&self) -> bool {
        !self.confines.is_empty()
    }

    /// The path, absolute when the project's folder is. Reading follows its links wherever they lead.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path without `.` and `..`, by its text alone: the same for the same place, however it is written.
    pub fn name(&self) -> PathBuf {
        folded(&self.path)
    }

    /// What is there itself, not what a link leads to. A slash at the end, for which a system looks behind the link, says no
    /// more here than anywhere else in a script.
    pub fn metadata(&self) -> std::io::Result<Metadata> {
        self.path.components().collect::<PathBuf>().symlink_metadata()
    }

    /// The path as it was written.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The file that a write ends up in: behind every link, its folder held open.
    pub fn target(&self) -> Result<Held, Failure> {
        let mut path = self.in_real_folder(&self.path)?;
        for _ in 0..LINKS {
            if !path.is_symlink() {
                return self.hold(path);
            }
            let link =
                path.read_link().map_err(|error| Failure::system(format!("follow `{}`", self.written), &error))?;
            let folder = path.parent().unwrap_or(Path::new("/"));
            path = self.in_real_folder(&folder.join(link))?;
        }
        Err(Failure::new(FailureKind::Invalid, format!("the links behind `{}` lead in a circle", self.written)))
    }

    /// The entry itself, which may be a link: what a removal removes, its folder held open.
    pub fn entry(&self) -> Result<Held, Failure> {
        self.hold(self.in_real_folder(&self.path)?)
    }

    /// What is read: behind every link, its folder held open.
    pub fn source(&self) -> Result<Held, Failure> {
        let real =
            self.path.canonicalize().map_err(|error| Failure::system(format!("read `{}`", self.written), &error))?;
        self.hold(real)
    }

    /// A folder to make, with those above it that are missing.
    pub fn new_folder(&self) -> Result<NewFolder, Failure> {
        let path = self.name();
        let there = path.ancestors().skip(1).find_map(|above| Some((above, above.canonicalize().ok()?)));
        let (above, real) = there.unwrap_or((Path::new("/"), PathBuf::from("/")));
        let missing = path.strip_prefix(above).unwrap_or(Path::new("")).to_owned();
        self.inside(real.join(&missing))?;
        let first = missing.iter().next().unwrap_or_default();
        Ok(NewFolder { held: self.hold_folder_of(real.join(first))?, missing })
    }

    /// Opens the folder of a path whose links are resolved. Whoever swaps a folder of it for a link between the look and
    /// this is found out here, and afterwards can change nothing any more: what follows goes by the open folder.
    fn hold(&self, real: PathBuf) -> Result<Held, Failure> {
        let real = self.inside(real)?;
        self.hold_folder_of(real)
    }

    fn hold_folder_of(&self, real: PathBuf) -> Result<Held, Failure> {
        let root = self.confining_root(&real)?;
        Held::open(&root, real).map_err(|error| {
            Failure::system(format!("reach `{}`", self.written), &error)
                .hint("its folder was changed while it was being looked at")
        })
    }

    /// The innermost folder that the path must be in: of the grants, of the project, or the whole disk.
    fn confining_root(&self, real: &Path) -> Result<PathBuf, Failure> {
        let mut roots = self.real_confines();
        if self.is_inside() {
            roots.push(self.project()?);
        }
        let around = roots.into_iter().filter(|root| real.starts_with(root) && real != root);
        Ok(around.max_by_key(|root| root.components().count()).unwrap_or_else(|| PathBuf::from("/")))
    }

    /// A folder of a grant that is not there yet is what its nearest folder that is there makes it.
    fn real_confines(&self) -> Vec<PathBuf> {
        let real = |folder: &PathBuf| {
            let there = folder.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
            there.map_or_else(
                || folder.clone(),
                |(above, real)| match folder.strip_prefix(above) {
                    Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
                    _ => real,
                },
            )
        };
        self.confines.iter().map(real).collect()
    }

    /// Refuses a place that would lie outside although it is written as one inside: by the nearest folder that is there.
    pub fn check_new(&self) -> Result<(), Failure> {
        let path = self.name();
        let existing = path.ancestors().find_map(|folder| Some((folder, folder.canonicalize().ok()?)));
        let (folder, real) = existing.unwrap_or((Path::new("/"), PathBuf::from("/")));
        let rest = path.strip_prefix(folder).unwrap_or(Path::new(""));
        self.inside(if rest.as_os_str().is_empty() { real } else { real.join(rest) }).map(drop)
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
        if let Some(left) = self.real_confines().into_iter().find(|folder| !path.starts_with(folder)) {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("`{}` leads to `{}`, out of `{}`", self.written, path.display(), left.display()),
            )
            .hint("that folder is what is granted; a link leads no further"));
        }
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
