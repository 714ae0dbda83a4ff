//! Variables of the project (`.env`), and environment files of services.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use super::application::Application;
use super::load::{Loader, absolute};
use super::node::{Content, Node, Path};
use super::problem::{Problem, Problems};
use super::{LoadRequest, consistency, dotenv};

/// The variables of the project: those asked for, over those of the environment file; and that file, when one was read.
pub(super) fn project(
    request: &LoadRequest,
    directory: &FilePath,
    problems: &Problems,
) -> (BTreeMap<String, String>, Option<PathBuf>) {
    let path = match &request.env_file {
        Some(path) => absolute(path, directory),
        None => directory.join(".env"),
    };
    let mut variables = BTreeMap::new();
    if request.env_file.is_none() && !path.is_file() {
        variables.extend(request.environment.clone());
        return (variables, None);
    }
    let shown = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
    let outside = |name: &str| request.environment.get(name).cloned();
    match read(&path, &shown, dotenv::parse_with, &outside) {
        Ok(found) => variables.extend(found.into_iter().map(|found| (found.name, found.value))),
        Err(problem) => problems.error(problem),
    }
    variables.extend(request.environment.clone());
    (variables, Some(path))
}

/// Puts the environment files of each service below its `environment`.
pub(super) fn fold_files(
    application: &mut Application,
    whole: &Node,
    variables: &BTreeMap<String, String>,
    problems: &Problems,
    loader: &Loader,
) {
    for (name, service) in &mut application.services {
        let own = service.environment.clone();
        let mut given = None;
        let mut folded: BTreeMap<String, String> =
            own.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        for (index, file) in service.env_files.iter().enumerate() {
            let path = FilePath::new(&file.path);
            if !file.required && !path.exists() {
                continue;
            }
            let outside = |name: &str| {
                variables.get(name).or_else(|| own.get(name)?.as_ref()).or_else(|| folded.get(name)).cloned()
            };
            if path.is_file() {
                loader.read.borrow_mut().insert(path.to_path_buf());
            }
            let parse = if file.raw { dotenv::parse_raw } else { dotenv::parse_with };
            match read(path, &loader.shown(path), parse, &outside) {
                Ok(found) => folded.extend(found.into_iter().map(|found| {
                    if loader.watch.is_some_and(|watch| watch.is(&found.name)) {
                        given = Some((format!("{}:{}", loader.shown(path), found.line), Some(found.value.clone())));
                    }
                    (found.name, found.value)
                })),
                Err(problem) => {
                    let keys = Path::of(&["services", name, "env_file"]);
                    let hint = "make the file, or write `required: false`";
                    problems.error(named_at(whole, problem, &keys, index, hint));
                }
            }
        }
        service.environment = folded.into_iter().map(|(key, value)| (key, Some(value))).collect();
        if let Some(watch) = loader.watch {
            if let Some((variable, value)) = own.iter().find(|(variable, _)| watch.is(variable)) {
                given = Some((written_at(whole, name, variable), value.clone()));
            }
            if let Some((place, value)) = given {
                watch.given(name, place, value);
            }
        }
        service.environment.extend(own);
    }
}

/// The line of a compose file that gives a service a variable.
fn written_at(whole: &Node, service: &str, variable: &str) -> String {
    let environment = Path::of(&["services", service, "environment"]);
    let node = ["services", service, "environment"].iter().try_fold(whole, |node, key| node.get(key));
    let item = match node.map(|node| &node.content) {
        Some(Content::List(items)) => items.iter().position(|item| {
            item.as_text().is_some_and(|text| text.split_once('=').map_or(text, |(name, _)| name) == variable)
        }),
        _ => None,
    };
    let mark = match item {
        Some(_) => consistency::place(whole, &environment, item),
        None => consistency::place(whole, &environment.key(variable), None),
    };
    format!("{}:{}:{}", mark.file, mark.line, mark.column)
}

/// Puts the label files of each service below its `labels`.
pub(super) fn fold_labels(application: &mut Application, whole: &Node, problems: &Problems, loader: &Loader) {
    for (name, service) in &mut application.services {
        let mut folded: BTreeMap<String, String> = BTreeMap::new();
        for (index, file) in service.label_files.iter().enumerate() {
            let path = FilePath::new(file);
            match read(path, &loader.shown(path), dotenv::parse_with, &|name| folded.get(name).cloned()) {
                Ok(found) => {
                    loader.read.borrow_mut().insert(path.to_path_buf());
                    folded.extend(found.into_iter().map(|found| (found.name, found.value)));
                }
                Err(problem) => {
                    let keys = Path::of(&["services", name, "label_file"]);
                    problems.error(named_at(whole, problem, &keys, index, "make the file, or remove its name here"));
                }
            }
        }
        folded.append(&mut service.labels);
        service.labels = folded;
    }
}

/// A file that cannot be read at all is a problem of the line that names it.
fn named_at(whole: &Node, problem: Problem, keys: &Path, index: usize, hint: &str) -> Problem {
    if problem.line > 0 {
        return problem;
    }
    let mark = consistency::place(whole, keys, Some(index));
    Problem::at(&mark, &keys.index(index), format!("`{}` {}", problem.file, problem.message)).hint(hint)
}

/// A dialect of environment files.
type Parse = fn(&str, &str, &dyn Fn(&str) -> Option<String>) -> Result<Vec<dotenv::Assignment>, Problem>;

fn read(
    path: &FilePath,
    shown: &str,
    parse: Parse,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<dotenv::Assignment>, Problem> {
    let bytes = std::fs::read(path).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            std::io::ErrorKind::IsADirectory => "is a folder".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Problem::new(shown, 0, 0, reason)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(shown, 0, 0, "is not UTF-8 text"))?;
    parse(&text, shown, outside)
}
