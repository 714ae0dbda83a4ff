//! From what a person typed to the project it means.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, FailureKind};
use crate::project::{Project, ProjectFile, find};

/// The project a runbook belongs to, with its environment: the nearest folder above with a project file, which `load` reads, else
/// its own.
pub(super) fn project_of(
    runbook: &Path,
    environment: Option<&str>,
    load: impl FnOnce(&Path) -> Result<ProjectFile, Failure>,
) -> Result<Project, Failure> {
    let runbook = existing(runbook)?;
    let folder = runbook.parent().map(Path::to_path_buf).unwrap_or_default();
    let root = find(&folder).unwrap_or(folder);
    with_environment(load(&root)?, root, environment)
}

/// The root of the project the current folder belongs to; the folder itself outside of any project.
pub(super) fn root_here() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::system("find the current folder", &error))?;
    Ok(find(&here).unwrap_or(here))
}

/// Who runs this: `user@machine`.
pub(super) fn person() -> String {
    let user = ["RUNBOOK_USER", "SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let user = user.unwrap_or_else(|| format!("uid{}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", rustix::system::uname().nodename().to_string_lossy())
}

/// The project at `root` with its environment.
pub(super) fn project_in(root: PathBuf, environment: Option<&str>) -> Result<Project, Failure> {
    with_environment(ProjectFile::load(&root)?, root, environment)
}

fn with_environment(file: ProjectFile, root: PathBuf, environment: Option<&str>) -> Result<Project, Failure> {
    let environment = file.environment(environment)?;
    Ok(Project::new(root, file, environment))
}

fn existing(runbook: &Path) -> Result<PathBuf, Failure> {
    runbook.canonicalize().map_err(|error| {
        let failure = Failure::system(format!("open the runbook `{}`", runbook.display()), &error);
        if failure.kind == FailureKind::NotFound && runbook.extension().is_none() {
            return failure.hint(format!("did you mean `{}.rhai`?", runbook.display()));
        }
        failure
    })
}
