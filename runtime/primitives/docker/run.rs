use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::images::{IMAGE, name};
use super::login::login;
use super::output::Output;
use super::pull::pull;
use super::run_spec::{Options, spec};
use super::{engine, log_stream, method};
use crate::drivers::docker::{ContainerSpec, Engine, LogRequest, Login, Reference};
use crate::primitive::{Arg, Call, Context, Effect, Failure, FailureKind, Outcome, Primitive, Spec, Ty};

/// How long a container may take to be removed, also when the run is told to stop.
const CLEAN_UP: Duration = Duration::from_secs(10);

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

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let image = name(call.str(0))?;
        let command = call.optional(1).map(|_| call.strings(1));
        let spec = spec(context, &image, command, &options)?;
        let reference = Reference::parse(&image).ok();
        let login = match &reference {
            Some(reference) => login(context, options.login.clone(), &reference.registry)?,
            None => None,
        };
        let engine = engine(context, call)?;
        let mut output = Output::keeping(options.capture);
        let work = run(context, &engine, &spec, &options, login.as_ref(), &mut output);
        let result = context.wait(&format!("running a container of `{image}`"), options.timeout.0, work);
        let stays = options.keep || (options.detach && result.is_ok());
        let cleaned = if stays { Ok(()) } else { clean_up(context, &engine, &spec) };
        let code = match result {
            Ok(Ended::Detached(id)) => {
                return Ok(Outcome::changed(json!({ "name": spec.name, "id": id })));
            }
            Ok(Ended::Exited { code, out_of_memory }) if code != 0 && options.check => {
                let line = spec.command.as_ref().map_or_else(|| image.clone(), |words| words.join(" "));
                let memory = if out_of_memory { ": it ran out of memory" } else { "" };
                let message = format!("`{line}` in a container of `{image}` exited with code {code}{memory}");
                return Err(output.explain(Failure::new(FailureKind::Exit, message)));
            }
            Ok(Ended::Exited { code, .. }) => cleaned.map(|()| code)?,
            Err(failure) if failure.kind == FailureKind::Timeout => {
                return Err(output.explain(failure.hint("raise the option `timeout` if it needs longer")));
            }
            Err(failure) => return Err(failure),
        };
        let mut value = output.result(code);
        value["name"] = spec.name.into();
        Ok(value.into())
    }
}

enum Ended {
    Exited { code: i64, out_of_memory: bool },
    Detached(String),
}

async fn run(
    context: &Context<'_>,
    engine: &Engine,
    spec: &ContainerSpec,
    options: &Options,
    login: Option<&Login>,
    output: &mut Output,
) -> Result<Ended, Failure> {
    provide_image(context, engine, spec, options, login).await?;
    let id = engine.create(spec).await?;
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
    Ok(Ended::Exited { code, out_of_memory })
}

async fn provide_image(
    context: &Context<'_>,
    engine: &Engine,
    spec: &ContainerSpec,
    options: &Options,
    login: Option<&Login>,
) -> Result<(), Failure> {
    let present = engine.image(&spec.image).await?.is_some();
    let wanted = options.pull == "always" || (options.pull == "missing" && !present);
    match Reference::parse(&spec.image) {
        Ok(reference) if wanted => {
            pull(context, engine, &reference, options.platform.as_deref(), login).await?;
            Ok(())
        }
        _ if present => Ok(()),
        _ => Err(Failure::new(FailureKind::NotFound, format!("there is no image `{}`", spec.image))
            .hint("build or pull it first")),
    }
}

/// Removes the container if this very call made it, whatever has been asked of the run meanwhile.
fn clean_up(context: &Context<'_>, engine: &Engine, spec: &ContainerSpec) -> Result<(), Failure> {
    let work = async {
        match engine.find(&spec.name).await? {
            Some(found) if is_ours(&found.labels, &spec.labels) => engine.remove(&found.id, true).await.map(drop),
            _ => Ok(()),
        }
    };
    context.drivers.block_on(async {
        tokio::time::timeout(CLEAN_UP, work).await.unwrap_or_else(|_| {
            Err(Failure::new(FailureKind::Timeout, format!("container `{}` could not be removed", spec.name)))
        })
    })
}

fn is_ours(
    found: &std::collections::BTreeMap<String, String>,
    made: &std::collections::BTreeMap<String, String>,
) -> bool {
    ["dev.runbook.project", "dev.runbook.run", "dev.runbook.call"]
        .iter()
        .all(|name| found.get(*name) == made.get(*name))
}
