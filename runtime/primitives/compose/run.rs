//! `compose.run`: a command in a container of its own, made like those of a service and gone afterwards.

use std::collections::BTreeMap;
use std::io::Cursor;

use serde_json::Value;

use super::app::App;
use super::dependencies::of;
use super::descriptor::Descriptor;
use super::desired::Desired;
use super::exec::{Output, program, variables};
use super::images::Held;
use super::logins::Logins;
use super::namespaces::Namespaces;
use super::{desired, files, images, is_written_before, needs, touches, up, vague};
use crate::compose::Service;
use crate::compose::labels::Instance;
use crate::drivers::docker::{ContainerSpec, ContainerState, HealthCheck, Input};
use crate::primitive::{
    Action, Arg, BlockRef, Call, Change, Context, Effect, Failure, FailureKind, Guard, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Sink, Span, Spec, Touches, Ty, unknown,
};
use crate::primitives::on_engine::one_off::{self, End, Note};
use crate::primitives::on_engine::{KEY, add, expected, presumed, short_key, shown};

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
        /// Running it twice does no more than running it once. A resumed run needs to know only where `runbook` died
        /// while the command was still reading `stdin`.
        idempotent: bool = false,
        /// Tells a resumed run the same, for that case: `true`, `false`, or a map as the result.
        probe: Option<BlockRef>,
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

impl Primitive for Run {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("run in {}: {}", call.str(0), call.strings(1).join(" "))
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("env", "the environment of the container"), Sink::new("stdin", "its standard input")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let app = App::open(context, call)?;
        let (app, service) = of(app, call)?;
        let logins = Logins::of(context, None);
        // Everything that is wrong is said before anything happens.
        wanted(&app, call, &service, &options, &Held::default())?;
        let mut note = Note::of(context);
        let mut images = images::ensure(&only(&app, &service.name), &logins)?;
        add(&mut note.made, std::mem::take(&mut images.changes));
        let mut before = |changes| {
            add(&mut note.made, changes);
            if note.made.is_empty() { Ok(()) } else { note.mark(context) }
        };
        up::dependencies(&app, &service, &logins, options.deps, options.wait.0, &mut before)?;
        let held = images.held.remove(&service.name).unwrap_or_default();
        let Desired { mut spec, inject } = wanted(&app, call, &service, &options, &held)?;
        Namespaces::of(&app.existing()?).resolve(&mut spec)?;

        let line = spec.command.clone().unwrap_or_default().join(" ");
        let input = options.stdin.as_ref().map(|text| Box::pin(Cursor::new(text.as_bytes())) as Input<'_>);
        let mut output = Output::default();
        let mut fed = Note { fed: true, ..note.clone() };
        let mut on_fed = || std::mem::take(&mut fed).mark(context);
        let ended = {
            let mut keep = |stream, line: &str| output.line(context, stream, line);
            let what = format!("running `{line}` in a container of `{}`", service.name);
            context.wait(&what, options.timeout.0, async {
                let id = one_off::create(context, &app.engine, &spec).await?;
                files::put(&app.engine, &id, &inject).await?;
                let code = app.engine.start_attached(&id, input, &mut on_fed, &mut keep).await?;
                let out_of_memory = app.engine.find(&id).await?.is_some_and(|now| now.oom_killed);
                Ok(End { code, out_of_memory, late: false })
            })
        };
        match &ended {
            Err(failure) if failure.kind == FailureKind::Timeout => {
                one_off::end_late(context, &app.engine, note.clone())?;
            }
            Err(_) => one_off::end(context, &app.engine),
            Ok(_) => {}
        }
        let changes = note.made.into_iter().chain([change(call)]);
        concluded(&service.name, &line, &options, output, ended, &spec.name).map(|outcome| outcome.made(changes))
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn presumed(&self, _call: &Call) -> Value {
        let mut value = presumed();
        value["container"] = Value::Null;
        value
    }

    /// The container itself tells: it stays until its end is in the journal.
    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let options: Options = call.options()?;
        // The files may be others by now; the container is the one that was made.
        let app = App::without_files(context, Descriptor::of(call)?)?;
        let Some(found) = one_off::find(context, &app.engine)? else { return Ok(Probe::NotDone) };
        if found.state == ContainerState::Created {
            return Ok(Probe::NotDone);
        }
        let note = Note::of(context);
        if options.stdin.is_some() && !note.fed {
            // Its input was cut off, whatever it made of that.
            let answer = Probe::by_script(call, options.probe, options.idempotent, self.presumed(call))?;
            if matches!(answer, Probe::NotDone) {
                one_off::remove(context, &app.engine);
            }
            return Ok(answer);
        }
        let mut output = Output::default();
        let mut keep = |stream, line: &str| output.line(context, stream, line);
        let ended = one_off::follow(context, &app.engine, &found, options.timeout.0, &mut keep)?;
        let spec = ContainerSpec::from_inspect(&found)?;
        let line = spec.command.unwrap_or_default().join(" ");
        let changes = note.made.into_iter().chain([change(call)]);
        let ended = concluded(call.str(0), &line, &options, output, Ok(ended), &found.name);
        Ok(ended.map_or_else(Probe::Failed, |outcome| Probe::Done(outcome.made(changes))))
    }

