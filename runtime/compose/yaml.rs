//! From the text of a file to nodes with places: anchors, merge keys (`<<`), `!reset` and `!override`.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::node::{Content, Entry, Map, Mark, Node, Tag};
use super::problem::Problem;
use super::scalar;

/// Values that aliases may add to one file: as many as go-yaml allows of any file, and an end to files that grow without bound.
const ALIAS_BUDGET: usize = 400_000;
/// Levels of nesting in one file.
const DEPTH_LIMIT: usize = 100;

/// The documents of a file. Stops at the first thing that is not YAML, because nothing after it has a sure meaning.
pub fn parse(text: &str, file: &Arc<str>) -> Result<Vec<Node>, Problem> {
    let mut reader = Reader {
        file: file.clone(),
        anchors: HashMap::new(),
        alias_budget: ALIAS_BUDGET,
        open: Vec::new(),
        documents: Vec::new(),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            Problem::new(&**file, mark.line(), mark.col() + 1, error.info().to_owned())
        })?;
        reader.event(event, span)?;
    }
    Ok(reader.documents)
}

struct Reader {
    file: Arc<str>,
    anchors: HashMap<usize, Node>,
    alias_budget: usize,
    open: Vec<Frame>,
    documents: Vec<Node>,
}

/// A list or mapping whose end has not been seen.
struct Frame {
    anchor: usize,
    tag: Tag,
    mark: Mark,
    kind: Collection,
}

enum Collection {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Mark)> },
}

impl Reader {
    fn event(&mut self, event: Event, span: Span) -> Result<(), Problem> {
        let mark = Mark { file: self.file.clone(), line: span.start.line(), column: span.start.col() + 1 };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let (behaviour, forced) = Self::tag(tag.as_deref(), &mark)?;
                let content = match (style, forced) {
                    (_, Some("str")) => Content::Text(text.into_owned()),
                    (ScalarStyle::Plain, _) | (_, Some("int" | "float" | "bool" | "null")) => scalar::resolve(&text),
                    _ => Content::Text(text.into_owned()),
                };
                self.complete(Node { content, mark, tag: behaviour }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let (tag, _) = Self::tag(tag.as_deref(), &mark)?;
                self.push(Frame { anchor, tag, mark, kind: Collection::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                let (tag, _) = Self::tag(tag.as_deref(), &mark)?;
                self.push(Frame { anchor, tag, mark, kind: Collection::Map { entries: Vec::new(), key: None } })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    problem(&mark, "this alias stands inside the value that it refers to").hint("remove the alias")
                })?;
                let size = count(&node);
                self.alias_budget = self.alias_budget.checked_sub(size).ok_or_else(|| {
                    problem(&mark, format!("the aliases of this file expand to more than {ALIAS_BUDGET} values"))
                        .hint("write the values out, or share smaller pieces")
                })?;
                self.complete(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn tag<'t>(tag: Option<&'t saphyr_parser::Tag>, mark: &Mark) -> Result<(Tag, Option<&'t str>), Problem> {
        let Some(tag) = tag else { return Ok((Tag::None, None)) };
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, kind @ ("str" | "int" | "float" | "bool" | "null" | "map" | "seq")) => Ok((Tag::None, Some(kind))),
            (false, "reset") => Ok((Tag::Reset, None)),
            (false, "override") => Ok((Tag::Override, None)),
            (false, "") => Ok((Tag::None, Some("str"))),
            _ => Err(problem(mark, format!("the tag `{tag}` is not known"))
                .hint("compose files know `!reset` and `!override`")),
        }
    }

    fn push(&mut self, frame: Frame) -> Result<(), Problem> {
        if self.open.len() == DEPTH_LIMIT {
            return Err(problem(&frame.mark, format!("nested deeper than {DEPTH_LIMIT} levels")));
        }
        self.open.push(frame);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        let Some(frame) = self.open.pop() else { return Ok(()) };
        let content = match frame.kind {
            Collection::List(items) => Content::List(items),
            Collection::Map { entries, .. } => Content::Map(merge_keys(entries)?),
        };
        self.complete(Node { content, mark: frame.mark, tag: frame.tag }, frame.anchor)
    }

    /// Puts a finished value where it belongs: into the open collection, or at the top.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut frame.kind {
            Collection::List(items) => items.push(node),
            Collection::Map { entries, key } => match key.take() {
                Some((key, mark)) => entries.push(Entry { key, mark, value: node }),
                None => *key = Some(key_of(node, entries)?),
            },
        }
        Ok(())
    }
}

fn key_of(node: Node, entries: &[Entry]) -> Result<(String, Mark), Problem> {
    let Content::Text(key) = node.content else {
        let text = match &node.content {
            Content::Int(number) => format!("the key `{number}` is a number"),
            Content::Bool(value) => format!("the key `{value}` is a bool"),
            _ => format!("a key must be a string, got {}", node.describe()),
        };
        return Err(problem(&node.mark, text).hint("quote it"));
    };
    match entries.iter().find(|entry| entry.key == key) {
        Some(first) if key != "<<" => {
            Err(problem(&node.mark, format!("the key `{key}` is already set in line {}", first.mark.line)))
        }
        _ => Ok((key, node.mark)),
    }
}

/// Replaces `<<: *base` by the keys of `base` that the mapping does not set itself; of several bases the first one wins.
fn merge_keys(entries: Vec<Entry>) -> Result<Map, Problem> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return Ok(Map(entries));
    }
    let (merges, own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.key == "<<");
    let mut map = Map(own);
    for merge in merges {
        let bases = match merge.value.content {
            Content::List(bases) => bases,
            _ => vec![merge.value],
        };
        for base in bases {
            let Content::Map(base_map) = base.content else {
                return Err(problem(&base.mark, format!("`<<` merges mappings, got {}", base.describe())));
            };
            for entry in base_map.0 {
                if map.get(&entry.key).is_none() {
                    map.0.push(entry);
                }
            }
        }
    }
    Ok(map)
}

fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::List(items) => items.iter().map(count).sum(),
        Content::Map(map) => map.0.iter().map(|entry| count(&entry.value)).sum(),
        _ => 0,
    }
}

fn problem(mark: &Mark, message: impl Into<String>) -> Problem {
    Problem::new(&*mark.file, mark.line, mark.column, message)
}
