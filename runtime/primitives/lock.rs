use serde_json::json;

use crate::primitive::{
    Arg, Call, Context, Effect, Failure, LeaseRequest, Need, Outcome, Primitive, Progress, Span, Spec, Ty, handle,
};

/// `lock(name)`: keeps other runs out until this one ends.
pub struct Lock;

crate::options! {
    /// Options of `lock`.
    pub struct Options {
        /// How long to wait for the present holder; at once by default.
        wait: Span = Span::seconds(0),
    }
}

static SPEC: Spec = Spec {
    name: "lock",
    receiver: None,
    args: &[Arg::new("name", Ty::Str, "The lock's name: runs that take the same name exclude each other.")],
    options: Some(Options::SPEC),
    returns: Some("lock"),
    // Held by the process, not by the world: a run that is gone on with takes it again.
    effect: Effect::Flow,
    summary: "Keep every other run that takes the same lock out until this run ends.",
    example: "lock(\"deploy/prod\", #{ wait: \"10m\" })",
};

impl Primitive for Lock {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let request = LeaseRequest { name: call.str(0).to_owned(), wait: options.wait.0 };
        context.services.acquire(&request, &context.cancel, &|holder| {
            context.progress(Progress {
                doing: format!("waiting for run {} of {} at `{}`", holder.run, holder.owner, holder.step),
                ..Progress::default()
            });
        })?;
        Ok(handle("lock", json!({ "name": call.str(0) })).into())
    }
}
