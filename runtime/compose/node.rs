use std::sync::Arc;

use serde_json::Value;

/// Where a value stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index(usize),
}

/// The way to a value: `services.api.ports[0]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Segment>);

impl Path {
    pub fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Segment::Key((*key).to_owned())).collect())
    }

    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// Does this path match a pattern such as `services.*.labels`, where `*` is any key or index?
    pub fn matches(&self, pattern: &str) -> bool {
        let mut parts = pattern.split('.');
        let all = self.0.iter().all(|segment| match (parts.next(), segment) {
            (Some("*"), _) => true,
            (Some(part), Segment::Key(key)) => part == key,
            _ => false,
        });
        all && parts.next().is_none()
    }

    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut longer = self.clone();
        longer.0.push(segment);
        longer
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if at == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// How a value meets the one it overrides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tag {
    /// By the merge rules.
    #[default]
    None,
    /// `!reset`: what was there is removed.
    Reset,
    /// `!override`: what was there is replaced.
    Override,
}

/// A value of a compose file that remembers where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    pub content: Content,
    pub mark: Mark,
    pub tag: Tag,
}

/// What a node holds, after the scalar rules.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Something already reported as wrong; readers skip it silently, so one mistake is one problem.
    Invalid,
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// Two nodes are equal when they say the same, wherever they were written.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

/// A mapping in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(pub Vec<Entry>);

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub mark: Mark,
    pub value: Node,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.value == other.value
    }
}

impl Node {
    pub fn new(content: Content, mark: &Mark) -> Self {
        Self { content, mark: mark.clone(), tag: Tag::None }
    }

    pub fn text(text: impl Into<String>, mark: &Mark) -> Self {
        Self::new(Content::Text(text.into()), mark)
    }

    /// A mapping written by the loader itself, all at one place.
    pub fn map<'k>(entries: impl IntoIterator<Item = (&'k str, Content)>, mark: &Mark) -> Self {
        let entries = entries.into_iter().map(|(key, content)| Entry {
            key: key.to_owned(),
            mark: mark.clone(),
            value: Self::new(content, mark),
        });
        Self::new(Content::Map(Map(entries.collect())), mark)
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&Map> {
        match &self.content {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.content {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn as_list_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.content {
            Content::List(list) => Some(list),
            _ => None,
        }
    }

    /// The value under a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// What it is, in words.
    pub fn describe(&self) -> &'static str {
        match self.content {
            Content::Invalid | Content::Null => "nothing",
            Content::Bool(_) => "a bool",
            Content::Int(_) | Content::Float(_) => "a number",
            Content::Text(_) => "a string",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    /// The plain value, for extensions (`x-…`) that no rule touches.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Invalid | Content::Null => Value::Null,
            Content::Bool(value) => (*value).into(),
            Content::Int(value) => (*value).into(),
            Content::Float(value) => (*value).into(),
            Content::Text(value) => value.clone().into(),
            Content::List(items) => items.iter().map(Self::to_value).collect(),
            Content::Map(map) => {
                let mut entries: Vec<_> =
                    map.0.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect();
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Value::Object(entries.into_iter().collect())
            }
        }
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.value)
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at).value)
    }

    /// Sets a key at its old place or at the end.
    pub fn set(&mut self, key: &str, value: Node) {
        match self.get_mut(key) {
            Some(old) => *old = value,
            None => self.0.push(Entry { key: key.to_owned(), mark: value.mark.clone(), value }),
        }
    }
}
