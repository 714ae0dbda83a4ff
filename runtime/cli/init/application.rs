//! What a compose file tells about the application: its services, where it answers, and what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use crate::compose::{self, Application, LoadRequest, Service};
use crate::failure::Failure;

/// What the files that are written need to know.
pub(super) struct Facts {
    /// The project's name.
    pub(super) name: String,
    /// The compose file, relative to the folder.
    pub(super) compose_file: String,
    /// The services: name and image, or that it is built here.
    pub(super) services: Vec<(String, String)>,
    /// The service that answers over HTTP, and its URL on this machine.
    pub(super) url: Option<(String, String)>,
    /// The file of variables: `.env`.
    pub(super) env_file: Option<String>,
    /// The variable of the compose file that chooses the images' tag.
    pub(super) tag: Option<String>,
    /// Registries that images come from, other than the public default.
    pub(super) registries: BTreeSet<String>,
    /// Is any image built from this folder?
    pub(super) builds: bool,
    /// Is any image not built from it?
    pub(super) pulls: bool,
}

impl Facts {
    /// Reads the compose file as a deploy would, and says everything that is wrong with it.
    pub(super) fn read(folder: &Path, compose_file: &str) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(folder.join(compose_file))
            .map_err(|error| Failure::system(format!("read `{compose_file}`"), &error))?;
        let application = load(folder, compose_file, &text)?;
        let services: Vec<(String, String)> = application.services.iter().map(described).collect();
        let images = application.services.values().map(|service| service.image.as_str());
        Ok(Self {
            name: application.name.clone(),
            compose_file: compose_file.to_owned(),
            url: url(&application),
            env_file: [".env", ".env.example"]
                .iter()
                .any(|name| folder.join(name).is_file())
                .then(|| ".env".to_owned()),
            tag: tag(&text),
            registries: images.filter_map(registry).collect(),
            pulls: application.services.values().any(|service| service.build.is_none()),
            builds: application.services.values().any(|service| service.build.is_some()),
            services,
        })
    }
}

/// Loads it with a stand-in for every variable that is not set: what is missing from `.env` is for a deploy to say.
fn load(folder: &Path, compose_file: &str, text: &str) -> Result<Application, Failure> {
    let request = |environment| LoadRequest {
        files: vec![compose_file.into()],
        project_directory: folder.to_path_buf(),
        environment,
        ..LoadRequest::default()
    };
    let first = compose::load(&request(BTreeMap::new()));
    first.or_else(|_| {
        let environment = required(text).map(|name| (name, "1".to_owned())).collect();
        compose::load(&request(environment)).map_err(|problems| compose::failure(&problems))
    })
}

/// The variables that the text asks for with `${NAME:?…}` or `${NAME?…}`.
fn required(text: &str) -> impl Iterator<Item = String> {
    let names = Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_]*):?\?").ok();
    let found = names.map(|names| names.captures_iter(text).map(|found| found[1].to_owned()).collect::<Vec<_>>());
    found.unwrap_or_default().into_iter()
}

fn described((name, service): (&String, &Service)) -> (String, String) {
    let source = match (&service.build, service.image.as_str()) {
        (Some(_), _) => "built here".to_owned(),
        (None, image) => image.to_owned(),
    };
    (name.clone(), source)
}

/// Where the application answers: at the URL its own health check asks, by the port that is published for it.
fn url(application: &Application) -> Option<(String, String)> {
    let asked = Regex::new(r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d+))?(/[^\s'\x22|;]*)?").ok()?;
    let mut guesses = Vec::new();
    for (name, service) in &application.services {
        for port in service.ports.iter().filter(|port| port.protocol == "tcp" && !port.published.is_empty()) {
            let test = service.healthcheck.as_ref().map(|check| check.test.join(" ")).unwrap_or_default();
            let asks = asked.captures(&test).filter(|found| {
                let inside = found.get(1).map_or(80, |number| number.as_str().parse().unwrap_or(0));
                inside == port.target
            });
            let path = asks.as_ref().map_or("/", |found| found.get(2).map_or("/", |path| path.as_str()));
            let published = port.published.split('-').next().unwrap_or_default();
            let url = format!("http://127.0.0.1:{published}{path}");
            let rank = match (asks.is_some(), port.target) {
                (true, _) => 0,
                (false, 80 | 3000 | 5000 | 8000 | 8080) => 1,
                _ => continue,
            };
            guesses.push((rank, name.clone(), url));
        }
    }
    guesses.sort();
    guesses.into_iter().next().map(|(_, name, url)| (name, url))
}

/// The variable in the tag of an image, as in `image: ghcr.io/a/b:${TAG:-latest}`.
fn tag(text: &str) -> Option<String> {
    let pattern = Regex::new(r"(?m)^\s*image:.*:\$\{?([A-Za-z_][A-Za-z0-9_]*)").ok()?;
    pattern.captures(text).map(|found| found[1].to_owned())
}

/// `ghcr.io` of `ghcr.io/owner/name:tag`.
fn registry(image: &str) -> Option<String> {
    let (host, _) = image.split_once('/')?;
    (host.contains('.') || host.contains(':')).then(|| host.to_owned()).filter(|host| host != "docker.io")
}
