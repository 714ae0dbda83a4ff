//! `up(release)`: exactly the images and configurations that were recorded, verified.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::intent::Intent;
use super::manner::{self, Manner, Order, Update};
use super::place::{Awaited, Place, Plan, Step};
use super::work::Pace;
use super::{Options, plan, ports, report, work};
use crate::compose::labels;
use crate::drivers::docker::{Container, ContainerSpec, Reference};
use crate::primitive::{
    Action, Call, Change, Context, Failure, FailureKind, LogStream, Outcome, Prediction, unknown, unknown_of,
};
use crate::primitives::compose::app::{App, Existing, key_of};
use crate::primitives::compose::descriptor::Descriptor;
use crate::primitives::compose::desired::{Desired, FILES};
use crate::primitives::compose::files;
use crate::primitives::compose::images::{Held, Images, LIMIT};
use crate::primitives::compose::logins::Logins;
use crate::primitives::compose::mounted::{self, MOUNTED};
use crate::primitives::compose::namespaces::Namespaces;
use crate::primitives::compose::release::{self, Recorded, Snapshot, fingerprint};
use crate::primitives::compose::short;
use crate::primitives::on_engine::PLACED_BY;

/// Brings a release back. The compose files are not asked: they may be what is wrong.
pub(super) fn bring(
    context: &Context<'_>,
    call: &Call,
    release: &Value,
    options: &Options,
) -> Result<Outcome, Failure> {
    let (app, wanted, partial) = opened(context, call, release, options)?;
    let logins = Logins::of(context, options.login.clone());
    let earlier = Intent::of_earlier(context);
    let images = images(&app, &wanted, &logins, false)?;
    let existing = app.existing()?;
    let mut plan = decide(&app, call, &wanted, &existing, &images.held, partial, options)?;
    earlier.adjust(context, &mut plan);
    ports::order(&mut plan);
    ports::check(&app, &plan)?;
    let made = [images.changes, missing(&app, &wanted)?].concat();
    let intent = earlier.mark(context, &plan, made)?;
    release::keep_running(&app)?;
    resources(&app, &wanted)?;
    let done = work::conduct(&app, &existing, plan, Pace::of(options), &earlier)?;
    let changed = report::log(&app, &done);
    if !partial {
        release::verify(&app, &wanted)?;
    }
    if options.record {
        let now = Snapshot::take(&app)?;
        release::record(&app, now, changed, wanted.number, &report::timings(&done), options.kept())?;
    }
    let mut outcome = report::outcome(&done, Some(release));
    if !partial && !wanted.services.is_empty() {
        context.log(LogStream::Info, &format!("verified: {}", wanted.shown()));
        outcome.note = outcome.note.map(|note| format!("{note}, verified by digest"));
    }
    Ok(super::concluded(outcome, intent))
}

/// The same for a plan.
pub(super) fn foresee(
    context: &Context<'_>,
    call: &Call,
    release: &Value,
    options: &Options,
) -> Result<Prediction, Failure> {
    if unknown_of(release).is_some() {
        return Ok(Prediction::nothing(unknown("what bringing the release back returns")));
    }
    let (app, wanted, partial) = opened(context, call, release, options)?;
    let logins = Logins::of(context, options.login.clone());
    let images = images(&app, &wanted, &logins, true)?;
    let existing = app.existing()?.after_planned(context);
    let plan = decide(&app, call, &wanted, &existing, &images.held, partial, options)?;
    ports::check(&app, &plan)?;
    let made = [images.changes, missing(&app, &wanted)?].concat();
    let done = report::foreseen(plan);
    Ok(Prediction { value: report::value(&done, Some(release)), changes: [made, report::changes(&done)].concat() })
}

/// The application, what is to run of it, and whether that is only a part.
fn opened<'a>(
    context: &'a Context<'a>,
    call: &Call,
    release: &Value,
    options: &Options,
) -> Result<(App<'a>, Snapshot, bool), Failure> {
    let app = App::without_files(context, Descriptor::of(call)?)?;
    let mut wanted = Snapshot::of(&app, Some(release))?;
    let partial = !options.services.is_empty();
    if partial {
        choose(&mut wanted, &options.services)?;
    }
    Ok((app, wanted, partial))
}

fn choose(wanted: &mut Snapshot, services: &[String]) -> Result<(), Failure> {
    if let Some(unknown) = services.iter().find(|name| !wanted.services.contains_key(*name)) {
        let known = wanted.services.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(Failure::new(FailureKind::NotFound, format!("the release has no service `{unknown}`"))
            .hint(format!("its services are {known}")));
    }
    wanted.containers.retain(|recorded| services.contains(&recorded.service));
    wanted.services.retain(|name, _| services.contains(name));
    Ok(())
}

