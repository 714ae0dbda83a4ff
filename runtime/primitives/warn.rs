use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, LogStream, Need, Outcome, Primitive, Spec, Ty};

/// `warn(text)`: a line for people.
pub struct Warn;

static SPEC: Spec = Spec {
    name: "warn",
    receiver: None,
    args: &[Arg::new("text", Ty::Any, "What to write; anything but a string is written as JSON.")],
    options: None,
    returns: None,
    effect: Effect::Pure,
    summary: "Write a warning to the console and the run's log.",
    example: "warn(\"no backup was made\")",
};

impl Primitive for Warn {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let text = call.args[0].as_str().map_or_else(|| call.args[0].to_string(), str::to_owned);
        text.lines().for_each(|line| context.log(LogStream::Warn, line));
        Ok(Value::Null.into())
    }
}
