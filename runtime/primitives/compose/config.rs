//! `compose.config`: what the files say once everything is read.

use serde_json::json;

use super::app::App;
use super::described;
use crate::primitive::{Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches};

/// The application as data.
pub(super) struct Config;

crate::options! {
    /// Options of `compose.config`.
    pub struct Options {
        /// Only these services and what they depend on.
        services: Vec<String>,
    }
}

static SPEC: Spec = Spec {
    name: "config",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Returns what the compose files say, merged, with variables replaced and everything written out.",
    example: "let image = app.config().services.api.image;",
};

impl Primitive for Config {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        described(&call.receiver)
    }

    fn preview(&self, call: &Call) -> String {
        format!("read the compose files of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let mut app = App::open(context, call)?;
        app.only(&options.services)?;
        app.warn();
        let note = super::count(app.model.services.len(), "service");
        Ok(Outcome::from(json!(app.model.to_json())).note(note))
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        super::files(context, call)
    }
}
