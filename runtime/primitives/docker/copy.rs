use serde_json::Value;

use super::{CONTAINER, engine, method};
use crate::primitive::{Arg, Call, Context, Effect, Failure, Outcome, Primitive, Probe, Span, Spec, Ty};

crate::options! {
    /// Options of `copy_in` and `copy_out`.
    pub struct Options {
        /// How long at most.
        timeout: Span = Span::seconds(600),
    }
}

/// From this machine into a container.
pub struct CopyIn;

static COPY_IN: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "copy_in",
        &[
            CONTAINER,
            Arg::new("from", Ty::Str, "A file or folder of this machine, relative to the project's folder."),
            Arg::new("to", Ty::Str, "The path in the container. A folder receives it under its own name."),
        ],
        "Copies a file or folder into a container, running or not.",
        r#"docker().copy_in("shop-web-1", "conf/app.toml", "/etc/app/");"#,
    )
};

impl Primitive for CopyIn {
    fn spec(&self) -> &'static Spec {
        &COPY_IN
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        let from = context.resolve(call.str(1));
        context.wait("copying into a container", options.timeout.0, engine.copy_in(call.str(0), &from, call.str(2)))?;
        Ok(Outcome::changed(()))
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Copying again puts the same files there.
    }
}

/// From a container to this machine.
pub struct CopyOut;

static COPY_OUT: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "copy_out",
        &[
            CONTAINER,
            Arg::new("from", Ty::Str, "A file or folder of the container."),
            Arg::new(
                "to",
                Ty::Str,
                "The path on this machine, relative to the project's folder. A folder receives it under its own name.",
            ),
        ],
        "Copies a file or folder out of a container, running or not. Returns where it is.",
        r#"docker().copy_out("shop-db-1", "/tmp/dump.sql", "backups/");"#,
    )
};

impl Primitive for CopyOut {
    fn spec(&self) -> &'static Spec {
        &COPY_OUT
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        let to = context.resolve(call.str(2));
        let work = engine.copy_out(call.str(0), call.str(1), &to);
        let path = context.wait("copying out of a container", options.timeout.0, work)?;
        Ok(Outcome::changed(Value::from(path.to_string_lossy())))
    }
}
