use std::path::PathBuf;

use serde_json::Value;

use super::{CONTAINER, Foreseen, ask, converge, engine, method, needs, touches};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, Need, Outcome, Prediction, Primitive, Recovery, Span, Spec,
    Touches, Ty,
};
use crate::primitives::on_engine::short_key;

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

    fn needs(&self, call: &Call) -> Vec<Need> {
        {
            let mut needs = needs(&COPY_IN, call, [call.needed(0)]);
            needs.push(Need::read(call.needed(1)));
            needs
        }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        // The name is what was written; what is read is what that leads to.
        let name = context.resolve(call.str(1));
        converge(
            context,
            || copying_in(context, call),
            |foreseen| {
                let into = foreseen.proof == Value::Bool(true);
                let work = engine.copy_in(call.str(0), context.tree(call.str(1))?, &name, call.str(2), into);
                context.wait("copying into a container", options.timeout.0, work)
            },
        )
    }

    /// The same files are put to the same place again.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.container(call.str(0)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        copying_in(context, call).map(Foreseen::prediction)
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

    fn needs(&self, call: &Call) -> Vec<Need> {
        {
            let mut needs = needs(&COPY_OUT, call, [call.needed(0)]);
            needs.push(Need::write(call.needed(2)));
            needs
        }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        converge(
            context,
            || copying_out(context, call),
            |foreseen| {
                let target = PathBuf::from(foreseen.proof.as_str().unwrap_or_default());
                if target.is_dir() {
                    return Ok(()); // It appeared whole before the process died: a folder is never there otherwise.
                }
                let (name, held) = (short_key(context), context.writable(&target.to_string_lossy())?.entry()?);
                let work = engine.copy_out(call.str(0), call.str(1), &held, &name);
                context.wait("copying out of a container", options.timeout.0, work)
            },
        )
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        Touches::disk(&context.resolve(call.str(2)))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        copying_out(context, call).map(Foreseen::prediction)
    }
}

fn copying_in(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let (container, to) = (call.str(0), call.str(2));
    let into = ask(context, call, "looking into a container", async |engine| engine.receives(container, to).await)?;
    let change = Change::new(Action::Update, format!("{to} in container {container}"));
    Ok(Foreseen::change((), change.detail(format!("copied from {}", call.str(1)))).proof(into))
}

fn copying_out(context: &Context<'_>, call: &Call) -> Result<Foreseen, Failure> {
    let (container, from) = (call.str(0), call.str(1));
    let to = context.writable(call.str(2))?;
    to.entry()?;
    let to = to.path();
    let (target, is_folder) = ask(context, call, "looking into a container", async |engine| {
        Ok((engine.target_of_copy(container, from, to)?, engine.is_folder(container, from).await?))
    })?;
    let shown = target.strip_prefix(context.project.root()).unwrap_or(&target).display().to_string();
    let action = if target.exists() { Action::Update } else { Action::Create };
    let change = Change::new(action, format!("{} {shown}", if is_folder { "folder" } else { "file" }));
    let path = target.to_string_lossy().into_owned();
    let detail = format!("copied from {from} in container {container}");
    Ok(Foreseen::change(path.clone(), change.detail(detail)).proof(path))
}
