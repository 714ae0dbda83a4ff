//! `extends`: a service on top of another one, of this file or of another.

use std::path::{Path as FilePath, PathBuf};

use super::canonical;
use super::load::Loader;
use super::merge::{merge, reset, strip};
use super::node::{Content, Map, Node, Path};
use super::paths;
use super::problem::Problem;

/// Applies every `extends` of a document, and drops its `!reset`s.
pub(super) fn apply(document: &mut Node, file: &FilePath, loader: &Loader) {
    let Some(services) = document.as_map().and_then(|map| map.get("services")).and_then(Node::as_map).cloned() else {
        return strip(document);
    };
    let names: Vec<&str> = services.0.iter().map(|entry| entry.key.as_str()).collect();
    let merged: Vec<Option<Node>> =
        names.iter().map(|name| extended(name, &services, file, loader, &mut Vec::new())).collect();
    if let Some(target) = document.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut) {
        for (name, node) in names.iter().zip(merged) {
            if let Some(place) = target.get_mut(name) {
                let invalid = Node::new(Content::Invalid, &place.mark);
                *place = node.unwrap_or(invalid);
            }
        }
    }
    strip(document);
}

/// A service with what it extends below it; `None` after a problem.
fn extended(
    name: &str,
    services: &Map,
    file: &FilePath,
    loader: &Loader,
    chain: &mut Vec<(PathBuf, String)>,
) -> Option<Node> {
    let mut service = services.get(name)?.clone();
    let path = Path::of(&["services", name, "extends"]);
    let Some(extends) = service.as_map_mut().and_then(|map| map.remove("extends")) else { return Some(service) };
    let step = (file.to_path_buf(), name.to_owned());
    let error = |message: String| {
        loader.problems.error(Problem::at(&extends.mark, &path, message));
        None
    };
    if chain.contains(&step) {
        let names: Vec<&str> = chain.iter().map(|(_, name)| name.as_str()).chain([name]).collect();
        return error(format!("the services extend each other in a circle: {}", names.join(" -> ")));
    }
    chain.push(step);
    let reference = match &extends.content {
        Content::Text(service) => Some((service.clone(), None)),
        Content::Map(map) => {
            let text = |key| map.get(key).and_then(Node::as_text).map(str::to_owned);
            text("service").map(|service| (service, text("file")))
        }
        Content::Invalid => return Some(service),
        _ => None,
    };
    let Some((base_name, base_file)) = reference else {
        return error("must name a service: `extends: {service: base, file: base.yml}`".to_owned());
    };
    let base = match base_file {
        None => match services.get(&base_name) {
            None => return error(format!("there is no service `{base_name}` to extend")),
            Some(_) => extended(&base_name, services, file, loader, chain)?,
        },
        Some(base_file) => {
            let base_path = loader.relative(&base_file, file);
            let others = services_of(&base_path, loader)?;
            if others.get(&base_name).is_none() {
                return error(format!("there is no service `{base_name}` in `{base_file}`"));
            }
            extended(&base_name, &others, &base_path, loader, chain)?
        }
    };
    chain.pop();
    let mut base = base;
    reset(&mut base, &service);
    strip(&mut base);
    let mut over = service;
    strip(&mut over);
    let over_path = Path::of(&["services", name]);
    Some(merge(base, over, &over_path, loader.problems))
}

/// The services of another file, in the long syntax, with paths that hold wherever they are used.
fn services_of(file: &FilePath, loader: &Loader) -> Option<Map> {
    let mut documents = loader.documents(file)?;
    let document = documents.first_mut()?;
    canonical::expand(document, &Path::default(), loader.problems);
    let folder = file.parent().unwrap_or(FilePath::new("/"));
    paths::resolve(document, &Path::default(), folder, loader.home());
    if let Some(services) = document.get("services").and_then(Node::as_map) {
        Some(services.clone())
    } else {
        loader.problems.error(Problem::new(loader.shown(file), 0, 0, "has no services to extend"));
        None
    }
}
