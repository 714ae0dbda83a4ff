use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Ty};

/// `param(name)`: a parameter of the runbook.
pub struct Param;

static SPEC: Spec = Spec {
    name: "param",
    receiver: None,
    args: &[Arg::new("name", Ty::Str, "The parameter's name, as its `@param` line declares it.")],
    options: None,
    returns: None,
    effect: Effect::Pure,
    summary: "The value of a parameter: from the command line, else its default.",
    example: "let tag = param(\"tag\")",
};

impl Primitive for Param {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let parameters = context.services.params();
        parameters.get(call.str(0)).cloned().map(Outcome::from).ok_or_else(|| {
            let message = format!("the runbook declares no parameter `{}`", call.str(0));
            Failure::new(FailureKind::NotFound, message)
                .hint(format!("declare it in the header: `//! @param {}: string = \"…\"`", call.str(0)))
        })
    }
}
