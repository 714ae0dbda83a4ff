//! `compose.service`: names one service, for what works on a single one.

use serde_json::json;

use super::app::App;
use super::described;
use super::descriptor::Descriptor;
use crate::primitive::{Arg, Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Ty, handle};

/// Names a service.
pub(super) struct ServiceOf;

static SPEC: Spec = Spec {
    name: "service",
    receiver: Some("compose"),
    args: &[Arg::new("name", Ty::Str, "The service.")],
    options: None,
    returns: Some("service"),
    effect: Effect::Pure,
    summary: "Names one service of the application.",
    example: r#"let database = app.service("postgres");"#,
};

impl Primitive for ServiceOf {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        described(&call.receiver)
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let app = App::open(context, call)?;
        let service = app.service(call.str(0))?;
        let descriptor = Descriptor::of(call)?;
        let fields = json!({ "name": service.name, "project": app.name(), "app": descriptor.handle() });
        Ok(handle("service", fields).into())
    }
}
