//! Images of services: which ones the engine has, and fetching those it lacks.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;

use super::app::App;
use super::build;
use super::logins::Logins;
use crate::compose::Service;
use crate::drivers::docker::{Image, Login, Reference, Transfer};
use crate::primitive::{Context, Evidence, Failure, FailureKind, Progress};

/// How many images are fetched at the same time.
const AT_ONCE: usize = 3;
/// How long fetching all images may take; each of them also ends after a minute of silence.
pub(super) const LIMIT: Duration = Duration::from_secs(60 * 60);

/// An image the engine has, under the name a service knows it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// `sha256:…`
    pub id: String,
    /// `repository@sha256:…` in the registry of its name; `None` for what was built here.
    pub digest: Option<String>,
    /// Paths it declares as volumes.
    pub volumes: Vec<String>,
}

impl Held {
    /// An image as a reference names it.
    pub fn new(image: &Image, reference: &Reference) -> Self {
        let digest = image.digest_in(reference).map(|digest| format!("{}@{digest}", reference.name()));
        Self { id: image.id.clone(), digest, volumes: image.volumes.clone() }
    }
}

/// An image to fetch, and the services that run it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its name.
    pub reference: Reference,
    /// The services that run it.
    pub services: Vec<String>,
    /// The platform a service asks for.
    pub platform: Option<String>,
}

/// An image that was fetched.
pub(super) struct Fetched {
    /// What was asked for.
    pub wanted: Wanted,
    /// What the name stands for now.
    pub held: Held,
    /// The id it stood for before.
    pub before: Option<String>,
}

/// The images of these services, each once.
pub(super) fn wanted<'s>(app: &App<'_>, services: impl Iterator<Item = &'s Service>) -> Result<Vec<Wanted>, Failure> {
    let mut by_name: BTreeMap<Reference, Wanted> = BTreeMap::new();
    for service in services {
        let reference = reference(app, service)?;
        let platform = super::desired::text(&service.platform);
        by_name
            .entry(reference.clone())
            .or_insert_with(|| Wanted { reference, services: Vec::new(), platform })
            .services
            .push(service.name.clone());
    }
    Ok(by_name.into_values().collect())
}

/// The name of a service's image, with tag or digest.
pub(super) fn reference(app: &App<'_>, service: &Service) -> Result<Reference, Failure> {
    Reference::parse(&service.image_name(app.name())).map_err(|mut failure| {
        failure.kind = FailureKind::Invalid;
        failure.message = format!("service `{}`: {}", service.name, failure.message);
        failure
    })
}

/// Fetches images, several at a time. All failures are told at once; what came is kept.
pub(super) fn fetch(app: &App<'_>, wanted: Vec<Wanted>, logins: &Logins) -> Result<Vec<Fetched>, Failure> {
    let with_login: Vec<(Wanted, Option<Login>)> = wanted
        .into_iter()
        .map(|wanted| logins.find(app.context, &wanted.reference).map(|login| (wanted, login)))
        .collect::<Result<_, _>>()?;
    let work = async {
        let fetches = with_login.into_iter().map(|(wanted, login)| fetch_one(app, wanted, login));
        Ok(iter(fetches).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await)
    };
    let results = app.context.wait("pulling images", LIMIT, work)?;
    let (fetched, failures): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    let failures: Vec<Failure> = failures.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(fetched.into_iter().flatten().collect()) } else { Err(together(failures)) }
}

async fn fetch_one(app: &App<'_>, wanted: Wanted, login: Option<Login>) -> Result<Fetched, Failure> {
    let name = wanted.reference.to_string();
    let before = app.engine.image(&name).await?.map(|image| image.id);
    let mut layers = Layers::new(&wanted);
    let mut show = |transfer: Transfer| layers.moved(app.context, transfer);
    let pulled = app.engine.pull(&wanted.reference, wanted.platform.as_deref(), login.as_ref(), &mut show).await;
    let image = pulled.map_err(|mut failure| {
        let noun = if wanted.services.len() == 1 { "service" } else { "services" };
        failure.message = format!("{noun} {}: {}", quoted(&wanted.services), failure.message);
        failure
    })?;
    Ok(Fetched { held: Held::new(&image, &wanted.reference), before, wanted })
}

/// The images of the application's services; what is missing is built or fetched first, and so is what says `always`.
pub(super) fn ensure(app: &App<'_>, logins: &Logins) -> Result<BTreeMap<String, Held>, Failure> {
    let mut held = BTreeMap::new();
    let (mut to_fetch, mut to_build) = (Vec::new(), Vec::new());
    for service in app.model.services.values() {
        let name = reference(app, service)?;
        let image = app.look("looking at images", app.engine.image(&name.to_string()))?;
        match (image, service.pull_policy.as_str()) {
            (_, "always") if service.build.is_none() => to_fetch.push(service),
            (Some(image), _) => drop(held.insert(service.name.clone(), Held::new(&image, &name))),
            (None, "never") => {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!(
                        "service `{}`: the engine has no image `{name}`, and `pull_policy: never` forbids to pull it",
                        service.name
                    ),
                ));
            }
            (None, _) if service.build.is_some() => to_build.push(service),
            (None, _) => to_fetch.push(service),
        }
    }
    for fetched in fetch(app, wanted(app, to_fetch.into_iter())?, logins)? {
        held.extend(fetched.wanted.services.iter().map(|service| (service.clone(), fetched.held.clone())));
    }
    for service in to_build {
        held.insert(service.name.clone(), build::one(app, service, &build::Options::default(), logins)?);
    }
    Ok(held)
}

/// Several failures as one: the first as it is, the others as evidence.
fn together(mut failures: Vec<Failure>) -> Failure {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let all = failures.iter().map(|failure| failure.message.clone()).collect::<Vec<_>>().join("\n");
    let mut first = failures.remove(0);
    let others = failures.len();
    first.message = format!("{} (and {} more)", first.message, super::count(others, "failure"));
    first.evidence.insert(0, Evidence { title: "all failures".into(), text: all });
    for failure in failures {
        first.hints.extend(failure.hints);
    }
    first.hints.dedup();
    first
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The layers of one image on their way, added up.
struct Layers {
    item: String,
    bytes: BTreeMap<String, (u64, u64)>,
}

impl Layers {
    fn new(wanted: &Wanted) -> Self {
        Self { item: wanted.services.join(", "), bytes: BTreeMap::new() }
    }

    fn moved(&mut self, context: &Context<'_>, transfer: Transfer) {
        if let Some(total) = transfer.total {
            // Unpacking counts from the start again; only what comes over the line is shown as bytes.
            if transfer.doing == "Downloading" {
                self.bytes.insert(transfer.layer, (transfer.current.unwrap_or(0), total));
            }
        } else if transfer.doing == "Download complete"
            && let Some((current, total)) = self.bytes.get_mut(&transfer.layer)
        {
            *current = *total;
        }
        let sum = |of: fn(&(u64, u64)) -> u64| self.bytes.values().map(of).sum::<u64>();
        let (current, total) = (sum(|bytes| bytes.0), sum(|bytes| bytes.1));
        context.progress(Progress {
            item: self.item.clone(),
            doing: transfer.doing.to_lowercase(),
            current: (total > 0).then_some(current),
            total: (total > 0).then_some(total),
        });
    }
}
