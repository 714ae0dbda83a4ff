//! `compose.build`: builds the images of services that have a `build` section.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::app::App;
use super::images::{self, Held};
use super::logins::{LoginOption, Logins};
use super::{is_written_before, needs, short, touches, vague};
use crate::compose::{Build as Section, Service, failure};
use crate::drivers::docker::{BuildRequest, BuildStep, Reference};
use crate::primitive::{
    Call, Change, Context, Effect, Failure, FailureKind, LogStream, Need, Outcome, Prediction, Primitive, Progress,
    Recovery, Sink, Span, Spec, Touches, unknown,
};
use crate::primitives::on_engine::{add, image};

/// Builds images.
pub(super) struct Build;

crate::options! {
    /// Options of `compose.build`.
    pub struct Options {
        /// Only these services.
        services: Vec<String>,
        /// Build every layer anew.
        no_cache: bool = false,
        /// Ask the registries for newer base images.
        pull: bool = false,
        /// How long one build may take.
        timeout: Span = Span::seconds(1800),
        /// The login for the registry of base images, as for `pull`.
        login: Option<LoginOption>,
    }
}

static SPEC: Spec = Spec {
    name: "build",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Builds the image of every service that has a `build` section.",
    example: r#"app.build(#{ services: ["api"], no_cache: true });"#,
};

impl Primitive for Build {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("build the images of {}", call.receiver_str("name"))
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let mut app = App::open(context, call)?;
        app.exactly(&options.services)?;
        let logins = Logins::of(context, options.login.clone());
        let (mut results, mut new, mut same) = (Map::new(), 0_usize, 0_usize);
        let built: Vec<&Service> = app.model.services.values().filter(|service| service.build.is_some()).collect();
        // Everything that is wrong is said before the first build.
        for service in &built {
            request(&app, service, &options)?;
        }
        let names = built.iter().map(|service| images::reference(&app, service).map(|name| name.to_string()));
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let looking = image::before(context, &app.engine, names.iter().map(String::as_str));
        let all_before = app.look("looking at images", looking)?;
        let mut changes = Vec::new();
        for (service, name) in built.into_iter().zip(&names) {
            let before = all_before.id(name);
            let held = one(&app, service, &options, &logins)?;
            let change = all_before.change(name, &held.id);
            let changed = change.is_some();
            add(&mut changes, change);
            *(if changed { &mut new } else { &mut same }) += 1;
            let word = if changed { "built" } else { "unchanged" };
            context.log(LogStream::Info, &format!("{}: {word} {name}, {}", service.name, short(&held.id)));
            let result = json!({ "action": word, "image": name, "id": held.id, "before": before });
            results.insert(service.name.clone(), result);
        }
        let value = json!({ "services": results, "changed": new > 0 });
        let outcome = if new > 0 { Outcome::changed(value) } else { Outcome::unchanged(value) };
        Ok(outcome
            .note(match (new, same) {
                (0, 0) => "nothing to build".to_owned(),
                (new, same) => format!("{new} built, {same} unchanged"),
            })
            .made(changes))
    }

    /// Building again does no more than building once; what was there before is noted.
    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Idempotent
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call, |paths, _| paths.one("image", None))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        let options: Options = call.options()?;
        if is_written_before(context, call) {
            return Ok(vague(&self.preview(call)));
        }
        let mut app = App::open(context, call)?;
        app.exactly(&options.services)?;
        let (mut results, mut changes) = (Map::new(), Vec::new());
        for service in app.model.services.values().filter(|service| service.build.is_some()) {
            // Everything that is wrong is said in a plan as well; an inline Dockerfile is not written for it.
            check(&app, service)?;
            let name = images::reference(&app, service)?.to_string();
            let before = app.look("looking at images", app.engine.image(&name))?.map(|image| image.id);
            let change = image::built(&name, before.is_some());
            let what = format!("what building {name} gives");
            let action = if before.is_some() { unknown(what.clone()) } else { "built".into() };
            let result = json!({ "action": action, "image": name, "id": unknown(what), "before": before });
            results.insert(service.name.clone(), result);
            add(&mut changes, [change]);
        }
        let changed = match changes.iter().find(|change| change.condition.is_none()).or(changes.first()) {
            None => Value::Bool(false),
            Some(Change { condition: None, .. }) => Value::Bool(true),
            Some(Change { condition: Some(condition), .. }) => unknown(format!("whether {condition}")),
        };
        Ok(Prediction { value: json!({ "services": results, "changed": changed }), changes })
    }
}

