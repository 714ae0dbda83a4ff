use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Ty};

/// `undo(name, block)`: registers a compensation.
pub struct Undo;

static SPEC: Spec = Spec {
    name: "undo",
    receiver: None,
    args: &[
        Arg::new("name", Ty::Str, "What people see when it runs."),
        Arg::new("block", Ty::Block, "What puts things back."),
    ],
    options: None,
    returns: None,
    // Registering is no event of its own: it is seen when the block runs.
    effect: Effect::Pure,
    summary: "Register what puts things back if a later call fails or the run is cancelled.",
    example: "undo(\"put the previous release back\", || app.up(before))",
};

impl Primitive for Undo {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        context.services.undo(call.str(0), call.block(1)?.clone());
        Ok(Value::Null.into())
    }
}
