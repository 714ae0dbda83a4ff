//! Tests of `runtime/compose`.

mod corpus;
mod difference;
mod dotenv;
mod explain;
mod identity;
mod interpolation;
mod merge;
mod normalization;
mod order;
mod parts;
mod problems;
mod systems;
mod unmet;
mod upstreams;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook::compose::{Application, LoadRequest, Problem, load};
use serde_json::Value;

/// A project folder of its own.
struct Project {
    folder: tempfile::TempDir,
    request: LoadRequest,
}

impl Project {
    /// A project `shop` with this `compose.yaml`.
    fn new(compose: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let request = LoadRequest {
            project: "shop".into(),
            files: vec![PathBuf::from("compose.yaml")],
            project_directory: folder.path().to_owned(),
            ..LoadRequest::default()
        };
        Self { folder, request }.file("compose.yaml", compose)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// One more compose file over the others.
    fn over(mut self, name: &str, text: &str) -> Self {
        self.request.files.push(PathBuf::from(name));
        self.file(name, text)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.request.environment.insert(name.into(), value.into());
        self
    }

    fn profile(mut self, name: &str) -> Self {
        self.request.profiles.push(name.into());
        self
    }

    fn load(&self) -> Result<Application, Vec<Problem>> {
        load(&self.request)
    }

    /// The application of files that are right.
    fn app(&self) -> Application {
        self.load().unwrap_or_else(|problems| panic!("{}", shown(&problems).join("\n")))
    }

    /// What is wrong with files that are not.
    fn problems(&self) -> Vec<String> {
        shown(&self.load().unwrap_err())
    }

    /// A value of the configuration, by a path such as `/services/api/ports`; paths of the project folder begin with `@`.
    fn config(&self, pointer: &str) -> Value {
        let config = self.app().to_json();
        let value = config.pointer(pointer).cloned().unwrap_or_default();
        let text = value.to_string().replace(&self.folder.path().display().to_string(), "@");
        serde_json::from_str(&text).unwrap()
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

/// The environment of service `a` of a file that has nothing else.
fn environment(project: &Project) -> BTreeMap<String, Option<String>> {
    project.app().services["a"].environment.clone()
}
