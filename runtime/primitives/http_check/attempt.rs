use std::time::{Duration, Instant};

use super::Target;
use crate::drivers::http::{self, Answer, Gate};
use crate::primitive::{Context, Failure, FailureKind, Progress};

/// How one URL ended.
#[derive(Default)]
pub(super) struct Attempts {
    /// The URL as asked.
    pub(super) url: String,
    /// How often it was asked.
    pub(super) count: u32,
    /// The last answer there was, whether or not it was the expected one.
    pub(super) answer: Option<Answer>,
    /// Why the last attempt did not pass.
    pub(super) failure: Option<Failure>,
}

/// The least time an attempt is given at the end of `within`.
const LEAST: Duration = Duration::from_millis(100);

/// Asks until the answer is the expected one or `within` is over; once, without `within`.
pub(super) async fn until_met(context: &Context<'_>, target: &Target<'_>, gate: &dyn Gate) -> Attempts {
    let started = Instant::now();
    let mut request = target.request.clone();
    let mut attempts = Attempts { url: request.address().to_string(), count: 0, answer: None, failure: None };
    let mut answered_at = 0;
    loop {
        attempts.count += 1;
        if let Some(within) = target.options.within {
            request.timeout = target.options.timeout.0.min(within.0.saturating_sub(started.elapsed())).max(LEAST);
        }
        match http::send(&request, gate).await {
            Ok(answer) => {
                attempts.failure = target.expectation.compare(&answer).err();
                attempts.answer = Some(answer);
                answered_at = attempts.count;
            }
            Err(failure) => attempts.failure = Some(failure),
        }
        let Some(failure) = &attempts.failure else { return attempts };
        let within = target.options.within.map_or(Duration::ZERO, |within| within.0);
        if failure.kind == FailureKind::Refused || started.elapsed() + target.options.every.0 >= within {
            break;
        }
        context.progress(Progress {
            item: if target.one_of_many { attempts.url.clone() } else { String::new() },
            doing: format!("attempt {}: {}", attempts.count, without_url(&failure.message)),
            ..Progress::default()
        });
        tokio::time::sleep(target.options.every.0).await;
    }
    attempts.failure = attempts.failure.take().map(|failure| last_words(failure, target, &attempts, answered_at));
    attempts
}

/// Adds how long it was tried, and the last answer.
fn last_words(mut failure: Failure, target: &Target<'_>, attempts: &Attempts, answered_at: u32) -> Failure {
    if let Some(within) = target.options.within {
        let times = if attempts.count == 1 { "1 attempt".to_owned() } else { format!("{} attempts", attempts.count) };
        failure.message.push_str(&format!(" (after {times} within {within})"));
    }
    let Some(answer) = &attempts.answer else { return failure };
    let mut title = if target.options.within.is_some() { "last answer".to_owned() } else { "answer".to_owned() };
    if answered_at < attempts.count {
        title.push_str(&format!(", attempt {answered_at}"));
    }
    if target.one_of_many {
        title.push_str(&format!(" of {}", attempts.url));
    }
    failure.evidence(title, answer.excerpt())
}

/// The problem alone: progress is shown beside the URL already.
fn without_url(message: &str) -> &str {
    let rest = message.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
    rest.map_or(message, |(_, problem)| problem)
}