    fn leaves_marker(&self, _: &Call) -> bool {
        true
    }

    fn clean_up(&self, context: &Context<'_>, call: &Call) {
        let app = Descriptor::of(call).and_then(|descriptor| App::without_files(context, descriptor));
        if let Ok(app) = app {
            one_off::remove(context, &app.engine);
        }
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, project| paths.project_and_images(project))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        if is_written_before(context, call) {
            return Ok(vague(&self.preview(call)));
        }
        let (app, service) = of(App::open(context, call)?, call)?;
        let logins = Logins::of(context, None);
        wanted(&app, call, &service, &options, &Held::default())?;
        let mut changes = images::foresee(&only(&app, &service.name), &logins)?.changes;
        changes.extend(up::foresee_dependencies(&app, &service, &logins, options.deps)?.changes);
        changes.push(change(call));
        let mut value = expected(&what(call));
        value["container"] = unknown("the name of the container");
        Ok(Prediction { value, changes })
    }
}

fn only<'a>(app: &App<'a>, service: &str) -> App<'a> {
    let mut model = app.model.clone();
    model.services.retain(|name, _| name == service);
    App { context: app.context, descriptor: app.descriptor.clone(), model, engine: app.engine.clone() }
}

/// The container: that of the service, for one command.
fn wanted(app: &App<'_>, call: &Call, service: &Service, options: &Options, image: &Held) -> Result<Desired, Failure> {
    let argv = call.optional(1).map(|_| program(call.strings(1))).transpose()?;
    let env = variables(&options.env)?;
    // The same when the run is resumed, and no other call has it.
    let unique = short_key(app.context).chars().take(12).collect();
    let wanted = desired::container(app, service, &Instance::OneOff(unique), &image.id)?;
    let mut spec = ContainerSpec {
        tty: false,
        stdin_open: options.stdin.is_some(),
        stdin_once: true,
        healthcheck: Some(HealthCheck { test: vec!["NONE".to_owned()], ..HealthCheck::default() }),
        ..wanted.spec
    };
    spec.labels.insert(KEY.to_owned(), app.context.key());
    spec.env.extend(env);
    spec.user = options.user.clone().or(spec.user);
    spec.working_dir = options.workdir.clone().or(spec.working_dir);
    if options.entrypoint.is_some() {
        spec.entrypoint.clone_from(&options.entrypoint);
        // The image's command was meant for its own entry point.
        spec.command = Some(Vec::new());
    }
    spec.command = argv.or(spec.command);
    Ok(Desired { spec, inject: wanted.inject })
}

fn what(call: &Call) -> String {
    match call.optional(1) {
        Some(_) => shown(&call.strings(1)),
        None => "its own command".to_owned(),
    }
}

fn change(call: &Call) -> Change {
    let what = format!("{} in a container of {} of {}", what(call), call.str(0), call.receiver_str("name"));
    Change::new(Action::Run, what)
}

/// The end of the container, for the script.
fn concluded(
    service: &str,
    line: &str,
    options: &Options,
    output: Output,
    ended: Result<End, Failure>,
    container: &str,
) -> Result<Outcome, Failure> {
    let late = |limit| {
        let what = format!("running `{line}` in a container of `{service}`");
        Failure::new(FailureKind::Timeout, format!("timed out after {} while {what}", Span(limit)))
    };
    let ended = ended.and_then(|end| if end.late { Err(late(options.timeout.0)) } else { Ok(end) });
    let end = ended.map_err(|failure| output.explain(of_service(service, failure)))?;
    if options.check && end.code != 0 {
        let memory = if end.out_of_memory { ": it ran out of memory" } else { "" };
        return Err(output.explain(Failure::new(
            FailureKind::Exit,
            format!("service `{service}`: `{line}` ended with exit code {}{memory}", end.code),
        )));
    }
    Ok(output.result(end.code, Some(container)).into())
}

fn of_service(service: &str, mut failure: Failure) -> Failure {
    if !failure.is_passing_through() && !failure.message.contains(&format!("`{service}`")) {
        failure.message = format!("service `{service}`: {}", failure.message);
    }
    failure
}