/// Every image must be here before anything stops; one that is gone is fetched again by its digest, or for a plan only
/// looked for in the registry.
fn images(app: &App<'_>, wanted: &Snapshot, logins: &Logins, looking: bool) -> Result<Images, Failure> {
    let mut images = Images::default();
    for recorded in &wanted.containers {
        let image = &recorded.image;
        if images.held.contains_key(&image.image_id) {
            continue;
        }
        let mut present = app.look("looking at images", app.engine.image(&image.image_id))?;
        let digest = image.digest.as_deref().and_then(|digest| Reference::parse(digest).ok());
        let mut held = Held { id: image.image_id.clone(), digest: image.digest.clone(), ..Held::default() };
        if present.is_none()
            && let Some(digest) = &digest
        {
            let login = logins.find(app.context, digest)?;
            images.changes.push(Change::new(Action::Create, format!("image {digest}")));
            if looking {
                app.look("asking the registry", app.engine.registry_digest(digest, login.as_ref()))?;
                images.held.insert(image.image_id.clone(), held);
                continue;
            }
            app.context
                .log(LogStream::Info, &format!("{}: pulling {} again", recorded.service, short(&digest.to_string())));
            let mut silent = |_| {};
            let work = app.engine.pull(digest, None, login.as_ref(), &mut silent);
            present = Some(app.context.wait("pulling a recorded image", LIMIT, work)?);
        }
        let Some(present) = present else {
            return Err(Failure::new(
                FailureKind::NotFound,
                format!("service `{}`: its recorded image {} is gone", recorded.service, short(&image.image_id)),
            )
            .hint("it was built on this machine and pruned, so no registry has it; nothing was changed"));
        };
        (held.id, held.volumes) = (present.id, present.volumes);
        images.held.insert(image.image_id.clone(), held);
    }
    Ok(images)
}

fn decide(
    app: &App<'_>,
    call: &Call,
    wanted: &Snapshot,
    existing: &Existing,
    images: &BTreeMap<String, Held>,
    partial: bool,
    options: &Options,
) -> Result<Plan, Failure> {
    let namespaces = Namespaces::of(existing);
    let mut plan = Plan::default();
    for recorded in &wanted.containers {
        let image = images.get(&recorded.image.image_id).cloned().unwrap_or_default();
        let config = recorded.spec.labels.get(labels::CONFIG).and_then(|text| serde_json::from_str(text).ok());
        let update = Update::recorded(config.as_ref(), options);
        let mut place = place(app, call, recorded, image, existing, &namespaces, update.order)?;
        let alone = wanted.containers.iter().filter(|other| other.service == recorded.service).count() <= 1;
        let obstacles = manner::recorded(&recorded.spec, alone, &options.shared_volumes);
        manner::decide(&mut place, &update, &obstacles, options, &|| release::measured(app));
        plan.updates.insert(recorded.service.clone(), update);
        plan.places.entry(recorded.service.clone()).or_default().push(place);
        plan.after.entry(recorded.service.clone()).or_insert_with(|| after(&recorded.spec, wanted));
    }
    let kept: BTreeSet<(String, u64)> =
        wanted.containers.iter().map(|recorded| (recorded.service.clone(), recorded.number)).collect();
    for ((service, number), container) in existing.serving.iter().filter(|(key, _)| !partial && !kept.contains(key)) {
        let gone = plan::remove(service, *number, container, "not part of the release");
        plan.places.entry(service.clone()).or_default().push(gone);
    }
    Ok(plan)
}

