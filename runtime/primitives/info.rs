use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, LogStream, Need, Outcome, Primitive, Spec, Ty};

/// `info(text)`: a line for people.
pub struct Info;

static SPEC: Spec = Spec {
    name: "info",
    receiver: None,
    args: &[Arg::new("text", Ty::Any, "What to write; anything but a string is written as JSON.")],
    options: None,
    returns: None,
    effect: Effect::Pure,
    summary: "Write a line to the console and the run's log.",
    example: "info(\"deploying \" + param(\"tag\"))",
};

impl Primitive for Info {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let text = call.args[0].as_str().map_or_else(|| call.args[0].to_string(), str::to_owned);
        text.lines().for_each(|line| context.log(LogStream::Info, line));
        Ok(Value::Null.into())
    }
}
