use serde_json::{Value, json};

use super::{
    CONTAINER, Foreseen, RUN, SCRATCH, ask, container_after, converge, engine, method, needs, present, touches,
};
use crate::drivers::docker::Container;
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Probe, Recovery, Span,
    Spec, Touches, Ty,
};
use crate::primitives::on_engine::{RESTARTED, STARTED, STOPPED};

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&START, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        converge(
            context,
            || starting(context, call),
            |_| ask(context, call, "starting a container", async |engine| engine.start(call.str(0)).await.map(drop)),
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        starting(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&STOP, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let grace = options.grace.map(|span| span.0);
        let engine = engine(context, call)?;
        converge(
            context,
            || stopping(context, call),
            |_| {
                // A container's own stop time may be long; the engine ends the wait.
                let limit = grace.unwrap_or(super::ANSWER * 60) + super::ANSWER;
                context.wait("stopping a container", limit, engine.stop(call.str(0), grace)).map(drop)
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        stopping(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&RESTART, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: StopOptions = call.options()?;
        let grace = options.grace.map(|span| span.0);
        let engine = engine(context, call)?;
        let foreseen = restarting(context, call)?;
        context.announce(&foreseen.outcome, &foreseen.proof)?;
        let limit = grace.unwrap_or(super::ANSWER * 60) + super::ANSWER;
        context.wait("restarting a container", limit, engine.restart(call.str(0), grace))?;
        Ok(foreseen.outcome)
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    /// It was restarted if its process is another one than before.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announced) = context.announced() else { return Ok(Probe::NotDone) };
        let now = ask(context, call, "looking for a container", async |engine| engine.find(call.str(0)).await)?;
        let restarted = now.is_some_and(|now| now.is_running() && announced.proof != now.started);
        Ok(if restarted { Probe::Done(announced.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        restarting(context, call).map(Foreseen::prediction)
    }
}

crate::options! {
    /// Options of `remove`.
    pub struct RemoveOptions {
        /// Its anonymous volumes too, with the data in them. That needs the verb `remove_volume` as well, and counts in
        /// the budget, unless this run made the container, or it was made with `scratch: true`.
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&REMOVE, call, [call.needed(0)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: RemoveOptions = call.options()?;
        converge(
            context,
            || removing(context, call),
            |foreseen| {
                // Whoever has the name by now is not the one that was meant.
                let id = foreseen.proof["id"].as_str().unwrap_or_default();
                // Those that came over from a container before have a name for the engine, and would stay for ever.
                let volumes = foreseen.proof["volumes"].as_array().into_iter().flatten().filter_map(Value::as_str);
                ask(context, call, "removing a container", async |engine| {
                    engine.remove(id, options.volumes).await?;
                    for volume in volumes.clone() {
                        engine.remove_volume(volume).await?;
                    }
                    Ok(())
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        removing(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(&RENAME, call, [call.needed(0), call.needed(1)])
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        converge(
            context,
            || renaming(context, call),
            |foreseen| {
                let id = foreseen.proof.as_str().unwrap_or_default();
                ask(context, call, "renaming a container", async |engine| {
                    if engine.inspect(id).await?.name == call.str(1) {
                        Ok(())
                    } else {
                        engine.rename(id, call.str(1)).await
                    }
                })
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        renaming(context, call).map(Foreseen::prediction)
    }
}

fn starting(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let found = present(context, call)?;
    Ok(if found.is_running() { Foreseen::nothing(false) } else { Foreseen::change(true, update(&found.name, STARTED)) })
}

fn stopping(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let found = present(context, call)?;
    let stops = found.is_running() || found.state == crate::drivers::docker::ContainerState::Restarting;
    Ok(if stops { Foreseen::change(true, update(&found.name, STOPPED)) } else { Foreseen::nothing(false) })
}

fn restarting(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let found = present(context, call)?;
    Ok(Foreseen::change((), update(&found.name, RESTARTED)).proof(found.started))
}

fn removing(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let options: RemoveOptions = call.options()?;
    let Some(found) = container_after(context, call)? else { return Ok(Foreseen::nothing(false)) };
    let container = Change::new(Action::Remove, format!("container {}", found.name));
    let anonymous = found.mounts.iter().filter(|mount| options.volumes && mount.is_anonymous());
    let volumes: Vec<&str> = anonymous.map(|mount| mount.name.as_str()).collect();
    let proof = json!({ "id": found.id, "volumes": volumes });
    let lost = if is_scratch(context, &found) { &[] } else { volumes.as_slice() };
    if !lost.is_empty() {
        context.granted(&Need::docker(call.needed(0), "remove_volume"))?;
    }
    let lost = lost.iter().map(|name| Change::new(Action::Remove, format!("volume {name}")));
    let Foreseen { outcome, .. } = Foreseen::change(true, container);
    Ok(Foreseen { outcome: outcome.made(lost), proof })
}

/// Was it made to be thrown away, or by this very run? Nobody loses what only such a container kept.
fn is_scratch(context: &Context<'_>, container: &Container) -> bool {
    let own = container.labels.get(RUN).is_some_and(|run| *run == context.run.id.to_string());
    own || container.labels.contains_key(SCRATCH)
}

fn renaming(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let (found, to) = (present(context, call)?, call.str(1));
    if found.name == to {
        return Ok(Foreseen::nothing(()));
    }
    let detail = format!("name: {} → {to}", found.name);
    Ok(Foreseen::change((), update(&found.name, &detail)).proof(found.id))
}

fn update(container: &str, detail: &str) -> Change {
    Change::new(Action::Update, format!("container {container}")).detail(detail)
}
