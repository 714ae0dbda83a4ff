use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Ty};

/// `step(name, block)`: groups calls under a name.
pub struct Step;

static SPEC: Spec = Spec {
    name: "step",
    receiver: None,
    args: &[
        Arg::new("name", Ty::Str, "What people see, and what logs and history are keyed by."),
        Arg::new("block", Ty::Block, "The calls of the step. Its value is the step's value."),
    ],
    options: None,
    returns: None,
    effect: Effect::Flow,
    summary: "Group calls under a name that people see.",
    example: "step(\"pull\", || app.pull())",
};

impl Primitive for Step {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let value: Value = call.block(1)?.call(Vec::new())?;
        Ok(value.into())
    }
}
