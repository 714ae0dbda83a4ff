use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// What is done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It comes into being.
    Create,
    /// It is changed where it stands.
    Update,
    /// It is taken away.
    Remove,
    /// Another takes its place.
    Replace,
    /// A command is run; only the command knows what it changes.
    Run,
}

impl Action {
    /// The sign a plan shows before it.
    pub fn symbol(self) -> char {
        match self {
            Self::Create => '+',
            Self::Update => '~',
            Self::Remove => '-',
            Self::Replace => '±',
            Self::Run => '>',
        }
    }
}

/// One change of the world, in the same words whether a plan foresees it or a call has made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// To what: `container shop-web-1`, `file /etc/motd`, `image app:2`.
    pub what: String,
    /// What differs, one line each: `image: app:1 → app:2`. For people; two changes are the same without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// On what it depends, when it may turn out not to be needed: `building gives another image`. Only in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

impl Change {
    /// A change without details.
    pub fn new(action: Action, what: impl Into<String>) -> Self {
        Self { action, what: what.into(), detail: Vec::new(), condition: None }
    }

    /// Says on what it depends whether it is made at all.
    #[must_use]
    pub fn only_if(mut self, condition: impl Into<String>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// A change that depends on something which is not known yet: it may turn out to be none.
    pub fn depending(action: Action, what: impl Into<String>) -> Self {
        Self::new(action, what).detail("with values that are known only then").only_if("it differs then")
    }

    /// Adds what differs.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.detail.push(line.into());
        self
    }
}

/// What a plan knows of a call that it does not make.
#[derive(Clone, Debug, Default)]
pub struct Prediction {
    /// What the call will return, as far as that is known; [`unknown`] stands for what is not.
    pub value: Value,
    /// The changes it will make; none when everything is as it should be.
    pub changes: Vec<Change>,
}

impl Prediction {
    /// Nothing to do, and this value.
    pub fn nothing(value: impl Into<Value>) -> Self {
        Self { value: value.into(), changes: Vec::new() }
    }

    /// A look at something that will be another thing by then.
    pub fn unseen(preview: &str) -> Self {
        Self::nothing(unknown(format!("what `{preview}` returns")))
    }

    /// This change, and this value.
    pub fn one(change: Change, value: impl Into<Value>) -> Self {
        Self { value: value.into(), changes: vec![change] }
    }
}

/// The key that marks a value nobody can know before the change it depends on was made.
const UNKNOWN: &str = "$unknown";

/// A value that is not known before something happened; `what` completes "depends on …": ``what `migrate` returns``.
pub fn unknown(what: impl Into<String>) -> Value {
    json!({ UNKNOWN: what.into() })
}

/// What an unknown value depends on; `None` for a known one. Looks at the value itself, not inside it.
pub fn unknown_of(value: &Value) -> Option<&str> {
    single(value.as_object()?)
}

fn single(map: &Map<String, Value>) -> Option<&str> {
    if map.len() == 1 { map.get(UNKNOWN)?.as_str() } else { None }
}

/// Around the description of an unknown part of a text: letters of no language.
const OPEN: char = '\u{F1F00}';
const CLOSE: char = '\u{F1F01}';

/// A text that stands for something unknown inside a longer text.
pub fn unknown_text(what: &str) -> String {
    format!("{OPEN}{what}{CLOSE}")
}

/// What a text depends on, when a part of it is unknown.
pub fn unknown_in_text(text: &str) -> Option<&str> {
    text.split_once(OPEN).map(|(_, rest)| rest.split_once(CLOSE).map_or(rest, |(what, _)| what))
}

/// What a value depends on, when it or anything in it is unknown.
pub fn unknown_within(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => unknown_in_text(text),
        Value::Array(items) => items.iter().find_map(unknown_within),
        Value::Object(map) => single(map).or_else(|| map.values().find_map(unknown_within)),
        _ => None,
    }
}

/// Everything that a value and what is in it depends on.
pub fn unknowns_within(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text.split(OPEN).skip(1).filter_map(|rest| rest.split(CLOSE).next()).collect(),
        Value::Array(items) => items.iter().flat_map(unknowns_within).collect(),
        Value::Object(map) => {
            single(map).map_or_else(|| map.values().flat_map(unknowns_within).collect(), |what| vec![what])
        }
        _ => Vec::new(),
    }
}

