use super::{CONTAINER, ask, engine, made, method};
use crate::primitive::{Arg, Call, Context, Effect, Failure, Outcome, Primitive, Probe, Span, Spec, Ty};

crate::options! {
    /// Options of `stop` and `restart`.
    pub struct StopOptions {
        /// How long it gets to stop before it is killed; its own stop time (usually 10 seconds) when left out.
        grace: Option<Span>,
    }
}

/// Starts a container.
pub struct Start;

static START: Spec = Spec {
    effect: Effect::Change,
    ..method(
        "start",
        &[CONTAINER],
        "Starts a container; one that runs is left alone. Returns whether it had to be started.",
        r#"docker().start("shop-web-1");"#,
    )
};

impl Primitive for Start {
    fn spec(&self) -> &'static Spec {
        &START
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        ask(context, call, "starting a container", async |engine| engine.start(call.str(0)).await).map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Starting what runs changes nothing.
    }
}

/// Stops a container.
pub struct Stop;

static STOP: Spec = Spec {
    options: Some(StopOptions::SPEC),
    effect: Effect::Change,
    ..method(
        "stop",
        &[CONTAINER],
        "Stops a container; one that does not run is left alone. Returns whether it had to be stopped.",
        r#"docker().stop("shop-web-1", #{ grace: "30s" });"#,
    )
};

impl Primitive for Stop {
    fn spec(&self) -> &'static Spec {
        &STOP
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let grace = options.grace.map(|span| span.0);
        let engine = engine(context, call)?;
        // A container's own stop time may be long; the engine ends the wait.
        let limit = grace.unwrap_or(super::ANSWER * 60) + super::ANSWER;
        context.wait("stopping a container", limit, engine.stop(call.str(0), grace)).map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Stopping what is stopped changes nothing.
    }
}

/// Stops a container and starts it again.
pub struct Restart;

static RESTART: Spec = Spec {
    options: Some(StopOptions::SPEC),
    effect: Effect::Change,
    ..method(
        "restart",
        &[CONTAINER],
        "Stops a container and starts it again; one that does not run is started.",
        r#"docker().restart("shop-web-1");"#,
    )
};

impl Primitive for Restart {
    fn spec(&self) -> &'static Spec {
        &RESTART
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let grace = options.grace.map(|span| span.0);
        let engine = engine(context, call)?;
        let limit = grace.unwrap_or(super::ANSWER * 60) + super::ANSWER;
        context.wait("restarting a container", limit, engine.restart(call.str(0), grace))?;
        Ok(Outcome::changed(()))
    }
}

crate::options! {
    /// Options of `remove`.
    pub struct RemoveOptions {
        /// Its anonymous volumes too, with the data in them.
        volumes: bool = false,
    }
}

/// Removes a container.
pub struct Remove;

static REMOVE: Spec = Spec {
    options: Some(RemoveOptions::SPEC),
    effect: Effect::Destroy,
    ..method(
        "remove",
        &[CONTAINER],
        "Removes a container, running or not. Returns whether there was one.",
        r#"docker().remove("shop-web-1");"#,
    )
};

impl Primitive for Remove {
    fn spec(&self) -> &'static Spec {
        &REMOVE
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RemoveOptions = call.options()?;
        ask(context, call, "removing a container", async |engine| engine.remove(call.str(0), options.volumes).await)
            .map(made)
    }

    fn probe(&self, _: &Context<'_>, _: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone) // Removing what is gone changes nothing.
    }
}

/// Gives a container another name.
pub struct Rename;

static RENAME: Spec = Spec {
    effect: Effect::Change,
    ..method(
        "rename",
        &[CONTAINER, Arg::new("name", Ty::Str, "The new name.")],
        "Gives a container another name.",
        r#"docker().rename("shop-web-1", "shop-web-1-before");"#,
    )
};

impl Primitive for Rename {
    fn spec(&self) -> &'static Spec {
        &RENAME
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let (from, to) = (call.str(0), call.str(1));
        ask(context, call, "renaming a container", async |engine| {
            let present = engine.inspect(from).await?;
            if present.name == to {
                return Ok(Outcome::unchanged(()));
            }
            engine.rename(from, to).await?;
            Ok(Outcome::changed(()))
        })
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        ask(context, call, "looking for a container", async |engine| {
            let (old, new) = (engine.find(call.str(0)).await?, engine.find(call.str(1)).await?);
            Ok(match (old, new) {
                (None, Some(_)) => Probe::Done(Outcome::changed(())),
                (Some(_), None) => Probe::NotDone,
                _ => Probe::Unknown,
            })
        })
    }
}
