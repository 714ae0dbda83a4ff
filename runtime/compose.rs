//! The compose model: what compose files say, as Docker Compose v2 reads them, without an engine.
//!
//! [`load`] reads files and environment and returns an [`Application`], normalized: short syntaxes written out, paths absolute, defaults set,
//! environment files folded in. It reports everything that is wrong at once, each with its place. Nothing is silently ignored: a key that has no
//! effect here is a warning, and one without which a service would not be what it promises is noted as [`Service::unmet`], so that its containers are
//! not made.
//!
//! The way of a file: `yaml` (with the scalar rules of go-yaml) → `interpolate` → `extends` → `merge` and `unique` → `canonical` → `paths` → `service`,
//! `resource` (typed) → `normalize` → `environment` → `consistency`. The reference is compose-go, which Compose is built on.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

mod application;
mod beside;
mod canonical;
mod consistency;
mod cursor;
mod difference;
mod discover;
pub mod dotenv;
mod environment;
mod explain;
mod extends;
mod fields;
mod hash;
mod include;
mod interpolate;
pub mod labels;
mod load;
mod merge;
mod mounts;
mod newer;
mod node;
mod normalize;
mod order;
mod paths;
mod ports;
mod problem;
mod project;
mod quantity;
mod render;
mod resource;
mod scalar;
mod service;
mod unique;
mod upstreams;
mod yaml;

pub use application::Application;
pub use beside::{Obstacle, is_configuration, is_shared, is_socket};
pub use difference::{FieldDifference, Running, difference};
pub use discover::{USUAL_FILES, usual_files};
pub use explain::{Explanation, Given, Origin, Use, explain};
pub use newer::Newer;
pub use order::Start;
pub use problem::{Problem, failure};
pub use quantity::Duration;
pub use resource::{FileObject, Ipam, Model, Network, Pool, Volume};
pub use service::{
    Attachment, BindOptions, BlockIo, Build, Condition, CredentialSpec, Dependency, Deploy, Develop, Device,
    DeviceRate, DeviceRequest, DeviceWeight, EnvFile, Exec, FileMount, GenericResource, Healthcheck, Hook,
    ImageOptions, Logging, Mount, Placement, Port, Provider, Resource, Resources, RestartPolicy, Service, ServiceModel,
    TmpfsOptions, Trigger, Ulimit, UpdateConfig, VolumeOptions,
};
pub use upstreams::{StaleUpstream, stale_upstreams};

use problem::Problems;

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The project's name; empty means the `name` in the files, else the name of the folder.
    pub project: String,
    /// The compose files, later ones over earlier ones; relative ones are in the project's folder.
    pub files: Vec<PathBuf>,
    /// The folder that relative paths start from.
    pub project_directory: PathBuf,
    /// The file of variables; `None` means `.env` in the project's folder, if there is one.
    pub env_file: Option<PathBuf>,
    /// Variables that win over the file's.
    pub environment: BTreeMap<String, String>,
    /// The profiles that are active; `*` means all.
    pub profiles: Vec<String>,
}

/// Loads an application, or says everything that is wrong, in the order of the files.
pub fn load(request: &LoadRequest) -> Result<Application, Vec<Problem>> {
    load_watched(request, None)
}

/// The same, where somebody watches what becomes of a variable.
fn load_watched(request: &LoadRequest, watch: Option<&explain::Watch<'_>>) -> Result<Application, Vec<Problem>> {
    let problems = Problems::default();
    let directory = load::absolute(&request.project_directory, &std::env::current_dir().unwrap_or_default());
    let files: Vec<PathBuf> = request.files.iter().map(|file| load::absolute(file, &directory)).collect();
    let (variables, env_file) = environment::project(request, &directory, &problems);
    let name = project::name(request, &files, &directory, &variables, &problems);
    let mut variables = variables;
    variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());

    let read = RefCell::new(env_file.iter().cloned().collect());
    let loader = load::Loader {
        root: &directory,
        directory: &directory,
        environment: &variables,
        watch,
        problems: &problems,
        warned: RefCell::new(BTreeSet::new()),
        read: &read,
        including: RefCell::new(Vec::new()),
    };
    let application = loader.merged(&files).map(|whole| {
        let mut application = project::read(&whole, &name, &variables, &problems);
        normalize::defaults(&mut application, &directory);
        normalize::profiles(&mut application, &request.profiles);
        for (name, unmet) in consistency::check(&application, &whole, &problems) {
            application.services.entry(name).and_modify(|service| service.unmet.extend(unmet));
        }
        let all: Vec<_> = application.services.values().cloned().collect();
        for service in all {
            let obstacles = beside::obstacles(&application, &service, &whole);
            let newer = newer::of(&service, &whole);
            application
                .services
                .entry(service.name)
                .and_modify(|service| (service.alone, service.newer) = (obstacles, newer));
        }
        environment::fold_files(&mut application, &whole, &variables, &problems, &loader);
        environment::fold_labels(&mut application, &whole, &problems, &loader);
        application
    });
    if files.is_empty() {
        problems.error(Problem::new("compose file", 0, 0, "none is given"));
    }

    let shown: Vec<String> = files.iter().map(|file| loader.shown(file)).collect();
    drop(loader);
    let (errors, warnings) = problems.finish(&shown);
    match application {
        Some(application) if errors.is_empty() => {
            let read = read.into_inner();
            Ok(Application { directory, files, env_file, read, variables, warnings, ..application })
        }
        _ => Err(errors),
    }
}
