//! Mistakes in files that people write: told with file, line and column.

use super::{Failure, FailureKind, nearest};

/// Line and column of a byte, both counted from 1; the column counts characters.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or_default();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

/// The name that a reader of data does not know, and those that it knows, out of its message; `what` is its word for them.
pub fn unknown_name<'m>(message: &'m str, what: &str) -> Option<(&'m str, Vec<&'m str>)> {
    let (_, rest) = message.split_once(&format!("unknown {what} `"))?;
    let mut words = rest.split('`');
    Some((words.next()?, words.skip(1).step_by(2).collect()))
}

/// What a reader of data has against a value, in the words of people: `must be a number, got a list`.
pub fn in_plain_words(message: &str) -> String {
    let Some(rest) = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: ")) else {
        return message.to_owned();
    };
    let Some((got, expected)) = rest.split_once(", expected ") else { return message.to_owned() };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "an integer of at least 0",
        "i8" | "i16" | "i32" | "i64" => "an integer",
        "f64" | "f32" => "a number",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        other => other.strip_prefix("struct ").map_or(other, |_| "a map"),
    };
    let got = match got.split_once(' ') {
        Some(("sequence", _)) => "a list".to_owned(),
        None if got == "sequence" => "a list".to_owned(),
        None if got == "map" => "a map".to_owned(),
        _ => got.replace("floating point", "number").replace("boolean", "bool"),
    };
    format!("must be {expected}, got {got}")
}

impl Failure {
    /// A mistake at a byte of a file's text: `runbook.toml:9:1: …`.
    pub fn in_file(file: &str, text: &str, offset: usize, message: impl std::fmt::Display) -> Self {
        let (line, column) = position(text, offset);
        Self::new(FailureKind::Invalid, format!("{file}:{line}:{column}: {message}"))
    }

    /// What the reader of TOML has against a file's text.
    pub fn in_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = plain(&error.message().trim_end().replace('\n', ", "));
        let (what, name, known, told) = if let Some((name, known)) = unknown_name(&message, "field") {
            ("keys", name, known, format!("there is no key `{name}` here"))
        } else if let Some((name, known)) = unknown_name(&message, "variant") {
            ("words", name, known, format!("`{name}` is none of the words that may stand here"))
        } else {
            return Self::in_file(file, text, offset, message);
        };
        let failure = Self::in_file(file, text, offset, told);
        match nearest(name, known.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("the {what} are {}", known.join(", "))),
        }
    }
}

/// The reader's message without the names that the types of this program have.
fn plain(message: &str) -> String {
    let types =
        ["expected internally tagged enum ", "expected adjacently tagged enum ", "expected struct ", "expected enum "];
    let message = match message.strip_prefix("missing field ") {
        Some(name) => format!("the key {name} is missing"),
        None => message.to_owned(),
    };
    types.into_iter().fold(message, |message, ty| {
        let mut parts = message.split(ty);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, rest| {
            let name = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
            text + "expected a table" + &rest[name..]
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_in_lines_and_characters() {
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("aä\nöx", 6), (2, 2));
        assert_eq!(position("a\n", 99), (2, 1));
    }

    #[test]
    fn the_names_are_taken_out_of_the_message() {
        let of = |message| unknown_name(message, "field");
        assert_eq!(of("unknown field `x`, expected one of `a`, `b`"), Some(("x", vec!["a", "b"])));
        assert_eq!(of("unknown field `x`, there are no fields"), Some(("x", vec![])));
        assert_eq!(of("missing field `x`"), None);
    }

    #[test]
    fn a_key_that_there_is_not_is_told_with_the_one_that_was_meant() {
        #[derive(serde::Deserialize, Debug)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Yes,
        }
        #[derive(serde::Deserialize, Debug)]
        #[serde(deny_unknown_fields)]
        struct Known {
            #[serde(rename = "allow")]
            _allow: Vec<Word>,
        }
        let failure = |text: &str| Failure::in_toml("x.toml", text, &toml::from_str::<Known>(text).unwrap_err());
        let slip = failure("\nalow = []\n");
        assert_eq!(
            (slip.message.as_str(), slip.hints),
            ("x.toml:2:1: there is no key `alow` here", vec!["did you mean `allow`?".to_owned()])
        );
        assert_eq!(failure("zebra = 1").hints, ["the keys are allow"]);
        let word = failure("allow = ['on']");
        assert_eq!(word.message, "x.toml:1:10: `on` is none of the words that may stand here");
        assert_eq!(word.hints, ["the words are yes"]);
        assert_eq!(failure("").message, "x.toml:1:1: the key `allow` is missing");
        let open = failure("allow = [\n").message;
        assert!(open.starts_with("x.toml:") && open.contains("unclosed array"), "{open}");
    }
}
