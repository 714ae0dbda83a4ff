use serde_json::json;

use crate::primitive::{
    Arg, Call, Context, Effect, Failure, LeaseRequest, Outcome, Primitive, Progress, Span, Spec, Ty, handle,
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
    effect: Effect::Change,
    summary: "Keep every other run that takes the same lock out until this run ends.",
    example: "lock(\"deploy/prod\", #{ wait: \"10m\" })",
};

impl Primitive for Lock {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let request = LeaseRequest { name: call.str(0).to_owned(), wait: options.wait.0 };
        let lease = context.services.acquire(&request, &context.cancel, &|holder| {
            context.progress(Progress {
                doing: format!("waiting for run {} of {} at `{}`", holder.run, holder.owner, holder.step),
                ..Progress::default()
            });
        })?;
        Ok(Outcome::changed(handle("lock", json!({ "name": lease.name, "fence": lease.fence }))))
    }
}
