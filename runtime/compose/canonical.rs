//! Short syntaxes written out long, before the next file is merged onto them.

use super::merge::into_mapping;
use super::mounts;
use super::node::{Content, Entry, Map, Mark, Node, Path};
use super::ports;
use super::problem::{Problem, Problems};

/// Expands every short syntax below a node.
pub fn expand(node: &mut Node, path: &Path, problems: &Problems) {
    let is = |patterns: &[&str]| patterns.iter().any(|pattern| path.matches(pattern));
    if is(&["services.*.ports"]) {
        return expand_ports(node, path, problems);
    }
    if is(&["services.*.volumes.*"]) {
        return expand_volume(node, path, problems);
    }
    if is(&["services.*.depends_on"]) {
        return expand_dependencies(node);
    }
    if is(&["services.*.env_file"]) {
        return expand_env_files(node);
    }
    if is(&["services.*.networks", "services.*.models"]) {
        return replace(node, |node| into_mapping(node, false));
    }
    if is(&["services.*.devices.*"]) {
        return expand_device(node, path, problems);
    }
    if is(&["services.*.secrets.*", "services.*.configs.*", "services.*.build.secrets.*"]) {
        return expand_text(node, "source");
    }
    if is(&["services.*.build"]) {
        expand_text(node, "context");
    } else if is(&["services.*.extends"]) {
        return expand_text(node, "service");
    } else if is(&["services.*.label_file", "services.*.dns", "services.*.dns_search"]) {
        return into_list(node);
    } else if is(&["services.*.build.additional_contexts"]) {
        return replace(node, from_pairs);
    } else if is(&["services.*.gpus"]) && node.as_text() == Some("all") {
        return replace(node, |node| {
            let all = Node::map([("count", Content::Text("all".to_owned()))], &node.mark);
            Node::new(Content::List(vec![all]), &node.mark)
        });
    } else if is(&["networks.*", "volumes.*", "secrets.*", "configs.*"]) {
        return expand_external(node, path, problems);
    }
    match &mut node.content {
        Content::Map(map) => {
            map.0.iter_mut().for_each(|entry| expand(&mut entry.value, &path.key(&entry.key), problems));
        }
        Content::List(items) => {
            items.iter_mut().enumerate().for_each(|(index, item)| expand(item, &path.index(index), problems));
        }
        _ => {}
    }
}

fn replace(node: &mut Node, with: impl FnOnce(Node) -> Node) {
    let mark = node.mark.clone();
    let old = std::mem::replace(node, Node::new(Content::Null, &mark));
    *node = with(old);
}

fn expand_text(node: &mut Node, key: &str) {
    if let Content::Text(text) = &node.content {
        *node = Node::map([(key, Content::Text(text.clone()))], &node.mark);
    }
}

/// `[a=b]` as `{a: b}`, so that each value can be treated as what it is.
fn from_pairs(node: Node) -> Node {
    let Content::List(items) = node.content else { return node };
    let mut map = Map::default();
    for item in &items {
        // What is no pair is left for the reader to report.
        let Some((key, value)) = item.as_text().and_then(|text| text.split_once('=')) else {
            return Node::new(Content::List(items), &node.mark);
        };
        map.set(key, Node::text(value, &item.mark));
    }
    Node::new(Content::Map(map), &node.mark)
}

fn into_list(node: &mut Node) {
    if matches!(node.content, Content::Text(_)) {
        replace(node, |node| {
            let mark = node.mark.clone();
            Node::new(Content::List(vec![node]), &mark)
        });
    }
}

fn expand_ports(node: &mut Node, path: &Path, problems: &Problems) {
    let Some(items) = node.as_list_mut() else { return };
    let mut long = Vec::with_capacity(items.len());
    for (index, item) in std::mem::take(items).into_iter().enumerate() {
        let text = match &item.content {
            Content::Text(text) => text.clone(),
            Content::Int(number) => number.to_string(),
            _ => {
                long.push(item);
                continue;
            }
        };
        match ports::parse(&text) {
            Ok(specs) => long.extend(specs.into_iter().map(|spec| port(spec, &item.mark))),
            Err(message) => {
                problems.error(
                    Problem::at(&item.mark, &path.index(index), message)
                        .hint("write a port as \"8080:80\" or \"127.0.0.1:8080:80\""),
                );
                long.push(Node::new(Content::Invalid, &item.mark));
            }
        }
    }
    *items = long;
}

