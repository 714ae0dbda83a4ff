//! Images of services: which ones the engine has, and fetching those it lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde::{Deserialize, Serialize};

use super::app::App;
use super::build;
use super::logins::Logins;
use crate::compose::Service;
use crate::drivers::disk;
use crate::drivers::docker::{Image, Login, Reference, Transfer, at_once};
use crate::primitive::{Action, ByteSize, Change, Context, Evidence, Failure, FailureKind, Progress};
use crate::primitives::on_engine::image;

/// How many images are fetched at the same time.
const AT_ONCE: usize = 3;
/// How long fetching all images may take; each of them also ends after a minute of silence.
pub(super) const LIMIT: Duration = Duration::from_secs(60 * 60);

/// How much must be free where the engine keeps its images before anything is pulled.
const ROOM: u64 = 512 * 1024 * 1024;

/// An image the engine has, under the name a service knows it by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Held {
    /// `sha256:…`
    pub id: String,
    /// `repository@sha256:…` in the registry of its name; `None` for what was built here.
    pub digest: Option<String>,
    /// Paths it declares as volumes.
    pub volumes: Vec<String>,
    /// In a plan: how another image will come under that name. Then the id is the one it has until then.
    pub coming: Option<Coming>,
}

/// How an image comes that is not here yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Coming {
    /// A registry has it.
    Pulled,
    /// It is built; when there was one before, it may be the same again.
    Built,
}

/// The images of services, and what bringing them changes.
#[derive(Debug, Default)]
pub(super) struct Images {
    /// By service.
    pub held: BTreeMap<String, Held>,
    /// What was pulled and built, or will be.
    pub changes: Vec<Change>,
    /// Was a registry asked, or something built? Then some time went by.
    pub brought: bool,
}

/// The images that the engine has under the names that services use.
pub(super) type Present = BTreeMap<Reference, Image>;

