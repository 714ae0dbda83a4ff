use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Ty};

/// `always(block)`: registers a block for the end of the run.
pub struct Always;

static SPEC: Spec = Spec {
    name: "always",
    receiver: None,
    args: &[Arg::new("block", Ty::Block, "What runs at the end, after the undo blocks if there are any.")],
    options: None,
    returns: None,
    effect: Effect::Pure,
    summary: "Run a block at the end of the run, whether it went well or not.",
    example: "always(|| file(\"maintenance.flag\").remove())",
};

impl Primitive for Always {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        context.services.always(call.block(0)?.clone());
        Ok(Value::Null.into())
    }
}