/// Builds the image of one service.
pub(super) fn one(app: &App<'_>, service: &Service, options: &Options, logins: &Logins) -> Result<Held, Failure> {
    let reference = images::reference(app, service)?;
    let (mut wanted, _inline) = request(app, service, options)?;
    // Only base images need it: where the password is not there, the registry says so if it is asked.
    if let Ok(Some(login)) = logins.find(app.context, &reference) {
        wanted.logins.insert(reference.registry.clone(), login);
    }
    wanted.tags.insert(0, reference.clone());
    let mut show = |step: BuildStep| match step {
        BuildStep::Instruction(number, total, text) => {
            app.context.log(LogStream::Stdout, &format!("step {number}/{total}: {text}"));
            app.context.progress(Progress {
                item: service.name.clone(),
                doing: format!("building: {text}"),
                current: Some(number),
                total: Some(total),
                ..Progress::default()
            });
        }
        BuildStep::Line(line) => app.context.log(LogStream::Stdout, &line),
    };
    let what = format!("building the image of `{}`", service.name);
    let image = app.context.wait(&what, options.timeout.0, app.engine.build(&wanted, &mut show));
    let image = image.map_err(|mut failure| {
        failure.message = format!("service `{}`: {}", service.name, failure.message);
        failure
    })?;
    Ok(Held::new(&image, &reference))
}

/// What the `build` section asks for. A key that the engine's own builder cannot honour is an error, not a surprise.
fn request(app: &App<'_>, service: &Service, options: &Options) -> Result<(BuildRequest, Option<Inline>), Failure> {
    let (section, folder) = check(app, service)?;
    let inline = (!section.dockerfile_inline.is_empty()).then(|| Inline::write(&folder, section)).transpose()?;
    let dockerfile = inline.as_ref().map_or_else(|| section.dockerfile.clone(), |inline| inline.name.clone());
    let dockerfile = if dockerfile.is_empty() { "Dockerfile".to_owned() } else { dockerfile };
    let tags = section.tags.iter().map(|tag| Reference::parse(tag)).collect::<Result<Vec<_>, _>>()?;
    let args = section.args.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let request = BuildRequest {
        args: args.collect(),
        target: super::desired::text(&section.target),
        labels: section.labels.clone(),
        no_cache: options.no_cache || section.no_cache,
        pull: options.pull || section.pull,
        platform: super::desired::text(&service.platform),
        network: super::desired::text(&section.network),
        dockerfile: PathBuf::from(dockerfile),
        folder,
        tags,
        ..BuildRequest::default()
    };
    Ok((request, inline))
}

/// Says what is wrong with a `build` section; returns it and its folder.
fn check<'s>(app: &App<'_>, service: &'s Service) -> Result<(&'s Section, PathBuf), Failure> {
    let Some(section) = &service.build else {
        return Err(Failure::new(FailureKind::Invalid, format!("service `{}` has no `build` section", service.name)));
    };
    refuse_unmet(service, section)?;
    let folder = PathBuf::from(&section.context);
    if !folder.is_dir() {
        return Err(Failure::new(
            FailureKind::NotFound,
            format!("service `{}`: the build context `{}` is not a folder here", service.name, app.shown(&folder)),
        ));
    }
    let dockerfile = if section.dockerfile.is_empty() { "Dockerfile" } else { &section.dockerfile };
    if section.dockerfile_inline.is_empty() && !folder.join(dockerfile).is_file() {
        let path = app.shown(&folder.join(dockerfile));
        return Err(Failure::new(FailureKind::NotFound, format!("service `{}`: there is no `{path}`", service.name)));
    }
    Ok((section, folder))
}

fn refuse_unmet(service: &Service, section: &Section) -> Result<(), Failure> {
    if !section.unmet.is_empty() {
        return Err(failure(&section.unmet));
    }
    let is_remote =
        ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|lead| section.context.starts_with(lead));
    if !is_remote {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Invalid,
        format!("service `{}`: `build.context` is a repository, which is not supported", service.name),
    )
    .hint("check it out first, with `git`, and name its folder"))
}

/// A Dockerfile written in the compose file, as a file of the context while it is needed.
struct Inline {
    name: String,
    path: PathBuf,
}

impl Inline {
    fn write(folder: &Path, section: &Section) -> Result<Self, Failure> {
        let stamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let name = format!(".runbook-dockerfile-{}-{}", std::process::id(), stamp.as_nanos());
        let path = folder.join(&name);
        std::fs::write(&path, &section.dockerfile_inline)
            .map_err(|error| Failure::system(format!("write `{}`", path.display()), &error))?;
        Ok(Self { name, path })
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