impl Held {
    /// An image as a reference names it.
    pub fn new(image: &Image, reference: &Reference) -> Self {
        let digest = image.digest_in(reference).map(|digest| format!("{}@{digest}", reference.name()));
        Self { id: image.id.clone(), digest, volumes: image.volumes.clone(), coming: None }
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

impl Fetched {
    /// The change that this was.
    pub fn change(&self) -> Option<Change> {
        image::came(&self.wanted.reference.to_string(), self.before.as_deref(), &self.held.id)
    }
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
    room(app, wanted.len())?;
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

/// Fails when the engine's disk is nearly full: a pull that takes the rest of it hurts everything that runs there.
fn room(app: &App<'_>, wanted: usize) -> Result<(), Failure> {
    if wanted == 0 {
        return Ok(());
    }
    let Some((root, free)) = free(app)?.filter(|(_, free)| *free < ROOM) else { return Ok(()) };
    let (free, images) = (ByteSize(free), super::count(wanted, "image"));
    Err(Failure::new(FailureKind::Check, format!("{root} has {free} free, too little to pull {images}"))
        .hint("`docker().prune_images(…)` removes images that no container needs; nothing was changed"))
}

/// Where the engine keeps its images, and how much is free there; `None` where nobody can tell.
fn free(app: &App<'_>) -> Result<Option<(String, u64)>, Failure> {
    let root = app.look("looking at the engine's disk", app.engine.info())?.root;
    if let Some(host) = app.engine.host() {
        // A host that does not say it may still have room.
        let space = app.look("looking at the engine's disk", app.context.drivers.ssh().space(host, &root));
        return Ok(space.ok().flatten().map(|space| (format!("`{root}` on `{}`", host.name), space.free)));
    }
    let here = if app.model.travels { None } else { disk::space(Path::new(&root)).ok() };
    Ok(here.map(|space| (format!("`{root}`"), space.free)))
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

/// The names of the services' images, each once.
pub(super) fn names(app: &App<'_>) -> Result<BTreeSet<Reference>, Failure> {
    app.model.services.values().map(|service| reference(app, service)).collect()
}

/// Which of these images the engine has.
pub(super) async fn present(app: &App<'_>, names: &BTreeSet<Reference>) -> Result<Present, Failure> {
    let look = |name: &Reference| {
        let name = name.clone();
        async move { Ok(app.engine.image(&name.to_string()).await?.map(|image| (name, image))) }
    };
    Ok(at_once(names.iter().map(look)).await?.into_iter().flatten().collect())
}

/// The images of the application's services; what is missing is built or fetched first, and so is what says `always`.
pub(super) fn ensure(app: &App<'_>, logins: &Logins) -> Result<Images, Failure> {
    let names = names(app)?;
    let present = app.look("looking at images", present(app, &names))?;
    bring(app, &present, logins)
}

/// What is to be done about the services' images.
#[derive(Default)]
struct Sorted<'a> {
    held: BTreeMap<String, Held>,
    to_fetch: Vec<&'a Service>,
    to_build: Vec<(&'a Service, Option<&'a Image>)>,
}

impl<'a> Sorted<'a> {
    fn of(app: &'a App<'_>, present: &'a Present) -> Result<Self, Failure> {
        let mut sorted = Self::default();
        for service in app.model.services.values() {
            let name = reference(app, service)?;
            match (present.get(&name), service.pull_policy.as_str()) {
                (image, "build") if service.build.is_some() => sorted.to_build.push((service, image)),
                (image, policy) if service.build.is_none() && is_due(policy, image) => sorted.to_fetch.push(service),
                (Some(image), _) => drop(sorted.held.insert(service.name.clone(), Held::new(image, &name))),
                (None, "never") => return Err(forbidden(&service.name, &name)),
                (None, _) if service.build.is_some() => sorted.to_build.push((service, None)),
                (None, _) => sorted.to_fetch.push(service),
            }
        }
        Ok(sorted)
    }
}

/// The images of the services, where none has to be fetched or built.
pub(super) fn at_hand(app: &App<'_>, present: &Present) -> Result<Option<BTreeMap<String, Held>>, Failure> {
    let sorted = Sorted::of(app, present)?;
    Ok((sorted.to_fetch.is_empty() && sorted.to_build.is_empty()).then_some(sorted.held))
}

/// The same as [`ensure`] where the engine was asked already what it has.
pub(super) fn bring(app: &App<'_>, present: &Present, logins: &Logins) -> Result<Images, Failure> {
    let Sorted { held, to_fetch, to_build } = Sorted::of(app, present)?;
    let mut images = Images { held, ..Images::default() };
    let held = &mut images.held;
    images.brought = !to_fetch.is_empty() || !to_build.is_empty();
    for fetched in fetch(app, wanted(app, to_fetch.into_iter())?, logins)? {
        images.changes.extend(fetched.change());
        held.extend(fetched.wanted.services.iter().map(|service| (service.clone(), fetched.held.clone())));
    }
    for (service, before) in to_build {
        let built = build::one(app, service, &build::Options::default(), logins)?;
        let before = before.map(|image| image.id.as_str());
        images.changes.extend(image::came(&reference(app, service)?.to_string(), before, &built.id));
        held.insert(service.name.clone(), built);
    }
    Ok(images)
}

/// The same for a plan: nothing is fetched or built.
pub(super) fn foresee(app: &App<'_>, logins: &Logins) -> Result<Images, Failure> {
    let names = names(app)?;
    let all = app.look("looking at images", present(app, &names))?;
    let mut images = Images::default();
    for service in app.model.services.values() {
        let name = reference(app, service)?;
        let text = name.to_string();
        let present = all.get(&name);
        let planned = image::is_planned(app.context, &text);
        let due = service.build.is_none() && is_due(&service.pull_policy, present);
        let anew = service.pull_policy == "build" && service.build.is_some();
        let is_pulled = planned.as_ref().map_or(present.is_none() && service.build.is_none(), image::is_pull);
        let held = if due || (is_pulled && service.pull_policy != "never") {
            let (foreseen, held) = foresee_one(app, &name, logins)?;
            images.changes.extend(foreseen.change.filter(|change| !images.changes.contains(change)));
            held
        } else if let Some(image) = present.filter(|_| planned.is_none() && !anew) {
            Held::new(image, &name)
        } else if service.build.is_some() || planned.is_some() {
            if planned.is_none() {
                let made = Change::new(Action::Create, format!("image {text}"));
                images.changes.push(if present.is_some() { image::built(&text, true) } else { made });
            }
            let present = present.map(|image| Held::new(image, &name)).unwrap_or_default();
            Held { coming: Some(Coming::Built), ..present }
        } else {
            return Err(forbidden(&service.name, &name));
        };
        images.held.insert(service.name.clone(), held);
    }
    Ok(images)
}

/// Does the policy ask the registry although an image is there? `daily` and its like do when the engine got it longer ago than that.
fn is_due(policy: &str, image: Option<&Image>) -> bool {
    let every = match policy {
        "always" | "refresh" => return true,
        "daily" => Some(Duration::from_secs(24 * 3600)),
        "weekly" => Some(Duration::from_secs(7 * 24 * 3600)),
        other => other.strip_prefix("every_").and_then(crate::compose::Duration::parse).map(|every| every.0),
    };
    let (Some(every), Some(image)) = (every, image) else { return false };
    let Ok(tagged) = image.tagged.parse::<jiff::Timestamp>() else { return true };
    let age = jiff::Timestamp::now().duration_since(tagged);
    Duration::try_from(age).is_ok_and(|age| age >= every)
}

/// Foresees the pull of one image.
pub(super) fn foresee_one(
    app: &App<'_>,
    name: &Reference,
    logins: &Logins,
) -> Result<(image::Foreseen, Held), Failure> {
    let login = logins.find(app.context, name)?;
    let asking = image::foresee(app.context, &app.engine, name, login.as_ref());
    let foreseen = app.look("asking the registry", asking)?;
    let held = foreseen.present.as_ref().map(|image| Held::new(image, name)).unwrap_or_default();
    let coming = if foreseen.digest.is_some() { Coming::Pulled } else { Coming::Built };
    let digest = foreseen.digest.as_ref().map(|digest| format!("{}@{digest}", name.name()));
    let held = if foreseen.is_new { Held { coming: Some(coming), digest, ..held } } else { held };
    Ok((foreseen, held))
}

fn forbidden(service: &str, name: &Reference) -> Failure {
    Failure::new(
        FailureKind::NotFound,
        format!("service `{service}`: the engine has no image `{name}`, and `pull_policy: never` forbids to pull it"),
    )
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
            ..Progress::default()
        });
    }
}
