use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Span, Spec, Ty};

/// `confirm(question)`: goes on only when a person says yes.
pub struct Confirm;

crate::options! {
    /// Options of `confirm`.
    pub struct Options {
        /// How long a question that had to wait for a person can still be answered with yes.
        expires: Span = Span::seconds(24 * 3600),
        /// What has to be typed at a terminal to say yes: the name of something that cannot be brought back.
        name: Option<String>,
    }
}

static SPEC: Spec = Spec {
    name: "confirm",
    receiver: None,
    args: &[Arg::new("question", Ty::Str, "What is asked.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Ask a person, and stop the run unless the answer is yes.",
    example: "confirm(\"Replace api on prod?\")",
};

impl Primitive for Confirm {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let yes = context.services.confirm(context.path, call.str(0), options.expires.0, options.name.as_deref())?;
        context.still_wanted()?;
        if yes {
            return Ok(Outcome::from(Value::Bool(true)).note("yes"));
        }
        Err(Failure::new(FailureKind::Refused, format!("the answer to `{}` was no", call.str(0))))
    }
}
