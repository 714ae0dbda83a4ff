use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Block, BlockRef, Failure, FailureKind, Spec, unknown_within};

/// The key that marks a JSON object as a handle; its value is the handle's kind.
pub const KIND: &str = "$kind";

/// Builds a handle: a value with methods, which a script holds and hands back as the receiver of a call.
///
/// A handle is a descriptor (a project name, a host name), never an open connection, so it survives the journal.
pub fn handle(kind: &str, fields: Value) -> Value {
    let mut map = Map::new();
    map.insert(KIND.into(), kind.into());
    if let Value::Object(fields) = fields {
        map.extend(fields);
    }
    Value::Object(map)
}

/// The kind of a handle, or `None` for a plain value.
pub fn kind_of(value: &Value) -> Option<&str> {
    value.as_object()?.get(KIND)?.as_str()
}

/// Where in the script a call stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Site {
    /// Path of the script or module, relative to the project (`std/deploy` for the embedded library).
    pub file: String,
    /// Line, from 1; 0 when unknown.
    pub line: usize,
    /// Column, from 1; 0 when unknown.
    pub column: usize,
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One call of a primitive, its arguments already checked against the [`Spec`].
#[derive(Clone)]
pub struct Call {
    /// The handle the method was called on, for a primitive with a receiver.
    pub receiver: Value,
    /// Positional arguments, one per declared argument; an optional one that was left out is `null`.
    pub args: Vec<Value>,
    /// The options map as written; an object, empty when none was given.
    pub options: Value,
    /// Closures among arguments and options; a [`BlockRef`] is an index into this list.
    pub blocks: Vec<Arc<dyn Block>>,
    /// Where the script makes the call.
    pub site: Site,
}

impl Call {
    /// A string argument. Empty if the argument is not a string, which the argument check rules out.
    pub fn str(&self, index: usize) -> &str {
        self.args.get(index).and_then(Value::as_str).unwrap_or_default()
    }

    /// An argument that may have been left out.
    pub fn optional(&self, index: usize) -> Option<&Value> {
        self.args.get(index).filter(|value| !value.is_null())
    }

    /// A list-of-strings argument.
    pub fn strings(&self, index: usize) -> Vec<String> {
        let items = self.args.get(index).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A closure argument.
    pub fn block(&self, index: usize) -> Result<&Arc<dyn Block>, Failure> {
        let reference = self.args.get(index).and_then(BlockRef::from_value);
        reference.and_then(|reference| self.resolve(reference)).ok_or_else(|| {
            Failure::new(FailureKind::Argument, format!("argument {} must be a closure like `|| …`", index + 1))
        })
    }

    /// The closure an option or a list item refers to.
    pub fn resolve(&self, reference: BlockRef) -> Option<&Arc<dyn Block>> {
        self.blocks.get(reference.0)
    }

    /// The options as the primitive's own struct; the message names the option.
    pub fn options<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        super::options::parse(&self.options)
    }

    /// Is everything known that the call is made with?
    pub fn is_known(&self) -> bool {
        [&self.receiver, &self.options].into_iter().chain(&self.args).all(|value| unknown_within(value).is_none())
    }

    /// A field of the receiver handle, as a string.
    pub fn receiver_str(&self, field: &str) -> &str {
        self.receiver.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// An argument as a [`Need`](super::Need) has it: one that is not known yet is marked.
    pub fn needed(&self, index: usize) -> String {
        super::text_of(self.args.get(index))
    }

    /// The same for a field of the receiver handle.
    pub fn receiver_needed(&self, field: &str) -> String {
        // Of a handle that is not known, no field is either.
        super::text_of(
            super::unknown_of(&self.receiver).map_or_else(|| self.receiver.get(field), |_| Some(&self.receiver)),
        )
    }

    /// Every string among the options that stands under one of these names (whatever their case), at any depth.
    pub fn option_texts(&self, names: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![&self.options];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(map) => {
                    for (key, value) in map {
                        let text = value.as_str().filter(|_| names.iter().any(|name| name.eq_ignore_ascii_case(key)));
                        found.extend(text.map(str::to_owned));
                        open.push(value);
                    }
                }
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        found
    }

    /// `name receiver first-argument …` in at most 70 characters, for previews.
    pub fn summary(&self, spec: &Spec) -> String {
        let mut text = spec.qualified_name();
        if let Some(name) = ["path", "name", "id"].iter().find_map(|field| self.receiver.get(*field)?.as_str()) {
            text.push_str(&format!(" {name}"));
        }
        for value in &self.args {
            match value {
                Value::String(string) => text.push_str(&format!(" {}", string.lines().next().unwrap_or_default())),
                Value::Number(number) => text.push_str(&format!(" {number}")),
                Value::Array(items) if items.iter().all(Value::is_string) => {
                    for item in items.iter().filter_map(Value::as_str) {
                        text.push_str(&format!(" {}", item.lines().next().unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
        if text.chars().count() > 70 {
            text = text.chars().take(69).chain(['…']).collect();
        }
        text
    }
}
