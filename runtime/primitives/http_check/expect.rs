use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;

use super::json::differences;
use super::options::{Options, Statuses};
use crate::drivers::http::Answer;
use crate::primitive::{ByteSize, Failure, FailureKind};

/// How many problems of one answer a message names.
const NAMED: usize = 5;

/// What an answer must be like, checked before anything is sent.
pub(super) struct Expectation {
    status: Statuses,
    json: Option<Value>,
    texts: Vec<String>,
    pattern: Option<Regex>,
    min_days: Option<i64>,
    max_body: ByteSize,
}

impl Expectation {
    pub(super) fn new(options: &Options) -> Result<Self, Failure> {
        let pattern = options.matches.as_deref().map(|text| {
            Regex::new(text).map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Failure::new(
                    FailureKind::Option,
                    format!("option `matches` is not a regular expression: `{text}`: {reason}"),
                )
            })
        });
        Ok(Self {
            status: options.status.clone(),
            json: options.json.clone(),
            texts: options.text.0.clone(),
            pattern: pattern.transpose()?,
            min_days: options.tls.min_days,
            max_body: options.max_body,
        })
    }

    /// Fails with every way in which the answer is not as expected.
    pub(super) fn compare(&self, answer: &Answer) -> Result<(), Failure> {
        let problems = self.problems(answer);
        if problems.is_empty() {
            return Ok(());
        }
        let mut text = problems.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
        if problems.len() > NAMED {
            text.push_str(&format!("; and {} more", problems.len() - NAMED));
        }
        let failure = Failure::new(FailureKind::Check, format!("`{}`: {text}", answer.url));
        Err(match self.advice(answer) {
            Some(advice) => failure.hint(advice),
            None => failure,
        })
    }

    fn problems(&self, answer: &Answer) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.status.include(answer.status) {
            problems.push(format!("status {}, expected {}", answer.status_line(), self.status));
        }
        if let Some(expected) = &self.json {
            match answer.json() {
                Some(found) => problems.extend(differences(expected, &found)),
                None if answer.truncated => problems.push(format!(
                    "the body is longer than `max_body` ({}), so it cannot be read as JSON",
                    self.max_body
                )),
                None if answer.body.is_empty() => problems.push("the body is empty, expected JSON".into()),
                None => problems.push("the body is not JSON".into()),
            }
        }
        let body = answer.text();
        let place =
            if answer.truncated { format!("the first {} of the body", self.max_body) } else { "the body".into() };
        for text in self.texts.iter().filter(|text| !body.contains(text.as_str())) {
            problems.push(format!("{place} does not contain `{text}`"));
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(&body)) {
            problems.push(format!("{place} does not match `{pattern}`"));
        }
        if let (Some(least), Some(certificate)) = (self.min_days, &answer.certificate) {
            let days = certificate.days_left(Timestamp::now());
            if days < least {
                problems.push(format!(
                    "the certificate expires in {days} days, on {}, expected at least {least} days",
                    certificate.not_after.strftime("%Y-%m-%d")
                ));
            }
        } else if self.min_days.is_some() {
            problems.push("`min_days` asks for a certificate, but the answer came over plain http".into());
        }
        problems
    }

    /// What a wrong status usually means.
    fn advice(&self, answer: &Answer) -> Option<String> {
        if self.status.include(answer.status) {
            return None;
        }
        match answer.status {
            301 | 302 | 303 | 307 | 308 => answer
                .header("location")
                .map(|location| format!("it redirects to `{location}`; raise `redirects` to follow")),
            401 | 403 => Some("does it need credentials? give `basic_auth`, or a header".into()),
            404 => Some("is the path of the URL right?".into()),
            502 | 504 => Some("a proxy answers, and what is behind it does not: look at the application's log".into()),
            _ => None,
        }
    }
}
