//! `compose.start_dependencies`: what a service needs before anything of it runs, so that it can be looked at or saved first.

use super::app::App;
use super::descriptor::Descriptor;
use super::logins::{LoginOption, Logins};
use super::{desired, is_written_before, needs, touches, up, vague};
use crate::compose::Service;
use crate::primitive::{
    Arg, Call, Context, Effect, Failure, Guard, Need, Outcome, Prediction, Primitive, Recovery, Sink, Span, Spec,
    Touches, Ty,
};
use crate::primitives::on_engine::add;
use crate::primitives::on_engine::one_off::Note;

/// Starts what a service depends on.
pub(super) struct StartDependencies;

crate::options! {
    /// Options of `compose.start_dependencies`.
    pub struct Options {
        /// How long each of these may take until it is healthy.
        wait: Span = Span::seconds(90),
        /// The login for the registry, as for `pull`; used for images that the engine lacks.
        login: Option<LoginOption>,
    }
}

static SPEC: Spec = Spec {
    name: "start_dependencies",
    receiver: Some("compose"),
    args: &[Arg::new("service", Ty::Str, "The service whose networks, volumes and dependencies are to be there.")],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Starts what a service depends on, where that does not run, and leaves alone what runs.",
    example: r#"app.start_dependencies("api", #{ wait: "2m" });"#,
};

impl Primitive for StartDependencies {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("start what {} of {} depends on", call.str(0), call.receiver_str("name"))
    }

    fn guards(&self, _: &Context<'_>, call: &Call) -> Option<Guard> {
        Descriptor::guard(call)
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let (app, service) = of(App::open(context, call)?, call)?;
        let mut note = Note::of(context);
        let mut before = |changes| {
            add(&mut note.made, changes);
            if note.made.is_empty() { Ok(()) } else { note.mark(context) }
        };
        let logins = Logins::of(context, options.login);
        let value = up::dependencies(&app, &service, &logins, true, options.wait.0, &mut before)?;
        if note.made.is_empty() {
            return Ok(Outcome::unchanged(value).note("nothing to start"));
        }
        Ok(Outcome::changed(value).made(note.made))
    }

    /// What runs is left alone, so going on means calling it again; what was to be started before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
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
        up::foresee_dependencies(&app, &service, &Logins::of(context, options.login), true)
    }
}

/// The service and what it depends on.
pub(super) fn of<'a>(mut app: App<'a>, call: &Call) -> Result<(App<'a>, Service), Failure> {
    let service = app.service(call.str(0))?.clone();
    app.only(std::slice::from_ref(&service.name))?;
    desired::check_engine(&app, &service)?;
    Ok((app, service))
}
