//! Rules that a script gives about the values of variables. A message never shows a value: it may be a secret.

use std::sync::LazyLock;

use regex::Regex;

use super::{Options, Values};
use crate::primitive::{Failure, FailureKind};

/// What people leave behind where a value should have gone.
#[allow(clippy::expect_used)] // a literal that every test run compiles
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)^(change[-_ ]?(me|this|it)|todo|fixme|tbd|placeholder|replace[-_ ]?(me|this)|dummy|\.{3}|x{3,})$|^(your|my)[-_ ].+|^<.*>$|^\{\{.*\}\}$|x{4,}$|change[-_]?me|^(insert|enter|put)[-_ ].*here$",
    )
    .expect("a valid expression")
});

/// The rules, with their expressions compiled.
pub(super) struct Rules<'a> {
    options: &'a Options,
    patterns: Vec<(&'a String, Regex)>,
}

impl<'a> Rules<'a> {
    /// Checks the rules themselves.
    pub fn new(options: &'a Options) -> Result<Self, Failure> {
        let compile = |(name, pattern): (&'a String, &'a String)| {
            Regex::new(pattern).map(|regex| (name, regex)).map_err(|error| {
                let last =
                    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Failure::new(
                    FailureKind::Option,
                    format!("option `pattern.{name}`: `{pattern}` is not a regular expression: {last}"),
                )
            })
        };
        Ok(Self { options, patterns: options.pattern.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// What the values break.
    pub fn problems(&self, values: &Values) -> Vec<String> {
        let mut problems = Vec::new();
        for name in &self.options.required {
            match values.of.get(name) {
                None => problems.push(format!("`{name}` is required and not set")),
                Some((value, place)) if value.trim().is_empty() => {
                    problems.push(format!("{place}: `{name}` is required and empty"));
                }
                Some(_) => {}
            }
        }
        let mut check = |name: &str, holds: &dyn Fn(&str) -> bool, otherwise: String| {
            // What is not there is no business of a rule about its value.
            if let Some((value, place)) = values.of.get(name)
                && !holds(value)
            {
                problems.push(format!("{place}: `{name}` {otherwise}"));
            }
        };
        for (name, regex) in &self.patterns {
            check(name, &|value| regex.is_match(value), format!("does not match `{}`", regex.as_str()));
        }
        for name in &self.options.url {
            check(name, &is_url, "is not a URL like `scheme://host/…`".to_owned());
        }
        for (name, allowed) in &self.options.one_of {
            let list = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            check(name, &|value| allowed.iter().any(|one| one == value), format!("must be one of {list}"));
        }
        for (name, least) in &self.options.min_length {
            check(
                name,
                &|value| value.chars().count() >= *least,
                format!("is too short: it needs at least {least} characters"),
            );
        }
        if self.options.not_placeholder {
            for name in values.of.keys() {
                let filled = |value: &str| !PLACEHOLDER.is_match(value.trim());
                check(name, &filled, "still holds a placeholder".to_owned());
            }
        }
        problems
    }
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
    fn placeholders_are_told_from_values() {
        for left in
            ["changeme", "CHANGE_ME", "your-64-char-hex-secret", "sk-ant-xxxxx", "<token>", "...", "xxx", "todo"]
        {
            assert!(PLACEHOLDER.is_match(left), "{left}");
        }
        for real in ["s3cr3t-value", "postgres", "exchange", "9f2c1d", "redis://redis:6379/0", "mytoken", "INFO"] {
            assert!(!PLACEHOLDER.is_match(real), "{real}");
        }
    }

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
