//! `compose.pull`: brings the images that the services name, and touches nothing that runs.

use serde_json::{Map, Value, json};

use super::app::App;
use super::images::{self, Fetched};
use super::logins::{LoginOption, Logins};
use super::{is_written_before, needs, short, touches, vague};
use crate::compose::Service;
use crate::primitive::{
    Call, Context, Effect, Failure, LogStream, Need, Outcome, Prediction, Primitive, Recovery, Sink, Spec, Touches,
    unknown,
};
use crate::primitives::on_engine::image;

/// Fetches images.
pub(super) struct Pull;

crate::options! {
    /// Options of `compose.pull`.
    pub struct Options {
        /// Only these services and what they depend on.
        services: Vec<String>,
        /// The login for the registry: `#{ username: …, password: … }`, and `registry` when it is for one of several.
        /// Without it: `[registry."…"]` of `runbook.toml`, else what `docker login` left in `~/.docker/config.json`.
        login: Option<LoginOption>,
    }
}

static SPEC: Spec = Spec {
    name: "pull",
    receiver: Some("compose"),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "Pulls the image of every service, without touching anything that runs.",
    example: r#"app.pull(#{ services: ["api", "worker"] });"#,
};

impl Primitive for Pull {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, &SPEC)
    }

    fn preview(&self, call: &Call) -> String {
        format!("pull the images of {}", call.receiver_str("name"))
    }

    fn sinks(&self, _call: &Call) -> Vec<Sink> {
        vec![Sink::new("login", "the login at a registry")]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let mut app = App::open(context, call)?;
        app.only(&options.services)?;
        let logins = Logins::of(context, options.login);
        let (mut services, remote) = chosen(&app);
        for (service, why) in app.model.services.values().filter_map(|service| Some((service, why_local(service)?))) {
            context.log(LogStream::Info, &format!("{}: not pulled, it {why}", service.name));
        }
        let wanted = images::wanted(&app, remote.into_iter())?;
        let names: Vec<String> = wanted.iter().map(|wanted| wanted.reference.to_string()).collect();
        let looking = image::before(context, &app.engine, names.iter().map(String::as_str));
        let before = app.look("looking at images", looking)?;
        let mut fetched = images::fetch(&app, wanted, &logins)?;
        for fetched in &mut fetched {
            fetched.before = before.id(&fetched.wanted.reference.to_string()).map(str::to_owned);
        }
        fetched.sort_by(|a, b| a.wanted.services.cmp(&b.wanted.services));
        let pulled = fetched.iter().filter(|fetched| is_new(fetched)).count();
        let current = fetched.len() - pulled;
        for fetched in &fetched {
            for service in &fetched.wanted.services {
                context.log(LogStream::Info, &line(service, fetched));
                services.insert(service.clone(), result(fetched));
            }
        }
        let value = json!({ "services": services, "changed": pulled > 0 });
        let outcome = if pulled > 0 { Outcome::changed(value) } else { Outcome::unchanged(value) };
        Ok(outcome.note(note(pulled, current)).made(fetched.iter().filter_map(Fetched::change)))
    }

    /// Pulling again does no more than pulling once; what was there before is noted.
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
        app.only(&options.services)?;
        let logins = Logins::of(context, options.login);
        let (mut services, remote) = chosen(&app);
        let mut changes = Vec::new();
        for wanted in images::wanted(&app, remote.into_iter())? {
            let name = &wanted.reference;
            let (foreseen, held) = images::foresee_one(&app, name, &logins)?;
            let id = if foreseen.is_new { unknown(format!("the id of image {name}")) } else { json!(held.id) };
            let result = json!({
                "action": if foreseen.is_new { "pulled" } else { "up to date" },
                "image": name.to_string(),
                "id": id,
                "digest": held.digest,
                "before": foreseen.present.map(|image| image.id),
            });
            changes.extend(foreseen.change);
            services.extend(wanted.services.iter().map(|service| (service.clone(), result.clone())));
        }
        Ok(Prediction { value: json!({ "services": services, "changed": !changes.is_empty() }), changes })
    }
}

/// The services whose images are pulled, and the results of the others.
fn chosen<'a>(app: &'a App<'_>) -> (Map<String, Value>, Vec<&'a Service>) {
    let (local, remote): (Vec<&Service>, Vec<&Service>) =
        app.model.services.values().partition(|service| why_local(service).is_some());
    let skipped = |service: &Service| json!({ "action": "skipped", "image": service.image_name(app.name()) });
    (local.into_iter().map(|service| (service.name.clone(), skipped(service))).collect(), remote)
}

/// Why an image is not pulled.
fn why_local(service: &Service) -> Option<&'static str> {
    match (service.build.is_some(), service.pull_policy.as_str()) {
        (true, "always") => None,
        (true, _) => Some("is built here"),
        (false, "never") => Some("`pull_policy` says never"),
        (false, _) => None,
    }
}

fn is_new(fetched: &Fetched) -> bool {
    fetched.before.as_ref() != Some(&fetched.held.id)
}

fn line(service: &str, fetched: &Fetched) -> String {
    let name = &fetched.wanted.reference;
    let digest =
        fetched.held.digest.as_deref().and_then(|digest| digest.rsplit_once('@')).map_or("", |(_, digest)| digest);
    match &fetched.before {
        Some(before) if is_new(fetched) => {
            format!(
                "{service}: pulled {name}, {} (image {} → {})",
                short(digest),
                short(before),
                short(&fetched.held.id)
            )
        }
        None => format!("{service}: pulled {name}, {}", short(digest)),
        Some(_) => format!("{service}: {name} is up to date, {}", short(digest)),
    }
}

fn result(fetched: &Fetched) -> Value {
    json!({
        "action": if is_new(fetched) { "pulled" } else { "up to date" },
        "image": fetched.wanted.reference.to_string(),
        "id": fetched.held.id,
        "digest": fetched.held.digest,
        "before": fetched.before,
    })
}

fn note(pulled: usize, current: usize) -> String {
    match (pulled, current) {
        (0, 0) => "nothing to pull".to_owned(),
        (0, current) => format!("{current} up to date"),
        (pulled, 0) => format!("{pulled} pulled"),
        (pulled, current) => format!("{pulled} pulled, {current} up to date"),
    }
}
