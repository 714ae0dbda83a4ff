//! `@daily` and the like.

use super::problem::Problem;
use super::{Fields, five, words};
use crate::failure::nearest;

/// A nickname and the five fields it stands for.
const NICKNAMES: &[(&str, &str)] = &[
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Reads a nickname. Like the five fields it stands for; `@hourly` alone follows the wall clock.
pub(super) fn parse(text: &str) -> Result<Fields, Problem> {
    let words = words(text);
    let (place, word) = words.first().copied().unwrap_or_default();
    if let Some((more, _)) = words.get(1) {
        let length = text[*more..].trim_end().chars().count();
        return Err(Problem::at(text, *more, length, format!("nothing may follow `{word}`")));
    }
    if let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| *name == word) {
        return five(fields).map(|(fields, _)| fields);
    }
    let problem = |message: String| Problem::at(text, place, word.chars().count(), message);
    if word == "@reboot" {
        return Err(problem("`@reboot` is no time: it has no place among the fires that are expected".into())
            .hint("a systemd unit with `WantedBy=multi-user.target` runs something when the machine starts"));
    }
    let lower = word.to_ascii_lowercase();
    Err(problem(format!("there is no `{word}`")).hint(match nearest(&lower, NICKNAMES.iter().map(|(name, _)| *name)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "there are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly".to_owned(),
    }))
}
