//! `compose.run`: a command in a container of its own, made like those of a service and gone afterwards.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::time::Duration;

use serde_json::Value;

use super::app::App;
use super::exec::{Output, program, variables};
use super::logins::Logins;
use super::namespaces::Namespaces;
use super::{desired, files, images, up};
use crate::compose::labels::Instance;
use crate::drivers::docker::{ContainerSpec, HealthCheck, Input};
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, FailureKind, LogStream, Outcome, Primitive, Span, Spec, Ty,
};

/// Runs a command in a container of its own.
pub(super) struct Run;

crate::options! {
    /// Options of `compose.run`.
    pub struct Options {
        /// Text the command reads from its standard input; without it, the input is empty.
        stdin: Option<String>,
        /// User (and group) it runs as; the service's own when left out.
        user: Option<String>,
        /// Environment variables added to those of the service.
        env: BTreeMap<String, Value>,
        /// The folder it runs in; the service's own when left out.
        workdir: Option<String>,
        /// Another entry point: the program that gets the command as its arguments. An empty list means none.
        entrypoint: Option<Vec<String>>,
        /// How long it may run; then its container is removed.
        timeout: Span = Span::seconds(1800),
        /// Fail when the exit code is not 0. With `false`, look at `ok` and `code` of the result.
        check: bool = true,
        /// Start what the service depends on first, where it does not run. What runs is left as it is.
        deps: bool = true,
        /// How long each of these may take until it is healthy.
        wait: Span = Span::seconds(90),
    }
}

static SPEC: Spec = Spec {
    name: "run",
    receiver: Some("compose"),
    args: &[
        Arg::new("service", Ty::Str, "The service whose image, environment, networks and volumes it gets."),
        Arg::optional("argv", Ty::Strings, "The program and its arguments; the service's own command when left out."),
    ],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Runs a command in a new container of a service, in the image the files name, and removes it afterwards.",
    example: r#"app.run("api", ["alembic", "upgrade", "head"]);"#,
};

/// How long removing the container may take when the run was told to stop.
const REMOVING: Duration = Duration::from_millis(1_500);

impl Primitive for Run {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn preview(&self, call: &Call) -> String {
        format!("run in {}: {}", call.str(0), call.strings(1).join(" "))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let argv = call.optional(1).map(|_| program(call.strings(1))).transpose()?;
        let mut app = App::open(context, call)?;
        let service = app.service(call.str(0))?.clone();
        app.only(std::slice::from_ref(&service.name))?;
        let env = variables(&options.env)?;
        let logins = Logins::of(context, None);
        let image = held(&app, &service.name, &logins)?;
        up::dependencies(&app, &service, &logins, options.deps, options.wait.0)?;

        let instance = Instance::OneOff(unique(context));
        let wanted = desired::container(&app.model, &service, &instance, &image.id)?;
        let mut spec = ContainerSpec {
            tty: false,
            stdin_open: options.stdin.is_some(),
            stdin_once: true,
            healthcheck: Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() }),
            ..wanted.spec
        };
        spec.env.extend(env);
        spec.user = options.user.or(spec.user);
        spec.working_dir = options.workdir.or(spec.working_dir);
        if options.entrypoint.is_some() {
            spec.entrypoint = options.entrypoint;
            // The image's command was meant for its own entry point.
            spec.command = Some(Vec::new());
        }
        spec.command = argv.or(spec.command);
        Namespaces::of(&app.existing()?).resolve(&mut spec)?;

        let line = spec.command.clone().unwrap_or_default().join(" ");
        let input = options.stdin.map(|text| Box::pin(Cursor::new(text.into_bytes())) as Input<'_>);
        let mut output = Output::default();
        let ended = {
            let mut keep = |stream, line: &str| output.line(context, stream, line);
            let what = format!("running `{line}` in a container of `{}`", service.name);
            context.wait(&what, options.timeout.0, async {
                let id = app.engine.create(&spec).await?;
                files::put(&app.engine, &id, &wanted.inject).await?;
                let code = app.engine.start_attached(&id, input, &mut keep).await?;
                let memory = app.engine.find(&id).await?.is_some_and(|now| now.oom_killed);
                Ok((code, memory))
            })
        };
        remove(&app, &spec.name);
        let (code, out_of_memory) = ended.map_err(|failure| output.explain(of_service(&service.name, failure)))?;
        if options.check && code != 0 {
            let memory = if out_of_memory { ": it ran out of memory" } else { "" };
            return Err(output.explain(Failure::new(
                FailureKind::Exit,
                format!("service `{}`: `{line}` ended with exit code {code}{memory}", service.name),
            )));
        }
        Ok(output.result(code, Some(&spec.name)).into())
    }
}

fn held(app: &App<'_>, service: &str, logins: &Logins) -> Result<images::Held, Failure> {
    let mut only = app.model.clone();
    only.services.retain(|name, _| name == service);
    let app = App { context: app.context, descriptor: app.descriptor.clone(), model: only, engine: app.engine.clone() };
    images::ensure(&app, logins)?
        .remove(service)
        .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("service `{service}` has no image")))
}

/// Nothing of it stays, however it ended.
fn remove(app: &App<'_>, name: &str) {
    let work = async { tokio::time::timeout(REMOVING, app.engine.remove(name, true)).await };
    let removed = app.context.drivers.block_on(work);
    if !matches!(removed, Ok(Ok(_))) {
        app.context.log(LogStream::Warn, &format!("container `{name}` could not be removed: docker rm -f {name}"));
    }
}

fn of_service(service: &str, mut failure: Failure) -> Failure {
    if !failure.is_passing_through() && !failure.message.contains(&format!("`{service}`")) {
        failure.message = format!("service `{service}`: {}", failure.message);
    }
    failure
}

/// Twelve hexadecimal digits that no other call has: of the run, the call and the moment.
fn unique(context: &Context<'_>) -> String {
    use sha2::{Digest, Sha256};
    let now = jiff::Timestamp::now().as_nanosecond();
    let text = format!("{}/{}/{now}/{}", context.run.id, context.path, std::process::id());
    super::hex(&Sha256::digest(text)[..6])
}
