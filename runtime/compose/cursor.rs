//! Typed reading of nodes: every wrong type and every unknown key becomes a problem at its place.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::node::{Content, Node, Path};
use super::problem::{Problem, Problems};
use super::quantity;
use super::scalar::go_float;

/// A node, the way to it, and where its problems go.
#[derive(Clone)]
pub struct Cursor<'a> {
    pub node: &'a Node,
    pub path: Path,
    pub problems: &'a Problems,
}

impl<'a> Cursor<'a> {
    pub fn new(node: &'a Node, path: Path, problems: &'a Problems) -> Self {
        Self { node, path, problems }
    }

    pub fn error(&self, message: impl Into<String>) {
        self.problems.error(Problem::at(&self.node.mark, &self.path, message));
    }

    pub fn error_with_hint(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.error(Problem::at(&self.node.mark, &self.path, message).hint(hint));
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.problems.warn(Problem::at(&self.node.mark, &self.path, message));
    }

    /// Reports "must be …, got …", unless the node was reported already.
    pub fn expected<T>(&self, what: &str) -> Option<T> {
        match (&self.node.content, what) {
            (Content::Invalid, _) => {}
            (Content::Int(_) | Content::Float(_) | Content::Bool(_), "a string") => self.error_with_hint(
                format!("must be a string, got {}", self.node.describe()),
                format!("quote it: \"{}\"", plain(self.node).unwrap_or_default()),
            ),
            _ => self.error(format!("must be {what}, got {}", self.node.describe())),
        }
        None
    }

    pub fn string(&self) -> Option<String> {
        match self.node.as_text() {
            Some(text) => Some(text.to_owned()),
            None => self.expected("a string"),
        }
    }

    /// A string or number, as a string.
    pub fn scalar(&self) -> Option<String> {
        match (&self.node.content, plain(self.node)) {
            (Content::Bool(_), _) | (_, None) => self.expected("a string or number"),
            (_, text) => text,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match &self.node.content {
            Content::Bool(value) => Some(*value),
            Content::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "y" | "yes" | "on" => Some(true),
                "false" | "n" | "no" | "off" => Some(false),
                _ => {
                    self.error(format!("must be `true` or `false`, got `{text}`"));
                    None
                }
            },
            _ => self.expected("a bool"),
        }
    }

    pub fn int(&self) -> Option<i64> {
        match &self.node.content {
            Content::Int(value) => Some(*value),
            #[allow(clippy::cast_possible_truncation)] // a whole number below 2^53
            Content::Float(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
            Content::Text(text) => text.parse().ok().or_else(|| {
                self.error(format!("must be a whole number, got `{text}`"));
                None
            }),
            _ => self.expected("a whole number"),
        }
    }

    /// A number with the precision of Compose, which keeps 32 bits of it.
    pub fn float(&self) -> Option<f64> {
        let number = match &self.node.content {
            #[allow(clippy::cast_precision_loss)]
            Content::Int(value) => Some(*value as f64),
            Content::Float(value) => Some(*value),
            Content::Text(text) => text.parse().ok(),
            _ => return self.expected("a number"),
        };
        match number {
            Some(number) => Some(quantity::single_precision(number)),
            None => self.expected_number(),
        }
    }

    fn expected_number<T>(&self) -> Option<T> {
        self.error(format!("must be a number, got `{}`", plain(self.node).unwrap_or_default()));
        None
    }

    /// A number of bytes: `512m`, `1G`, `1024`.
    pub fn bytes(&self) -> Option<i64> {
        match &self.node.content {
            Content::Int(value) => Some(*value),
            Content::Text(text) => quantity::bytes(text).or_else(|| {
                self.error_with_hint(format!("`{text}` is not a size"), "write a number and a unit, as in 512m or 2g");
                None
            }),
            _ => self.expected("a size"),
        }
    }

    /// A duration in nanoseconds: `1m30s`.
    pub fn duration(&self) -> Option<quantity::Duration> {
        if let Content::Int(number) = &self.node.content {
            self.error_with_hint("must be a duration, got a number", format!("write the unit too, as in {number}s"));
            return None;
        }
        let text = self.string()?;
        quantity::Duration::parse(&text).or_else(|| {
            self.error_with_hint(
                format!("`{text}` is not a duration"),
                "write a number and a unit, as in 30s or 1m30s",
            );
            None
        })
    }

    pub fn list(&self) -> Vec<Cursor<'a>> {
        match &self.node.content {
            Content::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Self::new(item, self.path.index(index), self.problems))
                .collect(),
            _ => self.expected("a list").unwrap_or_default(),
        }
    }

    pub fn map(&self) -> Vec<(&'a str, Cursor<'a>)> {
        match &self.node.content {
            Content::Map(map) => map
                .0
                .iter()
                .map(|entry| (entry.key.as_str(), Self::new(&entry.value, self.path.key(&entry.key), self.problems)))
                .collect(),
            _ => self.expected("a mapping").unwrap_or_default(),
        }
    }

    pub fn strings(&self) -> Vec<String> {
        self.list().iter().filter_map(Self::string).collect()
    }

    pub fn scalars(&self) -> Vec<String> {
        self.list().iter().filter_map(Self::scalar).collect()
    }

    pub fn string_or_list(&self) -> Vec<String> {
        match &self.node.content {
            Content::Text(text) => vec![text.clone()],
            Content::List(_) => self.strings(),
            _ => self.expected("a string or a list").unwrap_or_default(),
        }
    }

    /// `KEY: value` or `- KEY=value`; a key without a value is `None`.
    pub fn pairs(&self) -> BTreeMap<String, Option<String>> {
        match &self.node.content {
            Content::Map(_) => self
                .map()
                .into_iter()
                .filter_map(|(key, value)| match &value.node.content {
                    Content::Null => Some((key.to_owned(), None)),
                    _ => match plain(value.node) {
                        Some(text) => Some((key.to_owned(), Some(text))),
                        None => value.expected("a string, number or bool"),
                    },
                })
                .collect(),
            Content::List(_) => self
                .strings()
                .into_iter()
                .map(|text| match text.split_once('=') {
                    Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                    None => (text, None),
                })
                .collect(),
            _ => self.expected("a mapping or a list").unwrap_or_default(),
        }
    }

    /// Like [`Self::pairs`], where a missing value is the empty text.
    pub fn text_pairs(&self) -> BTreeMap<String, String> {
        self.pairs().into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
    }

    /// The keys of a mapping, to be taken one by one.
    pub fn fields(&self) -> Option<Fields<'a>> {
        match &self.node.content {
            Content::Null => self.expected("a mapping"),
            _ => Fields::of(self),
        }
    }
}

/// A scalar as text, as Compose writes it into an environment or label; `None` for lists, mappings and null.
pub fn plain(node: &Node) -> Option<String> {
    match &node.content {
        Content::Text(text) => Some(text.clone()),
        Content::Int(number) => Some(number.to_string()),
        Content::Float(number) => Some(go_float(*number)),
        Content::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
