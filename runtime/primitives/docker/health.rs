use serde_json::{Value, json};

use super::{CONTAINER, engine, method, needs, touches, without};
use crate::drivers::docker::{HealthWait, Verdict};
use crate::primitive::{
    Call, Context, Failure, Need, Outcome, Prediction, Primitive, Progress, Span, Spec, Touches, unknown,
};

crate::options! {
    /// Options of `wait_healthy`.
    pub struct Options {
        /// How long at most.
        within: Span = Span::seconds(60),
        /// Between two looks.
        every: Span = Span(std::time::Duration::from_millis(200)),
        /// A container without a health check counts as healthy when it has been running for so long.
        settle: Span = Span::seconds(1),
    }
}

/// Waits until a container is healthy.
pub struct WaitHealthy;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    ..method(
        "wait_healthy",
        &[CONTAINER],
        "Waits until a container is healthy; fails with its last lines, its health log and where it listens.",
        r#"docker().wait_healthy("shop-web-1", #{ within: "90s" });"#,
    )
};

impl Primitive for WaitHealthy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&SPEC, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let wait = HealthWait { limit: options.within.0, every: options.every.0, settle: options.settle.0 };
        let engine = engine(context, call)?;
        let container = call.str(0);
        context.progress(Progress {
            item: container.to_owned(),
            doing: "waiting until healthy".into(),
            ..Progress::default()
        });
        // The engine's wait has the limit, and needs time of its own to say what went wrong.
        let limit = options.within.0 + super::ANSWER;
        let what = format!("waiting until `{container}` is healthy");
        let by = match context.wait(&what, limit, engine.wait_healthy(container, &wait))? {
            Verdict::Check => "check",
            Verdict::Engine => "engine",
            Verdict::Running => "running",
        };
        Ok(json!({ "name": container, "by": by }).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.look_at_container(call.str(0)))
    }

    /// It is a gate: a plan goes on behind it.
    fn predict(&self, _: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        Ok(Prediction::nothing(json!({ "name": call.str(0), "by": unknown("who sees that it is healthy") })))
    }

    fn observed(&self, _: &Call, result: &Value) -> Value {
        without(result, &["by"])
    }
}
