use std::time::Duration;

use serde_json::{Value, json};

use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Primitive, Span, Spec, Ty,
};

/// `retry(#{ … }, block)`: runs a block until it does not fail.
pub struct Retry;

crate::options! {
    /// Options of `retry`.
    pub struct Options {
        /// How often at most, the first attempt included.
        times: u32 = 3,
        /// How long to wait before the second attempt.
        delay: Span = Span::seconds(1),
        /// By what factor the wait grows with each further attempt.
        backoff: f64 = 1.0,
        /// The longest wait between two attempts.
        max_delay: Span = Span::seconds(60),
    }
}

static SPEC: Spec = Spec {
    name: "retry",
    receiver: None,
    args: &[
        Arg::new("limits", Ty::Options, "How often and how long: `times`, `delay`, `backoff`, `max_delay`."),
        Arg::new("block", Ty::Block, "What to try; it may take the attempt's number, from 1."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Flow,
    summary: "Run a block again until it does not fail.",
    example: "retry(#{ times: 5, delay: \"2s\", backoff: 2.0 }, |attempt| app.pull())",
};

impl Primitive for Retry {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn preview(&self, _call: &Call) -> String {
        "retry".into()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let limits: Options = call.options()?;
        if limits.times == 0 || !(limits.backoff.is_finite() && limits.backoff >= 1.0) {
            let message = "`retry`: `times` must be at least 1 and `backoff` at least 1.0";
            return Err(Failure::new(FailureKind::Option, message));
        }
        let block = call.block(1)?;
        let mut delay = limits.delay.0;
        for attempt in 1..=limits.times {
            let mut result: Result<Value, Failure> = Ok(Value::Null);
            let branch = usize::try_from(attempt).unwrap_or_default();
            context.services.in_attempt(context.path, branch, &context.cancel, &mut || {
                result = block.call(vec![json!(attempt)]);
            });
            let failure = match result {
                Ok(value) => return Ok(Outcome::from(value)),
                Err(failure) if failure.is_passing_through() || attempt == limits.times => return Err(failure),
                Err(failure) => failure,
            };
            let wait = Span(delay);
            context.log(
                LogStream::Warn,
                &format!("attempt {attempt} of {} failed: {failure}; again in {wait}", limits.times),
            );
            context.sleep_before(branch + 1, delay)?;
            delay = Duration::try_from_secs_f64(delay.as_secs_f64() * limits.backoff).unwrap_or(limits.max_delay.0);
            delay = delay.min(limits.max_delay.0);
        }
        Err(Failure::new(FailureKind::System, "`retry` ended without an attempt"))
    }
}
