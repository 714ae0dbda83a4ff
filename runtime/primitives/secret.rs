//! `secret(name)`: a value that a script moves about without ever having it, and what can be made of one.

mod equal;
mod join;
mod transform;

use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches, Ty};
use crate::secrets::check_name;

/// The kind of its handle.
const SECRET: &str = "secret";

/// The function and everything around it.
pub(super) const ALL: &[&dyn Primitive] = &[
    &Secret,
    &equal::SecretEq,
    &join::SecretJoin,
    &transform::BASE64,
    &transform::URL_ENCODE,
    &transform::SHA256,
    &transform::BCRYPT,
    &transform::HTPASSWD,
];

/// Gives the handle of a secret.
struct Secret;

static SPEC: Spec = Spec {
    name: "secret",
    receiver: None,
    args: &[Arg::new("name", Ty::Str, "The secret's name.")],
    options: None,
    returns: Some(SECRET),
    effect: Effect::Read,
    summary: "A secret of the environment: it can be put where secrets may stand, and nowhere else.",
    example: r#"let password = secret("POSTGRES_PASSWORD")"#,
};

impl Primitive for Secret {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::secret(call.needed(0))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        check_name(call.str(0))?;
        context.services.secret(call.str(0)).map(Outcome::from)
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }
}
