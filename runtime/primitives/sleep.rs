use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Span, Spec, Ty};

/// `sleep(time)`: waits, unless the run is told to stop.
pub struct Sleep;

static SPEC: Spec = Spec {
    name: "sleep",
    receiver: None,
    args: &[Arg::new("time", Ty::Duration, "How long.")],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Wait for a while; Ctrl-C ends it at once.",
    example: "sleep(\"5s\")",
};

impl Primitive for Sleep {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let time = Span::parse(call.str(0)).map_err(|why| Failure::new(FailureKind::Argument, why))?;
        context.sleep(time.0)?;
        Ok(Value::Null.into())
    }
}
