//! One file over another: which values replace, which are joined, and by what key entries of a list are the same.

use super::cursor::plain;
use super::node::{Content, Entry, Map, Node, Path, Tag};
use super::problem::{Problem, Problems};

/// Lists of `KEY=value` that may be written as a mapping: joined, and a later key wins in `unique`.
const SEQUENCES: &[&str] = &[
    "networks.*.labels",
    "volumes.*.labels",
    "services.*.annotations",
    "services.*.build.args",
    "services.*.build.additional_contexts",
    "services.*.build.labels",
    "services.*.deploy.labels",
    "services.*.dns",
    "services.*.dns_opt",
    "services.*.dns_search",
    "services.*.env_file",
    "services.*.label_file",
    "services.*.environment",
    "services.*.labels",
    "services.*.volumes.*.volume.labels",
    "services.*.sysctls",
    "services.*.tmpfs",
];

/// What makes no sense in parts.
const REPLACED: &[&str] =
    &["services.*.command", "services.*.entrypoint", "services.*.healthcheck.test", "services.*.ulimits.*"];

/// Puts `over` onto `base`; neither holds a `!reset` any more.
pub fn merge(base: Node, over: Node, path: &Path, problems: &Problems) -> Node {
    let is = |patterns: &[&str]| patterns.iter().any(|pattern| path.matches(pattern));
    if is(REPLACED) {
        return over;
    }
    if is(SEQUENCES) {
        return join(into_sequence(base), into_sequence(over), false);
    }
    if path.matches("services.*.extra_hosts") || path.matches("services.*.build.extra_hosts") {
        return join(into_sequence(base), into_sequence(over), true);
    }
    if path.matches("services.*.build") {
        return by_key(into_build(base), into_build(over), path, problems);
    }
    if path.matches("services.*.depends_on") {
        return by_key(into_mapping(base, true), into_mapping(over, true), path, problems);
    }
    if path.matches("services.*.networks") || path.matches("services.*.models") {
        return by_key(into_mapping(base, false), into_mapping(over, false), path, problems);
    }
    if path.matches("services.*.logging") && driver_differs(&base, &over) {
        return over;
    }
    if path.matches("networks.*.ipam.config") {
        return pools(base, over, path, problems);
    }
    by_key(base, over, path, problems)
}

/// Removes from `base` what `over` resets or overrides, and keeps the tags for whoever merges next.
pub fn reset(base: &mut Node, over: &Node) {
    let (Some(base), Some(over)) = (base.as_map_mut(), over.as_map()) else { return };
    for entry in &over.0 {
        match entry.value.tag {
            Tag::None => {
                if let Some(old) = base.get_mut(&entry.key) {
                    reset(old, &entry.value);
                }
            }
            Tag::Reset | Tag::Override => {
                base.remove(&entry.key);
            }
        }
    }
}

