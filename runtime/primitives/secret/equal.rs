use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Sink, Spec, Touches, Ty};
use crate::secrets::SecretText;

/// `secret_eq(a, b)`: are both the same?
pub(super) struct SecretEq;

static SPEC: Spec = Spec {
    name: "secret_eq",
    receiver: None,
    args: &[
        Arg::new("one", Ty::Str, "A secret, or a text with secrets in it."),
        Arg::new("other", Ty::Str, "What it is compared with."),
    ],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "Whether two secrets are the same. `==` cannot tell, because a script never has one.",
    example: r#"if secret_eq(secret("OLD_KEY"), secret("NEW_KEY")) { warn("the key was not rotated"); }"#,
};

impl Primitive for SecretEq {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("one", "what is compared"), Sink::new("other", "what it is compared with")]
    }

    fn needs(&self, _call: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let same = SecretText::new(call.str(0)).equals(&SecretText::new(call.str(1)));
        Ok(Value::from(same).into())
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }
}
