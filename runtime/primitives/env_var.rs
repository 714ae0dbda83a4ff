use serde_json::Value;

use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches, Ty};
use crate::secrets::secret_in;

/// `env_var(name)`: an environment variable of the `runbook` process.
pub struct EnvVar;

static SPEC: Spec = Spec {
    name: "env_var",
    receiver: None,
    args: &[
        Arg::new("name", Ty::Str, "The variable's name."),
        Arg::optional("default", Ty::Any, "What to return when it is not set; without it, the call fails."),
    ],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "An environment variable of this process; one that looks like a secret is masked in everything shown.",
    example: r#"let token = env_var("REGISTRY_TOKEN")"#,
};

impl Primitive for EnvVar {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::variable(call.needed(0))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let name = call.str(0);
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(Failure::new(FailureKind::Argument, format!("{name:?} cannot be the name of a variable")));
        }
        match std::env::var(name) {
            Ok(value) => {
                if let Some(secret) = secret_in(name, &value) {
                    context.services.mask(secret);
                }
                Ok(Value::from(value).into())
            }
            Err(std::env::VarError::NotPresent) => match call.optional(1) {
                Some(default) => Ok(Outcome::from(default.clone()).note("not set")),
                None => Err(missing(name)),
            },
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Failure::new(FailureKind::Invalid, format!("the environment variable `{name}` is not text")))
            }
        }
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }

    fn observed(&self, call: &Call, result: &Value) -> Value {
        let secret = result.as_str().and_then(|value| secret_in(call.str(0), value));
        if secret.is_some() { Value::Null } else { result.clone() }
    }
}

fn missing(name: &str) -> Failure {
    let failure = Failure::new(FailureKind::NotFound, format!("the environment variable `{name}` is not set"));
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let failure = failure.did_you_mean(name, names.iter().map(String::as_str));
    failure.hint(format!("set it where `runbook` is started, or give a default: `env_var({name:?}, \"…\")`"))
}
