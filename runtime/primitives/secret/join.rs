use super::SECRET;
use crate::primitive::{Arg, Call, Context, Effect, Failure, MakeSecret, Need, Outcome, Primitive, Sink, Spec, Ty};
use crate::secrets::SecretText;

/// `secret_join(parts, separator)`: one secret out of several texts.
pub(super) struct SecretJoin;

static SPEC: Spec = Spec {
    name: "secret_join",
    receiver: None,
    args: &[
        Arg::new("parts", Ty::Strings, "Texts and secrets, in their order."),
        Arg::optional("separator", Ty::Str, "What stands between them; nothing when left out."),
    ],
    options: None,
    returns: Some(SECRET),
    effect: Effect::Pure,
    summary: "Makes one secret out of texts and secrets, to be changed as a whole.",
    example: r#"let login = secret_join(["deploy", secret("REGISTRY_TOKEN")], ":").base64()"#,
};

impl Primitive for SecretJoin {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("parts", "a part of the new secret"), Sink::new("separator", "a part of the new secret")]
    }

    fn needs(&self, _call: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let text = call.strings(0).join(call.str(1));
        let whole: MakeSecret =
            Box::new(|texts, _| Ok(SecretText::new(texts.iter().map(SecretText::expose).collect::<String>())));
        context.services.make_secret("join", &[&text], whole).map(Outcome::from)
    }
}
