use futures_util::StreamExt;
use serde_json::{Value, json};

use super::images::{IMAGE, name};
use super::login::login;
use super::output::Output;
use super::pull::pull;
use super::run_spec::{self, Options, spec};
use super::{engine, log_stream, method, touches};
use crate::drivers::docker::{Container, ContainerSpec, ContainerState, Engine, LogRequest, Login, Reference};
use crate::primitive::{
    Action, Arg, Call, Change, Context, Effect, Failure, FailureKind, Need, Outcome, Prediction, Primitive, Probe,
    Recovery, Sink, Span, Spec, Touches, Ty, unknown,
};
use crate::primitives::on_engine::one_off::{self, End, Note};
use crate::primitives::on_engine::{expected, image, shown};

/// Runs a container.
pub struct Run;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "run",
        &[IMAGE, Arg::optional("command", Ty::Strings, "Program and arguments; the image's when left out.")],
        "Runs a container to its end, logs its output, removes it, and fails when its exit code is not 0.",
        r#"docker().run("shop/api:v2", ["alembic", "upgrade", "head"], #{ networks: ["shop_default"] });"#,
    )
};

impl Primitive for Run {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        run_spec::needs(&SPEC, call)
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("env", "the environment of the container"), Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let spec = wanted(context, call, &options)?;
        let reference = Reference::parse(&spec.image).ok();
        let login = match &reference {
            Some(reference) => login(context, options.login.clone(), &reference.registry)?,
            None => None,
        };
        let engine = engine(context, call)?;
        let mut output = Output::keeping(options.capture);
        let mut note = Note::of(context);
        let work = run(context, &engine, &spec, &options, login.as_ref(), &mut output, &mut note);
        let result = context.wait(&format!("running a container of `{}`", spec.image), options.timeout.0, work);
        let changes = note.made.iter().cloned().chain([change(call, &spec, &options)]);
        match result {
            Ok(Ended::Detached(id)) => Ok(detached(&spec.name, &id).made(changes)),
            Ok(Ended::Exited(end)) => {
                concluded(&spec, &options, output, &end, None).map(|outcome| outcome.made(changes))
            }
            Err(failure) if options.detach => {
                // It does nothing that anybody would wait for.
                one_off::remove(context, &engine);
                Err(failure)
            }
            Err(failure) if failure.kind == FailureKind::Timeout => {
                one_off::end_late(context, &engine, note)?;
                Err(output.explain(failure.hint(LATE)))
            }
            Err(failure) => {
                one_off::end(context, &engine);
                Err(failure)
            }
        }
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    /// The container itself tells: it stays until its end is in the journal.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        let engine = engine(context, call)?;
        let spec = wanted(context, call, &options)?;
        let Some(found) = one_off::find(context, &engine)? else { return Ok(Probe::NotDone) };
        if found.state == ContainerState::Created {
            return Ok(Probe::NotDone);
        }
        let changes = Note::of(context).made.into_iter().chain([change(call, &spec, &options)]);
        if options.detach {
            return Ok(Probe::Done(detached(&found.name, &found.id).made(changes)));
        }
        let ended = ended(context, &engine, &spec, &options, &found)?;
        Ok(ended.map_or_else(Probe::Failed, |outcome| Probe::Done(outcome.made(changes))))
    }

    fn leaves_marker(&self, call: &Call) -> bool {
        let is_set = |name: &str| call.options.get(name).and_then(Value::as_bool).unwrap_or(false);
        !is_set("detach") && !is_set("keep")
    }

    fn clean_up(&self, context: &Context<'_>, call: &Call) {
        if let Ok(engine) = engine(context, call) {
            one_off::remove(context, &engine);
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths| paths.everything())
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        let spec = wanted(context, call, &options)?;
        let engine = engine(context, call)?;
        let mut changes = Vec::new();
        if let Ok(reference) = Reference::parse(&spec.image) {
            let login = login(context, options.login.clone(), &reference.registry)?;
            changes.extend(context.wait("looking at images", super::ANSWER, async {
                let present = engine.image(&spec.image).await?.is_some();
                if options.pull == "always" || (options.pull == "missing" && !present) {
                    return image::foresee(context, &engine, &reference, login.as_ref()).await.map(|seen| seen.change);
                }
                if present || image::is_planned(context, &spec.image).is_some() {
                    Ok(None)
                } else {
                    Err(no_image(&spec))
                }
            })?);
        }
        changes.push(change(call, &spec, &options));
        let what = shown(spec.command.as_deref().unwrap_or_default());
        let mut value =
            if options.detach { json!({ "id": unknown("the id of the container") }) } else { expected(&what) };
        value["name"] = options.name.map_or_else(|| unknown("the name of the container"), Value::from);
        Ok(Prediction { value, changes })
    }
}

