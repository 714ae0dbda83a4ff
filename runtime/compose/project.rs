//! The top level of the merged files: the project's name, and each section read into its types.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use super::application::Application;
use super::cursor::Cursor;
use super::interpolate::substitute;
use super::node::{Node, Path};
use super::problem::{Problem, Problems};
use super::service;
use super::{LoadRequest, resource, yaml};

/// The project's name: asked for, else `COMPOSE_PROJECT_NAME`, else `name` of the last file that has one, else the folder's.
pub(super) fn name(
    request: &LoadRequest,
    files: &[PathBuf],
    directory: &FilePath,
    variables: &BTreeMap<String, String>,
    problems: &Problems,
) -> String {
    let asked = [Some(&request.project), variables.get("COMPOSE_PROJECT_NAME")];
    if let Some(asked) = asked.into_iter().flatten().find(|name| !name.is_empty()) {
        let normal = normalized(asked);
        if normal != *asked {
            problems.error(
                Problem::new("project", 0, 0, format!("`{asked}` is not a project name"))
                    .hint(format!("use lower-case letters, digits, `-` and `_`, as in `{normal}`")),
            );
        }
        return normal;
    }
    let lookup = |name: &str| variables.get(name).cloned();
    let written = files.iter().rev().find_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        let documents = yaml::parse(&text, &Arc::from("")).ok()?;
        let name = documents.iter().rev().find_map(|document| document.get("name")?.as_text().map(str::to_owned))?;
        substitute(&name, &lookup, &mut |_| {}).ok()
    });
    let folder = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let found = [written.unwrap_or_default(), folder].iter().map(|name| normalized(name)).find(|name| !name.is_empty());
    found.unwrap_or_else(|| {
        problems
            .error(Problem::new("project", 0, 0, "has no name").hint("write `name: …` at the top of the compose file"));
        String::new()
    })
}

/// Reads the sections. What is wrong becomes a problem and is left out.
pub(super) fn read(whole: &Node, name: &str, variables: &BTreeMap<String, String>, problems: &Problems) -> Application {
    let mut application = Application { name: name.to_owned(), ..Application::default() };
    let top = Cursor::new(whole, Path::default(), problems);
    let Some(fields) = top.fields() else { return application };
    let section = |key| fields.get(key).map(|cursor| cursor.map()).unwrap_or_default();
    // Obsolete, without effect in any Compose of today, and too common to speak of.
    fields.nullable("version");
    fields.string("name");
    for (key, cursor) in section("services") {
        check_key(key, &cursor, "service");
        if let Some(service) = service::read(key, &cursor, variables) {
            application.services.insert(key.to_owned(), service);
        }
    }
    for (key, cursor) in section("networks") {
        check_key(key, &cursor, "network");
        application.networks.extend(resource::network(key, &cursor, name).map(|network| (key.to_owned(), network)));
    }
    for (key, cursor) in section("volumes") {
        check_key(key, &cursor, "volume");
        application.volumes.extend(resource::volume(key, &cursor, name).map(|volume| (key.to_owned(), volume)));
    }
    for (key, cursor) in section("configs") {
        let object = resource::file_object(key, &cursor, name, variables, false);
        application.configs.extend(object.map(|object| (key.to_owned(), object)));
    }
    for (key, cursor) in section("secrets") {
        let object = resource::file_object(key, &cursor, name, variables, true);
        application.secrets.extend(object.map(|object| (key.to_owned(), object)));
    }
    if !fields.has("services") && problems.is_empty() {
        top.error("has no services");
    }
    for (key, cursor) in section("models") {
        application.models.extend(resource::model(&cursor).map(|model| (key.to_owned(), model)));
    }
    fields.close();
    if let Some(map) = whole.as_map() {
        let extensions = map.0.iter().filter(|entry| entry.key.starts_with("x-"));
        application.extensions = extensions.map(|entry| (entry.key.clone(), entry.value.to_value())).collect();
    }
    application
}

/// Lower case, only letters, digits, `-` and `_`, and not one of these in front.
fn normalized(name: &str) -> String {
    let kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

fn check_key(key: &str, cursor: &Cursor, what: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key.is_empty() || !key.chars().all(allowed) {
        cursor.error_with_hint(format!("`{key}` is not a {what} name"), "use letters, digits, `.`, `_` and `-`");
    }
}
