//! Variables of the project (`.env`), and environment files of services.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use super::application::Application;
use super::load::{Loader, absolute};
use super::node::{Node, Path};
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
    match read(&path, &shown, &outside) {
        Ok(assignments) => variables.extend(assignments),
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
            match read(path, &loader.shown(path), &outside) {
                Ok(found) => folded.extend(found),
                Err(problem) if problem.line == 0 => {
                    let keys = Path::of(&["services", name, "env_file"]);
                    let mark = consistency::place(whole, &keys, Some(index));
                    let hint = "make the file, or write `required: false`";
                    let message = format!("`{}` {}", problem.file, problem.message);
                    problems.error(Problem::at(&mark, &keys.index(index), message).hint(hint));
                }
                Err(problem) => problems.error(problem),
            }
        }
        service.environment = folded.into_iter().map(|(key, value)| (key, Some(value))).collect();
        service.environment.extend(own);
    }
}

fn read(
    path: &FilePath,
    shown: &str,
    outside: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<(String, String)>, Problem> {
    let bytes = std::fs::read(path).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "does not exist".to_owned(),
            std::io::ErrorKind::IsADirectory => "is a folder".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        Problem::new(shown, 0, 0, reason)
    })?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(shown, 0, 0, "is not UTF-8 text"))?;
    let assignments = dotenv::parse_with(&text, shown, outside)?;
    Ok(assignments.into_iter().map(|assignment| (assignment.name, assignment.value)).collect())
}
