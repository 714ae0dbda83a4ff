//! Rules about the values of variables, for whoever reads or writes them. A message never shows a value: it may be a secret.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use crate::primitive::OptionType;
use crate::secrets::{entropy_bits, is_placeholder};

crate::options! {
    /// What values must be like. A rule about a value says nothing of a variable that is not there.
    pub struct Schema {
        /// Variables that must be there and not be empty.
        required: Vec<String>,
        /// Regular expressions that values must match, by variable.
        pattern: BTreeMap<String, Pattern>,
        /// Variables that must be URLs with a scheme and a host.
        url: Vec<String>,
        /// Variables that must be whole numbers.
        integer: Vec<String>,
        /// Variables that must be port numbers: 1 to 65535.
        port: Vec<String>,
        /// The values a variable may have.
        one_of: BTreeMap<String, Vec<String>>,
        /// How many characters a value must have at least, by variable.
        min_length: BTreeMap<String, usize>,
        /// How many bits a value must have at least that nobody can guess, by variable.
        min_entropy: BTreeMap<String, u32>,
        /// Refuse values that were never filled in, as in `changeme`, `your-api-key` or `sk-xxxxx`.
        not_placeholder: bool = false,
    }
}

impl OptionType for Schema {
    fn label() -> String {
        "map of rules".to_owned()
    }
}

/// A regular expression of a script.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl OptionType for Pattern {
    fn label() -> String {
        "regular expression".to_owned()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pattern = String::deserialize(deserializer)?;
        Regex::new(&pattern).map(Self).map_err(|error| {
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            serde::de::Error::custom(format!("must be a regular expression, and `{pattern}` is none: {why}"))
        })
    }
}

/// Variables with the place where each was set.
#[derive(Clone, Default)]
pub(super) struct Variables {
    /// Value and place, as in `.env:3`, by name. The place is empty where there is only one.
    pub of: BTreeMap<String, (String, String)>,
}

impl Schema {
    /// What is wrong with these variables, all of it.
    pub(super) fn problems(&self, variables: &Variables) -> Vec<String> {
        let mut problems = Vec::new();
        for name in &self.required {
            match variables.of.get(name) {
                None => problems.push(format!("`{name}` is required and not set")),
                Some((value, place)) if value.trim().is_empty() => {
                    problems.push(at(place, &format!("`{name}` is required and empty")));
                }
                Some(_) => {}
            }
        }
        let mut check = |name: &str, holds: &dyn Fn(&str) -> bool, otherwise: &str| {
            if let Some((value, place)) = variables.of.get(name)
                && !holds(value)
            {
                problems.push(at(place, &format!("`{name}` {otherwise}")));
            }
        };
        for (name, Pattern(regex)) in &self.pattern {
            check(name, &|value| regex.is_match(value), &format!("does not match `{}`", regex.as_str()));
        }
        for name in &self.url {
            check(name, &is_url, "is not a URL like `scheme://host/…`");
        }
        for name in &self.integer {
            check(name, &|value| value.parse::<i64>().is_ok(), "is not a whole number");
        }
        for name in &self.port {
            check(name, &|value| value.parse::<u16>().is_ok_and(|port| port > 0), "is not a port: 1 to 65535");
        }
        for (name, allowed) in &self.one_of {
            let list = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            check(name, &|value| allowed.iter().any(|one| one == value), &format!("must be one of {list}"));
        }
        for (name, least) in &self.min_length {
            let otherwise = format!("is too short: it needs at least {least} characters");
            check(name, &|value| value.chars().count() >= *least, &otherwise);
        }
        for (name, least) in &self.min_entropy {
            let otherwise = format!("is too easy to guess: it needs at least {least} bits of chance");
            check(name, &|value| entropy_bits(value) >= f64::from(*least), &otherwise);
        }
        if self.not_placeholder {
            for name in variables.of.keys() {
                check(name, &|value| !is_placeholder(value), "still holds a placeholder");
            }
        }
        problems
    }
}

fn at(place: &str, problem: &str) -> String {
    if place.is_empty() { problem.to_owned() } else { format!("{place}: {problem}") }
}

fn is_url(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    !scheme.is_empty()
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        && !host.trim_start_matches('[').is_empty()
        && !host.starts_with(':')
        && !value.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_need_a_scheme_and_a_host() {
        for good in ["redis://redis:6379/0", "postgresql+asyncpg://u:p@db/app", "https://[::1]/x"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["redis:6379", "://x", "http://", "http:///x", "http://a b", "http://:80"] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
