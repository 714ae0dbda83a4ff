//! Where the value of a variable comes from, and where it goes: followed while the files are read as they always are.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::Serialize;

use super::difference::suggests_secret;
use super::interpolate::substitute;
use super::load::absolute;
use super::node::{Content, Node, Path};
use super::problem::Problem;
use super::{LoadRequest, dotenv, load_watched};

/// Everything there is to say about a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub name: String,
    /// What `${NAME}` stands for in the compose files; `None` when it is not set.
    pub value: Option<String>,
    /// Who sets it for the compose files; the first one counts.
    pub origins: Vec<Origin>,
    /// Where the compose files ask for it.
    pub uses: Vec<Use>,
    /// The services whose containers have it.
    pub containers: Vec<Given>,
    /// What is wrong with the files, if anything: then the containers are not known.
    pub problems: Vec<String>,
}

impl Explanation {
    /// Takes the values away where the variable's name suggests a secret.
    pub fn mask(&mut self) {
        if !suggests_secret(&self.name) {
            return;
        }
        let texts = self.value.iter_mut().chain(self.origins.iter_mut().map(|origin| &mut origin.value));
        let texts = texts.chain(self.uses.iter_mut().filter_map(|used| used.becomes.as_mut()));
        let texts = texts.chain(self.containers.iter_mut().filter_map(|given| given.value.as_mut()));
        for text in texts.filter(|text| !text.is_empty()) {
            MASK.clone_into(text);
        }
    }

    /// Does nobody set it, ask for it or have it?
    pub fn is_unknown(&self) -> bool {
        self.origins.is_empty() && self.uses.is_empty() && self.containers.is_empty()
    }
}

/// In the place of a value that is not shown.
const MASK: &str = "•••";

/// A place that sets a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// `.env:3`; `None` for what was asked for beside all files.
    pub place: Option<String>,
    /// The value it sets.
    pub value: String,
}

/// A value of a compose file that asks for a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Use {
    /// `compose.yaml:7:12`
    pub place: String,
    /// `services.api.image`
    pub key: String,
    /// As it is written.
    pub written: String,
    /// What it becomes; `None` when it cannot be.
    pub becomes: Option<String>,
}

/// The variable in the containers of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The service.
    pub service: String,
    /// The line that gives it: of the compose file or of an `env_file`.
    pub place: String,
    /// Its value; `None` takes a variable of the image away.
    pub value: Option<String>,
}

/// What is noted of a variable while files are read.
pub(super) struct Watch<'a> {
    name: &'a str,
    uses: RefCell<Vec<Use>>,
    containers: RefCell<Vec<Given>>,
}

impl Watch<'_> {
    /// Notes the values of a document, not yet replaced, that ask for the variable.
    pub fn document(&self, node: &Node, path: &Path, variables: &BTreeMap<String, String>) {
        match &node.content {
            Content::Text(text) if text.contains('$') => self.text(text, node, path, variables),
            Content::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| self.document(item, &path.index(index), variables));
            }
            Content::Map(map) => {
                map.0.iter().for_each(|entry| self.document(&entry.value, &path.key(&entry.key), variables));
            }
            _ => {}
        }
    }

    /// Is it this variable that a service is given?
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Notes that a service is given the variable.
    pub fn given(&self, service: &str, place: String, value: Option<String>) {
        self.containers.borrow_mut().push(Given { service: service.to_owned(), place, value });
    }

    fn text(&self, text: &str, node: &Node, path: &Path, variables: &BTreeMap<String, String>) {
        let asked = Cell::new(false);
        let lookup = |name: &str| {
            asked.set(asked.get() || name == self.name);
            variables.get(name).cloned()
        };
        let becomes = substitute(text, &lookup, &mut |_| {}).ok();
        let place = format!("{}:{}:{}", node.mark.file, node.mark.line, node.mark.column);
        let found = Use { place, key: path.to_string(), written: text.to_owned(), becomes };
        // An anchor is one place, however often it is used.
        let mut uses = self.uses.borrow_mut();
        if asked.get() && !uses.iter().any(|other| other.place == found.place) {
            uses.push(found);
        }
    }
}

/// Follows a variable through the files. Files that are wrong are followed as far as they can be read.
pub fn explain(request: &LoadRequest, name: &str) -> Explanation {
    let watch = Watch { name, uses: RefCell::default(), containers: RefCell::default() };
    let problems = match load_watched(request, Some(&watch)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    };
    let origins = origins(request, name);
    Explanation {
        name: name.to_owned(),
        value: origins.first().map(|origin| origin.value.clone()),
        origins,
        uses: watch.uses.into_inner(),
        containers: if problems.is_empty() { watch.containers.into_inner() } else { Vec::new() },
        problems,
    }
}

/// Who sets it: what was asked for, then the environment file, of which the last line counts.
fn origins(request: &LoadRequest, name: &str) -> Vec<Origin> {
    let asked = request.environment.get(name).map(|value| Origin { place: None, value: value.clone() });
    let folder = absolute(&request.project_directory, &std::env::current_dir().unwrap_or_default());
    let file = request.env_file.as_ref().map_or_else(|| folder.join(".env"), |file| absolute(file, &folder));
    let shown = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
    let outside = |name: &str| request.environment.get(name).cloned();
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut lines = dotenv::parse_with(&text, &shown, &outside).unwrap_or_default();
    lines.retain(|line| line.name == name);
    let written = lines.into_iter().rev();
    asked
        .into_iter()
        .chain(written.map(|line| Origin { place: Some(format!("{shown}:{}", line.line)), value: line.value }))
        .collect()
}
