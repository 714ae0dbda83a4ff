//! The keys of a mapping, taken one by one, so that those left over can be reported.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::node::{Content, Map, Mark, Path};
use super::problem::{Problem, Problems};
use crate::failure::nearest;

static NO_FIELDS: Map = Map(Vec::new());

/// The keys of a mapping. Which keys exist is said once, by taking them; what is left over at [`Fields::close`] is a problem.
pub struct Fields<'a> {
    map: &'a Map,
    pub path: Path,
    pub problems: &'a Problems,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The keys of a cursor's node; null is a mapping without keys.
    pub fn of(cursor: &Cursor<'a>) -> Option<Self> {
        let map = match &cursor.node.content {
            Content::Map(map) => map,
            Content::Null => &NO_FIELDS,
            _ => return cursor.expected("a mapping"),
        };
        Some(Self { map, path: cursor.path.clone(), problems: cursor.problems, known: RefCell::default() })
    }

    /// Takes a key; `None` when it is absent or null.
    pub fn get(&self, key: &'static str) -> Option<Cursor<'a>> {
        self.nullable(key).filter(|cursor| cursor.node.content != Content::Null)
    }

    /// Takes a key that has a meaning when it is null.
    pub fn nullable(&self, key: &'static str) -> Option<Cursor<'a>> {
        self.known.borrow_mut().push(key);
        self.map.get(key).map(|node| Cursor::new(node, self.path.key(key), self.problems))
    }

    /// Is the key written, if only as something that was reported already?
    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|node| node.content != Content::Null)
    }

    pub fn string(&self, key: &'static str) -> String {
        self.get(key).and_then(|cursor| cursor.string()).unwrap_or_default()
    }

    pub fn bool(&self, key: &'static str) -> bool {
        self.get(key).and_then(|cursor| cursor.bool()).unwrap_or_default()
    }

    pub fn int(&self, key: &'static str) -> i64 {
        self.get(key).and_then(|cursor| cursor.int()).unwrap_or_default()
    }

    pub fn float(&self, key: &'static str) -> f64 {
        self.get(key).and_then(|cursor| cursor.float()).unwrap_or_default()
    }

    pub fn bytes(&self, key: &'static str) -> i64 {
        self.get(key).and_then(|cursor| cursor.bytes()).unwrap_or_default()
    }

    pub fn strings(&self, key: &'static str) -> Vec<String> {
        self.get(key).map(|cursor| cursor.strings()).unwrap_or_default()
    }

    pub fn string_or_list(&self, key: &'static str) -> Vec<String> {
        self.get(key).map(|cursor| cursor.string_or_list()).unwrap_or_default()
    }

    pub fn text_pairs(&self, key: &'static str) -> BTreeMap<String, String> {
        self.get(key).map(|cursor| cursor.text_pairs()).unwrap_or_default()
    }

    /// One of a few words.
    pub fn choice(&self, key: &'static str, choices: &[&str]) -> String {
        let Some(cursor) = self.get(key) else { return String::new() };
        let text = cursor.string().unwrap_or_default();
        if !text.is_empty() && !choices.contains(&text.as_str()) {
            cursor.error(format!("must be one of {}, got `{text}`", quoted(choices)));
        }
        text
    }

    /// Warns of keys that are written and have no effect; `false` and an empty value ask for nothing.
    pub fn without_effect(&self, keys: &[(&'static str, &str)]) {
        for (key, why) in keys {
            if let Some(cursor) = self.get(key).filter(asks_for_something) {
                cursor.warn(*why);
            }
        }
    }

    /// The keys among these that are written: what they ask for is not done here.
    pub fn unmet(&self, keys: &[Unmet]) -> Vec<Problem> {
        let written = |(key, why, instead): &Unmet| {
            let cursor = self.get(key).filter(asks_for_something)?;
            Some(Problem::at(&self.place(key, &cursor), &cursor.path, *why).hint(*instead))
        };
        keys.iter().filter_map(written).collect()
    }

    /// Where a key stands.
    fn place(&self, key: &str, cursor: &Cursor) -> Mark {
        let entry = self.map.0.iter().find(|entry| entry.key == key);
        entry.map_or_else(|| cursor.node.mark.clone(), |entry| entry.mark.clone())
    }

    /// Reports what was not taken: there are no such keys.
    pub fn close(self) {
        let known = self.known.into_inner();
        for entry in &self.map.0 {
            let key = entry.key.as_str();
            if known.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let problem = Problem::at(&entry.mark, &self.path.key(key), "there is no such key");
            self.problems.error(match nearest(key, known.iter().copied()) {
                Some(name) => problem.hint(format!("did you mean `{name}`?")),
                None => problem,
            });
        }
    }
}

/// A key, why what it asks for is not done here, and what to do instead.
pub type Unmet = (&'static str, &'static str, &'static str);

fn asks_for_something(cursor: &Cursor) -> bool {
    match &cursor.node.content {
        Content::Bool(false) | Content::Null => false,
        Content::Text(text) => !text.is_empty() && text != "false",
        Content::List(items) => !items.is_empty(),
        Content::Map(map) => !map.0.is_empty(),
        _ => true,
    }
}

fn quoted(choices: &[&str]) -> String {
    choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
}
