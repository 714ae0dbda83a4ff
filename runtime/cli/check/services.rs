use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::compose::{LoadRequest, load};
use crate::project::Environment;

/// The names Compose looks for when no file is given, in its order.
const DEFAULT_FILES: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The services of compose files, each set of files read once.
pub(super) struct Services<'a> {
    project: &'a Path,
    known: RefCell<HashMap<Vec<String>, Option<Vec<String>>>>,
}

impl<'a> Services<'a> {
    pub(super) fn of(project: &'a Path) -> Self {
        Self { project, known: RefCell::default() }
    }

    /// The names of the services; `None` when the files cannot be read now, as when a variable that only the run has
    /// is missing: that is for the call itself to say.
    pub(super) fn named(&self, _: &Environment, files: &[String]) -> Option<Vec<String>> {
        if let Some(known) = self.known.borrow().get(files) {
            return known.clone();
        }
        let services = self.load(files);
        self.known.borrow_mut().insert(files.to_vec(), services.clone());
        services
    }

    fn load(&self, files: &[String]) -> Option<Vec<String>> {
        let paths: Vec<PathBuf> = if files.is_empty() {
            let found = DEFAULT_FILES.iter().map(|name| self.project.join(name)).find(|path| path.is_file());
            // A file beside it that Compose would merge may add services.
            let alone = !self.project.join("compose.override.yaml").exists()
                && !self.project.join("compose.override.yml").exists()
                && !self.project.join("docker-compose.override.yml").exists();
            found.filter(|_| alone).into_iter().collect()
        } else {
            files.iter().map(|file| self.project.join(file)).collect()
        };
        let folder = paths.first()?.parent()?.to_path_buf();
        let request = LoadRequest {
            files: paths,
            project_directory: folder,
            environment: std::env::vars().collect(),
            ..LoadRequest::default()
        };
        let application = load(&request).ok()?;
        Some(application.services.keys().chain(application.disabled.keys()).cloned().collect())
    }
}