fn port(spec: ports::Spec, mark: &Mark) -> Node {
    let mut fields = vec![("mode", "ingress".to_owned())];
    fields.extend((!spec.host_ip.is_empty()).then_some(("host_ip", spec.host_ip)));
    fields.extend((!spec.published.is_empty()).then_some(("published", spec.published)));
    fields.push(("protocol", spec.protocol));
    let texts = fields.into_iter().map(|(key, text)| (key, Content::Text(text)));
    Node::map(texts.chain([("target", Content::Int(spec.target.into()))]), mark)
}

fn expand_volume(node: &mut Node, path: &Path, problems: &Problems) {
    let Some(text) = node.as_text() else { return };
    let spec = match mounts::parse(text) {
        Ok(spec) => spec,
        Err(message) => {
            problems.error(
                Problem::at(&node.mark, path, message).hint("write a volume as `name:/path` or `./folder:/path:ro`"),
            );
            node.content = Content::Invalid;
            return;
        }
    };
    for option in &spec.unknown {
        problems.warn(Problem::at(&node.mark, path, format!("the option `{option}` has no meaning and is ignored")));
    }
    *node = mount(spec, &node.mark);
}

fn mount(spec: mounts::Spec, mark: &Mark) -> Node {
    let text = |text: &str| Content::Text(text.to_owned());
    let mut map = Map::default();
    map.set("type", Node::new(text(if spec.is_bind { "bind" } else { "volume" }), mark));
    for (key, value) in [("source", spec.source), ("target", spec.target)] {
        if !value.is_empty() {
            map.set(key, Node::text(value, mark));
        }
    }
    if spec.read_only {
        map.set("read_only", Node::new(Content::Bool(true), mark));
    }
    let mut bind = vec![("create_host_path", Content::Bool(true))];
    bind.extend((!spec.selinux.is_empty()).then_some(("selinux", Content::Text(spec.selinux))));
    bind.extend((!spec.propagation.is_empty()).then_some(("propagation", Content::Text(spec.propagation))));
    if spec.is_bind || bind.len() > 1 {
        map.set("bind", Node::map(bind, mark));
    }
    if !spec.is_bind || spec.no_copy {
        let copy = spec.no_copy.then_some(("nocopy", Content::Bool(true)));
        map.set("volume", Node::map(copy, mark));
    }
    Node::new(Content::Map(map), mark)
}

fn expand_dependencies(node: &mut Node) {
    replace(node, |node| into_mapping(node, true));
    let Some(map) = node.as_map_mut() else { return };
    for entry in &mut map.0 {
        let mark = entry.value.mark.clone();
        if let Some(dependency) = entry.value.as_map_mut()
            && dependency.get("required").is_none()
        {
            dependency.set("required", Node::new(Content::Bool(true), &mark));
        }
    }
}

fn expand_env_files(node: &mut Node) {
    into_list(node);
    let Some(items) = node.as_list_mut() else { return };
    for item in items {
        expand_text(item, "path");
    }
}

fn expand_device(node: &mut Node, path: &Path, problems: &Problems) {
    let Some(text) = node.as_text() else { return };
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, target] => (*source, *target, "rwm"),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            problems.error(Problem::at(&node.mark, path, format!("`{text}` has too many colons")));
            node.content = Content::Invalid;
            return;
        }
    };
    let fields = [("source", source), ("target", target), ("permissions", permissions)];
    *node = Node::map(fields.map(|(key, text)| (key, Content::Text(text.to_owned()))), &node.mark);
}

/// `external: {name: x}` is the old spelling of `external: true` with `name: x`.
fn expand_external(node: &mut Node, path: &Path, problems: &Problems) {
    let Some(map) = node.as_map_mut() else { return };
    let Some(Entry { value, .. }) = map.0.iter_mut().find(|entry| entry.key == "external") else { return };
    if value.as_map().is_none() {
        return;
    }
    let mark = value.mark.clone();
    let old = std::mem::replace(value, Node::new(Content::Bool(true), &mark));
    let Some(name) = old.get("name").cloned() else { return };
    match map.get("name") {
        Some(other) if *other != name => problems.error(Problem::at(
            &name.mark,
            &path.key("external").key("name"),
            "is not the same as `name`: write `name` and `external: true`",
        )),
        _ => map.set("name", name),
    }
}
