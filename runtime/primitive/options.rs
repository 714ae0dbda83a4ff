use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ByteSize, Failure, FailureKind, FileMode, Span};
use crate::failure::{in_plain_words, nearest, unknown_name};

/// One option of a primitive, for the reference, `runbook check` and error messages.
#[derive(Clone, Copy)]
pub struct OptionDoc {
    /// The name as written in the options map.
    pub name: &'static str,
    /// The type in words: `duration`, `list of strings`.
    pub label: fn() -> String,
    /// The default as source text, `None` when leaving it out means "not set".
    pub default: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

/// All options of a primitive, declared once with [`options!`](crate::options).
#[derive(Clone, Copy)]
pub struct OptionsSpec {
    /// In the order of the struct.
    pub options: &'static [OptionDoc],
    /// Checks a map of literal values as the call would.
    pub accepts: fn(&Value) -> Result<(), Failure>,
}

impl OptionsSpec {
    /// The option of that name.
    pub fn find(&self, name: &str) -> Option<&'static OptionDoc> {
        self.options.iter().find(|option| option.name == name)
    }
}

/// A type an option may have, with its name in words.
pub trait OptionType {
    /// `string`, `duration`, `list of strings`.
    fn label() -> String;
}

macro_rules! labels {
    ($($ty:ty => $label:literal),* $(,)?) => { $(impl OptionType for $ty { fn label() -> String { $label.into() } })* };
}
labels! {
    String => "string", bool => "bool", i64 => "integer", u16 => "integer", u32 => "integer", u64 => "integer",
    usize => "integer", f64 => "number", Span => "duration", ByteSize => "size", FileMode => "file mode",
    Value => "any value", BlockRef => "closure",
}
impl<T: OptionType> OptionType for Option<T> {
    fn label() -> String {
        T::label()
    }
}
impl<T: OptionType> OptionType for Vec<T> {
    fn label() -> String {
        format!("list of {}s", T::label())
    }
}
impl<T: OptionType> OptionType for BTreeMap<String, T> {
    fn label() -> String {
        format!("map of {}s", T::label())
    }
}

/// A closure inside an options map or list: its place in [`Call::blocks`](super::Call::blocks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef(pub usize);

impl BlockRef {
    const KEY: &'static str = "$block";

    /// The JSON stand-in for a closure.
    pub fn to_value(self) -> Value {
        serde_json::json!({ Self::KEY: self.0 })
    }

    /// Reads the stand-in back.
    pub fn from_value(value: &Value) -> Option<Self> {
        let index = value.as_object()?.get(Self::KEY)?.as_u64()?;
        usize::try_from(index).ok().map(Self)
    }
}

impl<'de> Deserialize<'de> for BlockRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).ok_or_else(|| {
            serde::de::Error::custom(format!("must be a closure like `|| …`, got {}", super::spec::describe(&value)))
        })
    }
}

/// Reads an options map into the primitive's struct; the message names the option, with the nearest known name.
pub fn parse<T: DeserializeOwned>(options: &Value) -> Result<T, Failure> {
    let mut options = options.clone();
    if let Some(map) = options.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    serde_path_to_error::deserialize(options).map_err(|error| {
        let path = error.path().to_string();
        let message = in_plain_words(&error.into_inner().to_string());
        if let Some((name, known)) = unknown_name(&message, "field") {
            let within = path.strip_suffix(name).unwrap_or(&path).trim_end_matches('.');
            let within = if within.is_empty() { String::new() } else { format!(" in `{within}`") };
            let failure = Failure::new(FailureKind::Option, format!("unknown option `{name}`{within}"));
            return match nearest(name, known.iter().copied()) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None if known.is_empty() => failure.hint("it takes no options"),
                None => failure.hint(format!("the options are {}", known.join(", "))),
            };
        }
        let message =
            if path == "." { message } else { format!("option `{path}` {}", message.trim_start_matches("option ")) };
        Failure::new(FailureKind::Option, message)
    })
}

/// Declares the options of a primitive: the struct, its defaults and its documentation in one place.
///
/// ```
/// runbook::options! {
///     /// Options of `wait`.
///     pub struct Options {
///         /// How long at most.
///         timeout: runbook::primitive::Span = runbook::primitive::Span::seconds(30),
///         /// Say what is waited for.
///         label: Option<String>,
///     }
/// }
/// assert_eq!(Options::SPEC.options[1].name, "label");
/// ```
#[macro_export]
macro_rules! options {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $( $(#[doc = $doc:literal])+ $field:ident : $ty:ty $(= $default:expr)? ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        $vis struct $name { $( $(#[doc = $doc])+ pub $field: $ty, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::options!(@default $($default)?), )* }
            }
        }

        impl $name {
            /// The same options for the reference and for `runbook check`.
            $vis const SPEC: $crate::primitive::OptionsSpec = $crate::primitive::OptionsSpec {
                options: &[ $( $crate::primitive::OptionDoc {
                    name: stringify!($field),
                    label: <$ty as $crate::primitive::OptionType>::label,
                    default: $crate::options!(@text $($default)?),
                    doc: concat!($($doc),+),
                }, )* ],
                accepts: |value| $crate::primitive::parse_options::<$name>(value).map(drop),
            };
        }
    };
    (@default $default:expr) => { $default };
    (@default) => { Default::default() };
    (@text $default:expr) => { Some(stringify!($default)) };
    (@text) => { None };
}
