use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::compose::{Application, LoadRequest, Obstacle, StaleUpstream, load, stale_upstreams};
use crate::project::Environment;
use crate::script::check::ComposeUpdate;

/// How many seconds two containers serve beside each other when a script does not say.
const SETTLE: u64 = 3;

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

    /// What stands in the way of replacing containers start-first, where that is wanted: code, message and hint.
    pub(super) fn updates(&self, files: &[String], update: &ComposeUpdate) -> Vec<(&'static str, String, String)> {
        let Some(application) = self.application(files) else { return Vec::new() };
        let mut found = Vec::new();
        let stale = stale_upstreams(&application, SETTLE);
        for service in application.services.values() {
            let written = service.deploy.as_ref().and_then(|deploy| deploy.update_config.as_ref());
            let order = update.order.as_deref().or(written.map(|config| config.order.as_str()));
            if order != Some("start-first") {
                continue;
            }
            let obstacles: Vec<String> = service.obstacles(&update.shared).into_iter().map(Obstacle::shown).collect();
            if !obstacles.is_empty() {
                let message = format!("`{}` cannot be replaced start-first: {}", service.name, obstacles.join("; "));
                let hint =
                    "it is replaced stop-first, after a canary: nobody answers meanwhile, and the plan says how long";
                found.push(("not-start-first", message, hint.to_owned()));
                continue;
            }
            let behind = stale.iter().filter(|stale| stale.upstream == service.name);
            for stale in behind.filter(|stale| !update.reloaded.contains(&stale.proxy)) {
                found.push(("stale-upstream", stale.shown(), StaleUpstream::REMEDY.to_owned()));
            }
        }
        found
    }

    fn load(&self, files: &[String]) -> Option<Vec<String>> {
        let application = self.application(files)?;
        Some(application.services.keys().chain(application.disabled.keys()).cloned().collect())
    }

    fn application(&self, files: &[String]) -> Option<Application> {
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
        load(&request).ok()
    }
}