/// Drops what is tagged `!reset`, which says only what is not there.
pub fn strip(node: &mut Node) {
    match &mut node.content {
        Content::Map(map) => {
            map.0.retain(|entry| entry.value.tag != Tag::Reset);
            map.0.iter_mut().for_each(|entry| strip(&mut entry.value));
        }
        Content::List(items) => {
            items.retain(|item| item.tag != Tag::Reset);
            items.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

/// The default rule: mappings key by key, lists one after the other, anything else replaced.
fn by_key(base: Node, over: Node, path: &Path, problems: &Problems) -> Node {
    let (mark, tag) = (over.mark.clone(), over.tag);
    let content = match (base.content, over.content) {
        (content, Content::Null) => return Node { content, mark: base.mark, tag },
        (Content::Map(mut base), Content::Map(over)) => {
            for Entry { key, mark, value } in over.0 {
                match base.0.iter_mut().find(|entry| entry.key == key) {
                    None => base.0.push(Entry { key, mark, value }),
                    Some(entry) => {
                        let old = std::mem::replace(&mut entry.value, Node::new(Content::Null, &mark));
                        entry.value = merge(old, value, &path.key(&key), problems);
                    }
                }
            }
            Content::Map(base)
        }
        (Content::List(mut base), Content::List(over)) => {
            base.extend(over);
            Content::List(base)
        }
        (Content::Map(_) | Content::List(_), Content::Invalid) => Content::Invalid,
        (old @ (Content::Map(_) | Content::List(_)), new) => {
            let (old, new) = (Node::new(old, &base.mark), Node::new(new, &mark));
            problems.error(
                Problem::at(&mark, path, format!("{} cannot override {}", new.describe(), old.describe()))
                    .hint(format!("the other value is in {}, line {}", base.mark.file, base.mark.line)),
            );
            Content::Invalid
        }
        (_, content) => content,
    };
    Node { content, mark, tag }
}

fn join(base: Node, over: Node, distinct: bool) -> Node {
    let mark = over.mark;
    match (base.content, over.content) {
        (Content::List(mut items), Content::List(more)) => {
            for item in more {
                if !distinct || !items.contains(&item) {
                    items.push(item);
                }
            }
            Node::new(Content::List(items), &mark)
        }
        (content @ Content::List(_), Content::Null) => Node::new(content, &base.mark),
        (_, content) => Node::new(content, &mark),
    }
}

/// `{A: 1, B: null}` as `[A=1, B]`, sorted; a text as a list of one.
fn into_sequence(node: Node) -> Node {
    let items = match node.content {
        Content::Map(map) => {
            let mut items: Vec<Node> = map.0.into_iter().flat_map(pair_items).collect();
            items.sort_by(|a, b| a.as_text().cmp(&b.as_text()));
            items
        }
        Content::Text(text) => vec![Node::text(text, &node.mark)],
        _ => return node,
    };
    Node::new(Content::List(items), &node.mark)
}

fn pair_items(entry: Entry) -> Vec<Node> {
    let Entry { key, value, .. } = entry;
    match &value.content {
        Content::Null => vec![Node::text(key, &value.mark)],
        Content::List(items) => items
            .iter()
            .map(|item| Node::text(format!("{key}={}", plain(item).unwrap_or_default()), &item.mark))
            .collect(),
        // A value that cannot be written as text stays wrong, for the reader to report.
        _ => match plain(&value) {
            Some(text) => vec![Node::text(format!("{key}={text}"), &value.mark)],
            None => vec![value],
        },
    }
}

fn into_build(node: Node) -> Node {
    match node.content {
        Content::Text(context) => Node::map([("context", Content::Text(context))], &node.mark),
        _ => node,
    }
}

/// `[a, b]` as `{a: …, b: …}`.
pub fn into_mapping(node: Node, dependencies: bool) -> Node {
    let Content::List(items) = node.content else { return node };
    let mut map = Map::default();
    for item in items {
        let Some(key) = item.as_text() else {
            // Not a name: left as it was, for the reader to report.
            return Node::new(Content::List(vec![item]), &node.mark);
        };
        let value = if dependencies {
            let started = Content::Text("service_started".into());
            Node::map([("condition", started), ("required", Content::Bool(true))], &item.mark)
        } else {
            Node::new(Content::Null, &item.mark)
        };
        map.set(key, value);
    }
    Node::new(Content::Map(map), &node.mark)
}

fn driver_differs(base: &Node, over: &Node) -> bool {
    matches!((base.get("driver"), over.get("driver")), (Some(base), Some(over)) if base != over)
}

/// Address pools are the same when their subnet is.
fn pools(base: Node, over: Node, path: &Path, problems: &Problems) -> Node {
    let mark = over.mark.clone();
    let (Content::List(mut pools), Content::List(others)) = (base.content, over.content.clone()) else { return over };
    for other in others {
        let at = pools.iter().position(|pool| pool.get("subnet") == other.get("subnet"));
        match at {
            Some(at) => {
                let old = pools.remove(at);
                pools.insert(at, by_key(old, other, &path.index(at), problems));
            }
            None => pools.push(other),
        }
    }
    Node::new(Content::List(pools), &mark)
}
