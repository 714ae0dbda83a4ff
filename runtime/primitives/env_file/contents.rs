use std::collections::BTreeMap;

use serde_json::Value;

use super::options::Options;
use crate::drivers::disk::{self, Place};
use crate::primitive::{ByteSize, Call, Context, Failure, FailureKind, Left, kind_of, unknown_of, unknown_within};
use crate::primitives::schema::Variables;
use crate::primitives::writing;
use crate::secrets::env_file;

/// The largest file that is replaced.
const LARGEST: ByteSize = ByteSize(16 << 20);

/// What a call makes of a file.
pub(super) struct Contents {
    /// The file's text before; `None` when there is none, or a plan does not know it.
    pub old: Option<String>,
    /// The text to write; `None` when a plan does not know it.
    pub text: Option<String>,
    /// Which variables differ.
    pub differences: Differences,
}

impl Contents {
    /// Checks everything that was asked for, and says all that is wrong at once.
    pub fn of(context: &Context<'_>, call: &Call, options: &Options) -> Result<Self, Failure> {
        if options.mode.0 & 0o007 != 0 {
            let message = format!("option `mode`: with {} everybody could read the values", options.mode);
            return Err(Failure::new(FailureKind::Option, message).hint("use \"0600\", or \"0640\" for a group"));
        }
        if options.merge && !options.comment.is_empty() {
            return Err(Failure::new(
                FailureKind::Option,
                "option `comment`: with `merge` the file keeps its own comments",
            ));
        }
        let path = call.str(0);
        let (values, mut problems, is_known) = texts(call);
        let of = values.iter().map(|(name, value)| (name.clone(), (value.clone(), String::new()))).collect();
        let unseen = call.args.get(1).and_then(Value::as_object).into_iter().flatten();
        let unseen: Vec<&String> =
            unseen.filter(|(_, value)| unknown_within(value).is_some()).map(|(name, _)| name).collect();
        let mut schema = options.schema.clone();
        schema.required.retain(|name| !unseen.contains(&name));
        problems.extend(schema.problems(&Variables { of }));
        let old = old_text(context, &context.writable(path)?)?;
        let contents = env_file::Contents { dialects: &options.dialect.0, values: &values, comment: &options.comment };
        let text = match &old {
            Old::Known(Some(old)) if options.merge => contents.merged(old).map(Some),
            Old::Unknown if options.merge => Ok(None),
            _ => contents.whole().map(Some),
        };
        let text = text.unwrap_or_else(|more| {
            problems.extend(more);
            None
        });
        if !problems.is_empty() {
            return Err(failure(path, &problems));
        }
        let text = text.filter(|_| is_known);
        let old = if let Old::Known(old) = old { old } else { None };
        let read = |text: &Option<String>| {
            let found =
                options.dialect.0.first().and_then(|dialect| dialect.read(text.as_deref().unwrap_or_default()).ok());
            found.unwrap_or_default().into_iter().map(|found| (found.name, found.value)).collect()
        };
        let differences =
            if text.is_some() { Differences::between(&read(&old), &read(&text)) } else { Differences::default() };
        Ok(Self { old, text, differences })
    }
}

/// What is known of the file before.
enum Old {
    Known(Option<String>),
    Unknown,
}

fn old_text(context: &Context<'_>, place: &Place) -> Result<Old, Failure> {
    let is_there = match context.left(place) {
        Some((left, _)) => left != Left::Gone,
        None => disk::exists(place)?.is_some(),
    };
    if !is_there {
        return Ok(Old::Known(None));
    }
    Ok(writing::text_then(context, place, LARGEST)?.map_or(Old::Unknown, |text| Old::Known(Some(text))))
}

/// The values as texts, what is wrong with them, and whether all are known.
fn texts(call: &Call) -> (Vec<(String, String)>, Vec<String>, bool) {
    let (mut texts, mut problems, mut is_known) = (Vec::new(), Vec::new(), true);
    let values = call.args.get(1).filter(|values| unknown_of(values).is_none());
    let Some(values) = values.and_then(Value::as_object) else { return (texts, problems, false) };
    for (name, value) in values {
        if unknown_within(value).is_some() {
            is_known = false;
            continue;
        }
        match value {
            Value::String(text) => texts.push((name.clone(), text.clone())),
            Value::Number(_) | Value::Bool(_) => texts.push((name.clone(), value.to_string())),
            Value::Null => problems.push(format!("`{name}` has no value: leave it out, or give it \"\"")),
            Value::Array(_) => problems.push(format!("`{name}` is a list, and a variable is one text")),
            Value::Object(_) => {
                let what = kind_of(value).map_or("a map".to_owned(), |kind| format!("a {kind} handle"));
                problems.push(format!("`{name}` is {what}, and a variable is one text"));
            }
        }
    }
    (texts, problems, is_known)
}

fn failure(path: &str, problems: &[String]) -> Failure {
    let failure = match problems {
        [only] => Failure::new(FailureKind::Invalid, format!("`{path}`: {only}")),
        all => {
            let first = all.first().map_or("", String::as_str);
            let message = format!("{} problems with the variables of `{path}`, the first one: {first}", all.len());
            Failure::new(FailureKind::Invalid, message).evidence("all problems", all.join("\n"))
        }
    };
    Failure { nothing_begun: true, ..failure.hint("nothing was written") }
}

/// The names of the variables that differ.
#[derive(Default)]
pub(super) struct Differences {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Differences {
    fn between(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Self {
        let named = |names: &BTreeMap<String, String>, holds: &dyn Fn(&String, &String) -> bool| {
            names.iter().filter(|(name, value)| holds(name, value)).map(|(name, _)| name.clone()).collect()
        };
        Self {
            added: named(after, &|name, _| !before.contains_key(name)),
            changed: named(after, &|name, value| before.get(name).is_some_and(|before| before != value)),
            removed: named(before, &|name, _| !after.contains_key(name)),
        }
    }

    /// One line each: `changed: POSTGRES_PASSWORD, TAG`.
    pub fn lines(&self) -> Vec<String> {
        let kinds = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        kinds
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{kind}: {}", names.join(", ")))
            .collect()
    }

    /// `1 added, 2 changed`; `None` when none differs.
    pub fn summary(&self) -> Option<String> {
        let kinds = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| format!("{} {kind}", names.len()))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
