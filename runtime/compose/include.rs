//! `include`: other compose files as parts of this one, each with its own folder and variables.

use std::cell::RefCell;
use std::path::{Path as FilePath, PathBuf};

use super::dotenv;
use super::load::Loader;
use super::merge::{merge, reset};
use super::node::{Content, Map, Node, Path};
use super::problem::Problem;

/// The sections that an included file may add to.
const SECTIONS: &[&str] = &["services", "networks", "volumes", "configs", "secrets", "models"];

/// Puts what the document includes below it, and removes the key.
pub(super) fn apply(document: &mut Node, loader: &Loader) {
    let Some(include) = document.as_map_mut().and_then(|map| map.remove("include")) else { return };
    let path = Path::of(&["include"]);
    let items = match include.content {
        Content::List(items) => items,
        Content::Null | Content::Invalid => return,
        _ => {
            let message = format!("must be a list, got {}", include.describe());
            return loader.problems.error(Problem::at(&include.mark, &path, message));
        }
    };
    for (index, item) in items.iter().enumerate() {
        if let Some(mut part) = included(item, &path.index(index), loader) {
            reset(&mut part, document);
            let mark = document.mark.clone();
            let whole = std::mem::replace(document, Node::new(Content::Null, &mark));
            *document = merge(part, whole, &Path::default(), loader.problems);
        }
    }
}

/// One included part, with absolute paths and only the sections that may be included.
fn included(item: &Node, path: &Path, loader: &Loader) -> Option<Node> {
    let error = |message: String| loader.problems.error(Problem::at(&item.mark, path, message));
    let wanted = match &item.content {
        Content::Text(text) => Wanted { files: vec![text.clone()], ..Wanted::default() },
        Content::Map(map) => match wanted(map) {
            Ok(wanted) => wanted,
            Err(message) => {
                error(message);
                return None;
            }
        },
        Content::Invalid => return None,
        _ => {
            error("must be a file, or a mapping with `path`".to_owned());
            return None;
        }
    };
    let files: Vec<PathBuf> = wanted.files.iter().map(|file| loader.inside(file)).collect();
    let first = files.first()?;
    if let Some(circle) = files.iter().find(|file| loader.including.borrow().contains(file)) {
        error(format!("`{}` includes itself", loader.shown(circle)));
        return None;
    }
    let directory = match &wanted.directory {
        Some(directory) => loader.inside(directory),
        None => first.parent().unwrap_or(FilePath::new("/")).to_path_buf(),
    };
    let mut environment = loader.environment.clone();
    for file in environment_files(&wanted, &directory, loader) {
        match read(&file, loader) {
            Ok(found) => {
                loader.read.borrow_mut().insert(file);
                for (name, value) in found {
                    environment.entry(name).or_insert(value);
                }
            }
            Err(message) => error(message),
        }
    }
    let inner = Loader {
        root: loader.root,
        directory: &directory,
        environment: &environment,
        watch: loader.watch,
        problems: loader.problems,
        warned: RefCell::new(loader.warned.borrow().clone()),
        read: loader.read,
        including: RefCell::new(loader.including.borrow().clone()),
    };
    let mut whole = inner.merged(&files)?;
    let map = whole.as_map_mut()?;
    map.0.retain(|entry| SECTIONS.contains(&entry.key.as_str()));
    Some(whole)
}

#[derive(Default)]
struct Wanted {
    files: Vec<String>,
    directory: Option<String>,
    env_files: Option<Vec<String>>,
}

fn wanted(map: &Map) -> Result<Wanted, String> {
    let texts = |node: &Node| match &node.content {
        Content::Text(text) => Some(vec![text.clone()]),
        Content::List(items) => items.iter().map(|item| item.as_text().map(str::to_owned)).collect(),
        _ => None,
    };
    let mut wanted = Wanted::default();
    for entry in &map.0 {
        let wrong = || format!("`{}` must be a string or a list of strings", entry.key);
        match entry.key.as_str() {
            "path" => wanted.files = texts(&entry.value).ok_or_else(wrong)?,
            "env_file" => wanted.env_files = Some(texts(&entry.value).ok_or_else(wrong)?),
            "project_directory" => wanted.directory = Some(entry.value.as_text().ok_or_else(wrong)?.to_owned()),
            other => return Err(format!("there is no key `{other}` here: use path, project_directory and env_file")),
        }
    }
    if wanted.files.is_empty() { Err("`path` is missing".to_owned()) } else { Ok(wanted) }
}

fn environment_files(wanted: &Wanted, directory: &FilePath, loader: &Loader) -> Vec<PathBuf> {
    match &wanted.env_files {
        Some(files) => files.iter().filter(|file| *file != "/dev/null").map(|file| loader.inside(file)).collect(),
        None => Some(directory.join(".env")).into_iter().filter(|file| file.is_file()).collect(),
    }
}

fn read(file: &FilePath, loader: &Loader) -> Result<Vec<(String, String)>, String> {
    let shown = loader.shown(file);
    let text = std::fs::read_to_string(file).map_err(|_| format!("the environment file `{shown}` cannot be read"))?;
    let outside = |name: &str| loader.environment.get(name).cloned();
    let assignments = dotenv::parse_with(&text, &shown, &outside).map_err(|problem| problem.to_string())?;
    Ok(assignments.into_iter().map(|assignment| (assignment.name, assignment.value)).collect())
}