fn place(
    app: &App<'_>,
    call: &Call,
    recorded: &Recorded,
    image: Held,
    existing: &Existing,
    namespaces: &Namespaces,
    order: Order,
) -> Result<Place, Failure> {
    if let Some(given) = recorded.spec.labels.get(MOUNTED).filter(|_| !app.model.travels) {
        for file in mounted::changed_since(given, &app.model.directory) {
            let service = &recorded.service;
            let line =
                format!("service `{service}`: the file {file} is not what it was in the release, and stays as it is");
            app.context.log(LogStream::Warn, &line);
        }
    }
    let key = (recorded.service.clone(), recorded.number);
    let present = existing.serving.get(&key).cloned();
    let mut wanted = recorded.spec.clone();
    let is_it = |container: &Container| -> Result<bool, Failure> {
        let mut spec = ContainerSpec::from_inspect(container)?;
        namespaces.name(&mut spec);
        Ok(container.image_id == image.id && fingerprint(&spec) == fingerprint(&recorded.spec))
    };
    let previous =
        existing.leftovers.iter().find(|leftover| key_of(leftover) == key && is_it(leftover).unwrap_or(false));
    let unchanged = present.as_ref().map(is_it).transpose()?.unwrap_or(false);
    let mut reasons = Vec::new();
    let step = match (&present, previous) {
        // What ran is to run again, however it ended.
        (Some(present), _) if unchanged && recorded.running && !present.is_running() => Step::Start,
        (Some(_), _) if unchanged => Step::Keep,
        (present, previous) => {
            reasons.push(match present {
                Some(present) if present.image_id != image.id => {
                    format!("image {} → {}", short(&present.image_id), short(&image.id))
                }
                Some(_) => "configuration".to_owned(),
                None => "missing".to_owned(),
            });
            // What serves goes on serving while the one from before boots again beside it.
            let beside = order == Order::StartFirst && present.as_ref().is_some_and(Container::is_running);
            if let Some(previous) = previous.filter(|_| !beside) {
                Step::Reinstate(Box::new(previous.clone()))
            } else {
                // The digest says more to whoever reads `docker ps` than a bare id, and means the same.
                wanted.image = named(app, &image)?;
                wanted.labels.insert(PLACED_BY.to_owned(), app.context.key());
                if let Some(given) = recorded.spec.labels.get(MOUNTED).filter(|_| !app.model.travels) {
                    wanted.labels.insert(MOUNTED.to_owned(), mounted::refreshed(given, &app.model.directory));
                }
                Step::Put(Box::new(Desired { inject: injected(app, call, recorded)?, spec: wanted }))
            }
        }
    };
    Ok(Place {
        service: recorded.service.clone(),
        number: recorded.number,
        name: recorded.name.clone(),
        was: present.as_ref().map(|present| present.image.clone()),
        present,
        step,
        idle: !recorded.running,
        reasons,
        manner: Manner::default(),
        notes: Vec::new(),
        image,
        image_name: recorded.image.image.clone(),
        condition: None,
    })
}

fn named(app: &App<'_>, image: &Held) -> Result<String, Failure> {
    let Some(digest) = &image.digest else { return Ok(image.id.clone()) };
    let found = app.look("looking at images", app.engine.image(digest))?;
    Ok(if found.is_some_and(|found| found.id == image.id) { digest.clone() } else { image.id.clone() })
}

/// Texts that were put into the container are no part of its inspection; the files must still say them.
fn injected(app: &App<'_>, call: &Call, recorded: &Recorded) -> Result<Vec<files::Inject>, Failure> {
    let Some(digest) = recorded.spec.labels.get(FILES) else { return Ok(Vec::new()) };
    let now = App::open(app.context, call).ok().and_then(|app| {
        let service = app.service(&recorded.service).ok()?;
        files::of(&app.model, service).ok().map(|(_, inject)| inject)
    });
    now.filter(|inject| files::digest(inject).as_ref() == Some(digest)).ok_or_else(|| {
        Failure::new(
            FailureKind::Conflict,
            format!(
                "service `{}`: the configs or secrets it was made with are not in the files any more",
                recorded.service
            ),
        )
        .hint("put their `content` or `environment` back as it was; nothing was changed")
    })
}

/// What a container waits for, out of its label: `db:service_healthy:false,…`.
fn after(spec: &ContainerSpec, wanted: &Snapshot) -> BTreeMap<String, Awaited> {
    let label = spec.labels.get(labels::DEPENDS_ON).map(String::as_str).unwrap_or_default();
    let entries = label.split(',').filter_map(|entry| {
        let mut parts = entry.split(':');
        let (service, condition) = (parts.next()?, parts.next().unwrap_or_default());
        let awaited = if matches!(condition, "service_healthy" | "service_completed_successfully") {
            Awaited::Ready
        } else {
            Awaited::Started
        };
        wanted.services.contains_key(service).then(|| (service.to_owned(), awaited))
    });
    entries.collect()
}

/// Networks and volumes that are gone.
fn missing(app: &App<'_>, wanted: &Snapshot) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    app.look("looking at networks and volumes", async {
        for network in &wanted.networks {
            let there = app.engine.network(&network.name).await?.is_some();
            changes.extend(super::resources::coming(app, format!("network {}", network.name), there));
        }
        for volume in &wanted.volumes {
            let there = app.engine.volume(&volume.name).await?.is_some();
            changes.extend(super::resources::coming(app, format!("volume {}", volume.name), there));
        }
        Ok(())
    })?;
    Ok(changes)
}

/// Makes networks and volumes that are gone; what is there stays as it is.
fn resources(app: &App<'_>, wanted: &Snapshot) -> Result<(), Failure> {
    app.look("making networks and volumes", async {
        for network in &wanted.networks {
            if app.engine.network(&network.name).await?.is_none() {
                app.engine.create_network(network).await?;
                app.context.log(LogStream::Info, &format!("created network {}", network.name));
            }
        }
        for volume in &wanted.volumes {
            if app.engine.volume(&volume.name).await?.is_none() {
                app.engine.create_volume(volume).await?;
                app.context.log(LogStream::Warn, &format!("created volume {}, empty: it was gone", volume.name));
            }
        }
        Ok(())
    })
}
