use std::time::Instant;

use serde_json::Value;

use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Progress, Span, Spec, Ty,
};

/// `wait_until(name, block)`: asks again and again until the answer is yes.
pub struct WaitUntil;

crate::options! {
    /// Options of `wait_until`.
    pub struct Options {
        /// How long at most.
        within: Span = Span::seconds(60),
        /// How long to wait between two questions.
        every: Span = Span::seconds(1),
    }
}

static SPEC: Spec = Spec {
    name: "wait_until",
    receiver: None,
    args: &[
        Arg::new("name", Ty::Str, "What is waited for."),
        Arg::new("block", Ty::Block, "Returns `true` (or anything but `false` and nothing) once it is so."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Flow,
    summary: "Call a block again and again until it returns true.",
    example: "wait_until(\"the queue is empty\", || sh([\"queue\", \"size\"]).stdout == \"0\\n\", #{ within: \"5m\" })",
};

impl Primitive for WaitUntil {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn predict(&self, _context: &Context<'_>, _call: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(true))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let block = call.block(1)?;
        let began = Instant::now();
        for attempt in 1.. {
            let mut answer = Ok(Value::Null);
            context.services.in_attempt(context.path, attempt, &context.cancel, &mut || {
                answer = block.call(Vec::new());
            });
            let answer = answer?;
            if !matches!(answer, Value::Null | Value::Bool(false)) {
                return Ok(answer.into());
            }
            if began.elapsed() + options.every.0 > options.within.0 {
                break;
            }
            context.progress(Progress { doing: format!("asked {attempt} times"), ..Progress::default() });
            context.sleep_before(attempt + 1, options.every.0)?;
        }
        let message = format!("waited {} for `{}` in vain", options.within, call.str(0));
        Err(Failure::new(FailureKind::Timeout, message).hint("give it more time with `within`"))
    }
}
