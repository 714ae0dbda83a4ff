use serde_json::Value;

use super::{BlockRef, OptionsSpec, kind_of};

/// What a call does to the world; the door and the plan decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Arranges other calls (`step`, `retry`); runs again on resume, its inner calls do not.
    Flow,
    /// Computes a value and touches nothing; not journaled.
    Pure,
    /// Looks at the world.
    Read,
    /// Changes the world.
    Change,
    /// Changes the world in a way that loses something: removes, prunes, overwrites.
    Destroy,
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// Anything a script can hold.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A string.
    Str,
    /// A duration string such as `"90s"`.
    Duration,
    /// A size string such as `"2GiB"`.
    Size,
    /// A list.
    List,
    /// A list of strings: a command line.
    Strings,
    /// A map.
    Map,
    /// The options map, for a primitive that takes it first; everywhere else it trails and is no argument.
    Options,
    /// A closure.
    Block,
    /// A handle of this kind.
    Handle(&'static str),
    /// One of several types.
    OneOf(&'static [Ty]),
}

impl Ty {
    /// The type in words, with its article: `a string`, `a duration like "90s"`.
    pub fn label(self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Bool => "a bool".into(),
            Self::Int => "an integer".into(),
            Self::Str => "a string".into(),
            Self::Duration => "a duration like \"90s\"".into(),
            Self::Size => "a size like \"2GiB\"".into(),
            Self::List => "a list".into(),
            Self::Strings => "a list of strings like [\"ls\", \"-l\"]".into(),
            Self::Map | Self::Options => "a map like #{ name: value }".into(),
            Self::Block => "a closure like `|| …`".into(),
            Self::Handle(kind) => format!("a {kind} handle"),
            Self::OneOf(types) => types.iter().map(|ty| ty.label()).collect::<Vec<_>>().join(" or "),
        }
    }

    /// Is this value of the type? The error says why not, for a unit that does not parse.
    pub fn check(self, value: &Value) -> Result<(), String> {
        let fits = match self {
            Self::Any => true,
            Self::Bool => value.is_boolean(),
            Self::Int => value.is_i64() || value.is_u64(),
            Self::Str => value.is_string(),
            Self::Duration => return unit(value, self, |text| super::Span::parse(text).map(drop)),
            Self::Size => return unit(value, self, |text| super::ByteSize::parse(text).map(drop)),
            Self::List => value.is_array(),
            Self::Strings if value.is_string() => {
                let list = list_form(value.as_str().unwrap_or_default());
                return Err(format!("must be a list of strings, got one string: write {list}"));
            }
            Self::Strings => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Map | Self::Options => {
                value.is_object() && kind_of(value).is_none() && BlockRef::from_value(value).is_none()
            }
            Self::Block => BlockRef::from_value(value).is_some(),
            Self::Handle(kind) => kind_of(value) == Some(kind),
            Self::OneOf(types) => types.iter().any(|ty| ty.check(value).is_ok()),
        };
        if fits { Ok(()) } else { Err(format!("must be {}, got {}", self.label(), describe(value))) }
    }
}

fn unit(value: &Value, ty: Ty, parse: fn(&str) -> Result<(), String>) -> Result<(), String> {
    match value.as_str() {
        Some(text) => parse(text).map_err(|message| format!("is wrong: {message}")),
        None => Err(format!("must be {}, got {}", ty.label(), describe(value))),
    }
}

/// A command line typed as one string, in the list form it should have had.
fn list_form(line: &str) -> String {
    let needs_a_shell = line.contains(['|', '&', ';', '<', '>', '$', '*', '`', '"', '\'', '\\', '\n']);
    let words: Vec<&str> = if needs_a_shell { vec!["sh", "-c", line] } else { line.split_whitespace().collect() };
    format!("{words:?}")
}

/// What a value is, in words.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(_) => "a bool".into(),
        Value::Number(number) if number.is_f64() => "a decimal number".into(),
        Value::Number(_) => "an integer".into(),
        Value::String(_) => "a string".into(),
        Value::Array(items) if items.iter().any(|item| !item.is_string()) => "a list of other things".into(),
        Value::Array(_) => "a list of strings".into(),
        Value::Object(_) if BlockRef::from_value(value).is_some() => "a closure".into(),
        Value::Object(_) => kind_of(value).map_or_else(|| "a map".into(), |kind| format!("a {kind} handle")),
    }
}

/// A positional argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name in messages and the reference.
    pub name: &'static str,
    /// Its type.
    pub ty: Ty,
    /// May it be left out? Optional arguments come last.
    pub optional: bool,
    /// What it is.
    pub doc: &'static str,
}

impl Arg {
    /// An argument that must be given.
    pub const fn new(name: &'static str, ty: Ty, doc: &'static str) -> Self {
        Self { name, ty, optional: false, doc }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static str, ty: Ty, doc: &'static str) -> Self {
        Self { name, ty, optional: true, doc }
    }
}

/// Everything there is to know about a primitive without calling it.
pub struct Spec {
    /// The name a script calls: `http_check`, or the method name `up`.
    pub name: &'static str,
    /// For a method, the kind of handle it is called on: `compose`.
    pub receiver: Option<&'static str>,
    /// Positional arguments.
    pub args: &'static [Arg],
    /// Options: the trailing map.
    pub options: Option<OptionsSpec>,
    /// The kind of the handle it returns, when it returns one (so that `check` knows its methods).
    pub returns: Option<&'static str>,
    /// What it does to the world.
    pub effect: Effect,
    /// One sentence.
    pub summary: &'static str,
    /// A line of script that shows it.
    pub example: &'static str,
}

impl Spec {
    /// `http_check`, or `compose.up` for a method.
    pub fn qualified_name(&self) -> String {
        self.receiver.map_or_else(|| self.name.to_owned(), |kind| format!("{kind}.{}", self.name))
    }

    /// How many positional arguments must be given.
    pub fn required(&self) -> usize {
        self.args.iter().filter(|arg| !arg.optional).count()
    }

    /// `name(argument: type, …, options)` for messages and the reference.
    pub fn signature(&self) -> String {
        let arguments =
            self.args.iter().map(|arg| if arg.optional { format!("[{}]", arg.name) } else { arg.name.into() });
        let all: Vec<String> = arguments.chain(self.options.map(|_| "#{ … }".to_owned())).collect();
        format!("{}({})", self.qualified_name(), all.join(", "))
    }
}
