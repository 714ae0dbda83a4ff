//! `compose.pull`: brings the images that the services name, and touches nothing that runs.

use serde_json::{Map, Value, json};

use super::app::App;
use super::images::{self, Fetched};
use super::logins::{LoginOption, Logins};
use super::short;
use crate::compose::Service;
use crate::primitive::{Call, Context, Effect, Failure, LogStream, Outcome, Primitive, Probe, Spec};

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

    fn preview(&self, call: &Call) -> String {
        format!("pull the images of {}", call.receiver_str("name"))
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let mut app = App::open(context, call)?;
        app.only(&options.services)?;
        let logins = Logins::of(context, options.login);
        let (local, remote): (Vec<&Service>, Vec<&Service>) =
            app.model.services.values().partition(|service| is_local(service));
        let mut services = Map::new();
        for service in local {
            let why = if service.build.is_some() { "is built here" } else { "`pull_policy` says never" };
            context.log(LogStream::Info, &format!("{}: not pulled, it {why}", service.name));
            services
                .insert(service.name.clone(), json!({ "action": "skipped", "image": service.image_name(app.name()) }));
        }
        let mut fetched = images::fetch(&app, images::wanted(&app, remote.into_iter())?, &logins)?;
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
        Ok(outcome.note(note(pulled, current)))
    }

    /// Pulling again does no more than pulling once.
    fn probe(&self, _context: &Context<'_>, _call: &Call) -> Result<Probe, Failure> {
        Ok(Probe::NotDone)
    }
}

fn is_local(service: &Service) -> bool {
    service.build.is_some() && service.pull_policy != "always" || service.pull_policy == "never"
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