const LATE: &str = "raise the option `timeout` if it needs longer";

fn wanted(context: &Context<'_>, call: &Call, options: &Options) -> Result<ContainerSpec, Failure> {
    let image = name(call.str(0))?;
    spec(context, &image, call.optional(1).map(|_| call.strings(1)), options)
}

fn change(call: &Call, spec: &ContainerSpec, options: &Options) -> Change {
    let image = &spec.image;
    if options.detach {
        let what =
            options.name.as_ref().map_or_else(|| format!("container of {image}"), |name| format!("container {name}"));
        return Change::new(Action::Create, what).detail(format!("image: {image}"));
    }
    match call.optional(1) {
        Some(_) => Change::new(Action::Run, format!("{} in a container of {image}", shown(&call.strings(1)))),
        None => Change::new(Action::Run, format!("a container of {image}")),
    }
}

fn detached(name: &str, id: &str) -> Outcome {
    Outcome::changed(json!({ "name": name, "id": id }))
}

/// The end of a container that an earlier process started.
fn ended(
    context: &Context<'_>,
    engine: &Engine,
    spec: &ContainerSpec,
    options: &Options,
    found: &Container,
) -> Result<Result<Outcome, Failure>, Failure> {
    let mut output = Output::keeping(options.capture);
    let mut on_line = |stream, text: &str| {
        output.line(stream, text);
        context.log(log_stream(stream), text);
    };
    let end = one_off::follow(context, engine, found, options.timeout.0, &mut on_line)?;
    Ok(concluded(spec, options, output, &end, Some(&found.name)))
}

/// The end of the container, for the script.
fn concluded(
    spec: &ContainerSpec,
    options: &Options,
    output: Output,
    end: &End,
    found: Option<&str>,
) -> Result<Outcome, Failure> {
    let image = &spec.image;
    if end.late {
        let message = format!("timed out after {} while running a container of `{image}`", Span(options.timeout.0));
        return Err(output.explain(Failure::new(FailureKind::Timeout, message).hint(LATE)));
    }
    if end.code != 0 && options.check {
        let line = spec.command.as_ref().map_or_else(|| image.clone(), |words| words.join(" "));
        let memory = if end.out_of_memory { ": it ran out of memory" } else { "" };
        let message = format!("`{line}` in a container of `{image}` exited with code {}{memory}", end.code);
        return Err(output.explain(Failure::new(FailureKind::Exit, message)));
    }
    let mut value = output.result(end.code);
    value["name"] = found.unwrap_or(&spec.name).into();
    Ok(value.into())
}

enum Ended {
    Exited(End),
    Detached(String),
}

async fn run(
    context: &Context<'_>,
    engine: &Engine,
    spec: &ContainerSpec,
    options: &Options,
    login: Option<&Login>,
    output: &mut Output,
    note: &mut Note,
) -> Result<Ended, Failure> {
    if let Some(pulled) = provide_image(context, engine, spec, options, login).await? {
        note.made.push(pulled);
        note.mark(context)?;
    }
    let id = one_off::create(context, engine, spec).await?;
    engine.start(&id).await?;
    if options.detach {
        return Ok(Ended::Detached(id));
    }
    let mut lines = crate::drivers::docker::Lines::default();
    let mut on_line = |stream, text: &str| {
        output.line(stream, text);
        context.log(log_stream(stream), text);
    };
    let mut stream = std::pin::pin!(engine.follow(&id, &LogRequest::default()).await?);
    // Some log drivers cannot be read: then there is no output, but still an exit code.
    while let Some(Ok(chunk)) = stream.next().await {
        lines.push(&chunk, &mut on_line);
    }
    lines.finish(&mut on_line);
    let code = engine.wait(&id).await?;
    let out_of_memory = engine.inspect(&id).await?.oom_killed;
    Ok(Ended::Exited(End { code, out_of_memory, late: false }))
}

async fn provide_image(
    context: &Context<'_>,
    engine: &Engine,
    spec: &ContainerSpec,
    options: &Options,
    login: Option<&Login>,
) -> Result<Option<Change>, Failure> {
    let present = engine.image(&spec.image).await?.map(|image| image.id);
    let wanted = options.pull == "always" || (options.pull == "missing" && present.is_none());
    match Reference::parse(&spec.image) {
        Ok(reference) if wanted => {
            let (now, _) = pull(context, engine, &reference, options.platform.as_deref(), login).await?;
            Ok(image::came(&spec.image, present.as_deref(), &now.id))
        }
        _ if present.is_some() => Ok(None),
        _ => Err(no_image(spec)),
    }
}

fn no_image(spec: &ContainerSpec) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no image `{}`", spec.image)).hint("build or pull it first")
}
