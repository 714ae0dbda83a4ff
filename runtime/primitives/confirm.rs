use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Spec, Ty};

/// `confirm(question)`: goes on only when a person says yes.
pub struct Confirm;

static SPEC: Spec = Spec {
    name: "confirm",
    receiver: None,
    args: &[Arg::new("question", Ty::Str, "What is asked.")],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Ask a person, and stop the run unless the answer is yes.",
    example: "confirm(\"Replace api on prod?\")",
};

impl Primitive for Confirm {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let yes = context.services.confirm(call.str(0))?;
        context.still_wanted()?;
        if yes {
            return Ok(Outcome::from(Value::Bool(true)).note("yes"));
        }
        Err(Failure::new(FailureKind::Refused, format!("the answer to `{}` was no", call.str(0))))
    }
}
