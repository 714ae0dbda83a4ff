use serde_json::Value;

use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Span, Spec, Touches, Ty,
};

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
    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }

    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let time = Span::parse(call.str(0)).map_err(|why| Failure::new(FailureKind::Argument, why))?;
        if !context.planning {
            context.sleep(time.0)?;
        }
        Ok(Value::Null.into())
    }
}
