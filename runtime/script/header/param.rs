use serde_json::{Number, Value};

use super::{HeaderProblem, Piece};
use crate::failure::nearest;
use crate::units::{ByteSize, Span};

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A duration string such as `"90s"`.
    Duration,
    /// A size string such as `"2GiB"`.
    Size,
    /// A list of strings, separated by commas on the command line.
    List,
}

/// A parameter of a runbook.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name, as in `param("tag")` and `--tag`.
    pub name: String,
    /// Its type.
    pub ty: ParamType,
    /// The value when none is given; `None` makes it required, `null` (written `()`) makes it optional without a value.
    pub default: Option<Value>,
    /// What it is.
    pub doc: String,
    /// The line of its declaration, from 1.
    pub line: usize,
    /// The column of its name, from 1.
    pub column: usize,
}

const TYPES: &[(&str, ParamType)] = &[
    ("string", ParamType::String),
    ("integer", ParamType::Integer),
    ("number", ParamType::Number),
    ("bool", ParamType::Bool),
    ("duration", ParamType::Duration),
    ("size", ParamType::Size),
    ("list", ParamType::List),
];

/// What people coming from other languages write.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("int", "integer"),
    ("str", "string"),
    ("text", "string"),
    ("boolean", "bool"),
    ("float", "number"),
    ("array", "list"),
];

impl ParamType {
    /// The type in words, with its article.
    pub fn label(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Bool => "`true` or `false`",
            Self::Duration => "a duration like \"90s\"",
            Self::Size => "a size like \"2GiB\"",
            Self::List => "a list of strings",
        }
    }

    /// The value of a text given on the command line; the error completes "`--name` …".
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let wrong = || format!("must be {}, got `{text}`", self.label());
        match self {
            Self::String => Ok(text.into()),
            Self::Integer => text.parse::<i64>().map(Value::from).map_err(|_| wrong()),
            Self::Number => text.parse::<f64>().ok().and_then(Number::from_f64).map(Value::Number).ok_or_else(wrong),
            Self::Bool => text.parse::<bool>().map(Value::from).map_err(|_| wrong()),
            Self::Duration => Span::parse(text).map(|_| text.into()),
            Self::Size => ByteSize::parse(text).map(|_| text.into()),
            Self::List => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
        }
    }

    /// Is a value of this type?
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Bool => value.is_boolean(),
            Self::Duration => value.as_str().is_some_and(|text| Span::parse(text).is_ok()),
            Self::Size => value.as_str().is_some_and(|text| ByteSize::parse(text).is_ok()),
            Self::List => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }
}

impl Param {
    /// Reads `name: type = default  doc`.
    pub(super) fn parse(line: &Piece<'_>) -> Result<Self, HeaderProblem> {
        const FORM: &str = "as in `@param tag: string = \"latest\"  image tag to deploy`";
        let name = name_in(line.text);
        if name.is_empty() {
            return Err(line.problem("`@param` takes a name and a type").hint(FORM));
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(line.part(name).problem(format!("`{name}` is not a name")).hint("a name starts with a letter"));
        }
        let Some(rest) = line.text[name.len()..].trim_start().strip_prefix(':') else {
            return Err(line.part(name).problem(format!("parameter `{name}` has no type")).hint(FORM));
        };
        let rest = rest.trim_start();
        let end = rest.find(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or(rest.len());
        let ty = type_named(&line.part(&rest[..end]))?;
        let rest = rest[end..].trim_start();
        let (default, doc) = match rest.strip_prefix('=') {
            Some(rest) => {
                let rest = rest.trim_start();
                let (written, doc) = split_literal(rest);
                (Some(default_value(name, ty, &line.part(written))?), doc)
            }
            None => (None, rest),
        };
        Ok(Self {
            name: name.to_owned(),
            ty,
            default,
            doc: doc.trim().to_owned(),
            line: line.line,
            column: line.column,
        })
    }
}

/// The name at the start of a declaration.
pub(super) fn name_in(text: &str) -> &str {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '-'));
    &text[..end.unwrap_or(text.len())]
}

fn type_named(written: &Piece<'_>) -> Result<ParamType, HeaderProblem> {
    let name = written.text;
    if let Some((_, ty)) = TYPES.iter().find(|(known, _)| *known == name) {
        return Ok(*ty);
    }
    let alias = OTHER_NAMES.iter().find(|(other, _)| *other == name.to_lowercase()).map(|(_, ours)| *ours);
    let near = || nearest(name, TYPES.iter().map(|(known, _)| *known));
    let problem = if name.is_empty() {
        written.problem("the type of the parameter is missing")
    } else {
        written.problem(format!("there is no parameter type `{name}`"))
    };
    Err(match alias.or_else(near) {
        Some(known) => problem.hint(format!("did you mean `{known}`?")).replace(known),
        None => problem.hint("the types are `string`, `integer`, `number`, `bool`, `duration`, `size` and `list`"),
    })
}

fn default_value(name: &str, ty: ParamType, written: &Piece<'_>) -> Result<Value, HeaderProblem> {
    if written.text == "()" {
        return Ok(Value::Null);
    }
    let Ok(value) = serde_json::from_str::<Value>(written.text) else {
        let problem = written.problem(format!("`{}` is not a default value", written.text));
        return Err(problem.hint("a string is written in double quotes, and `()` means no value"));
    };
    if ty.accepts(&value) {
        return Ok(value);
    }
    let got = match &value {
        Value::String(_) if matches!(ty, ParamType::Duration | ParamType::Size) => format!("`{}`", written.text),
        Value::String(_) => "a string".to_owned(),
        Value::Number(_) => "a number".to_owned(),
        Value::Bool(_) => "a bool".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) | Value::Null => "something else".to_owned(),
    };
    let problem = written.problem(format!("the default of parameter `{name}` must be {}, got {got}", ty.label()));
    Err(match (ty, &value) {
        (ParamType::String, Value::Number(_) | Value::Bool(_)) => {
            problem.hint(format!("write \"{}\"", written.text)).replace(format!("\"{}\"", written.text))
        }
        (ParamType::Integer | ParamType::Number | ParamType::Bool, Value::String(text)) if ty.parse(text).is_ok() => {
            problem.hint(format!("write {text}")).replace(text.clone())
        }
        _ => problem,
    })
}

/// Splits a literal from the words behind it.
fn split_literal(text: &str) -> (&str, &str) {
    let closing = match text.chars().next() {
        Some('"') => {
            let mut escaped = false;
            text.char_indices().skip(1).find_map(|(offset, letter)| {
                let ends = letter == '"' && !escaped;
                escaped = letter == '\\' && !escaped;
                ends.then_some(offset + 1)
            })
        }
        Some('[') => text.find(']').map(|offset| offset + 1),
        _ => None,
    };
    let end = closing.or_else(|| text.find(char::is_whitespace)).unwrap_or(text.len());
    text.split_at(end)
}