/// A text for people: what is unknown in it in words.
pub fn unknown_shown(text: &str) -> String {
    text.replace(OPEN, "(").replace(CLOSE, ")")
}

/// The first of the letters that stand for a description.
const HIDDEN: u32 = 0xF_2000;

/// A text with a letter for each description of what is unknown in it; [`show_hidden`] puts them back, so that nothing that is done to
/// the text in between is done to them.
pub fn hide_unknown(text: &str, hidden: &mut Vec<String>) -> String {
    let mut parts = text.split(OPEN);
    let mut shorter = parts.next().unwrap_or_default().to_owned();
    for (what, rest) in parts.map(|part| part.split_once(CLOSE).unwrap_or((part, ""))) {
        let letter = u32::try_from(hidden.len()).ok().and_then(|number| char::from_u32(HIDDEN + number));
        hidden.push(what.to_owned());
        shorter.extend([OPEN, letter.unwrap_or(OPEN), CLOSE]);
        shorter += rest;
    }
    shorter
}

/// A text with the descriptions that [`hide_unknown`] took out of it.
pub fn show_hidden(text: &str, hidden: &[String]) -> String {
    let mut longer = String::with_capacity(text.len());
    for letter in text.chars() {
        let number = u32::from(letter).checked_sub(HIDDEN).and_then(|number| usize::try_from(number).ok());
        match number.and_then(|number| hidden.get(number)) {
            Some(what) => longer += what,
            None => longer.push(letter),
        }
    }
    longer
}

/// A text with something else in place of what is unknown in it.
pub fn without_unknown(text: &str, instead: &str) -> String {
    let mut parts = text.split(OPEN);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + instead + part.split_once(CLOSE).map_or("", |(_, rest)| rest))
}

/// May this value be what was planned, where what was unknown may be anything?
pub fn as_planned(planned: &Value, now: &Value) -> bool {
    match (planned, now) {
        (Value::String(text), _) if unknown_in_text(text).is_some() => now.is_string(),
        (Value::Object(map), _) if single(map).is_some() => true,
        (Value::Array(planned), Value::Array(now)) => {
            planned.len() == now.len() && planned.iter().zip(now).all(|(planned, now)| as_planned(planned, now))
        }
        (Value::Object(planned), Value::Object(now)) => {
            planned.len() == now.len()
                && planned.iter().all(|(key, planned)| now.get(key).is_some_and(|now| as_planned(planned, now)))
        }
        _ => planned == now,
    }
}

/// What a call looks at or changes: a plan reads for real only what none of its planned changes touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touches {
    /// Nothing that any change can alter.
    Nothing,
    /// These, each a path of words: `["engine", "shop"]` overlaps `["engine"]` and `["engine", "shop", "web"]`.
    These(Vec<Vec<String>>),
    /// Nobody can tell: overlaps everything.
    Anything,
}

impl Touches {
    /// One thing.
    pub fn one(path: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::These(vec![path.into_iter().map(Into::into).collect()])
    }

    /// A file or folder of this machine: overlaps those above and below it.
    pub fn disk(path: &std::path::Path) -> Self {
        let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        Self::one(std::iter::once("disk".to_owned()).chain(parts))
    }

    /// Could one alter what the other sees?
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Anything, _) | (_, Self::Anything) => true,
            (Self::These(mine), Self::These(theirs)) => {
                mine.iter().any(|mine| theirs.iter().any(|theirs| mine.iter().zip(theirs).all(|(a, b)| a == b)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_overlaps_what_is_in_it_and_not_its_neighbour() {
        let folder = Touches::disk("/srv/app".as_ref());
        assert!(folder.overlaps(&Touches::disk("/srv/app/web.conf".as_ref())));
        assert!(folder.overlaps(&Touches::disk("/srv".as_ref())));
        assert!(!folder.overlaps(&Touches::disk("/srv/app2".as_ref())));
        assert!(!folder.overlaps(&Touches::one(["engine", "app"])));
        assert!(folder.overlaps(&Touches::Anything) && !folder.overlaps(&Touches::Nothing));
    }

    #[test]
    fn only_the_marker_alone_is_unknown() {
        assert_eq!(unknown_of(&unknown("what `x` returns")), Some("what `x` returns"));
        assert_eq!(unknown_of(&json!({ "$unknown": "x", "y": 1 })), None);
    }
}
