//! `up(release)`: exactly the images and configurations that were recorded, verified.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::place::{Awaited, Place, Plan, Step};
use super::{Options, plan, ports, report, work};
use crate::compose::labels;
use crate::drivers::docker::{Container, ContainerSpec, Reference};
use crate::primitive::{Call, Context, Failure, FailureKind, LogStream, Outcome};
use crate::primitives::compose::app::{App, Existing, key_of};
use crate::primitives::compose::descriptor::Descriptor;
use crate::primitives::compose::desired::{Desired, FILES};
use crate::primitives::compose::files;
use crate::primitives::compose::images::{Held, LIMIT};
use crate::primitives::compose::logins::Logins;
use crate::primitives::compose::namespaces::Namespaces;
use crate::primitives::compose::release::{self, Recorded, Snapshot, fingerprint};
use crate::primitives::compose::short;

/// Brings a release back. The compose files are not asked: they may be what is wrong.
pub(super) fn bring(context: &Context<'_>, call: &Call, release: &Value, options: Options) -> Result<Outcome, Failure> {
    let app = App::without_files(context, Descriptor::of(call)?)?;
    let mut wanted = Snapshot::of(&app, Some(release))?;
    let partial = !options.services.is_empty();
    if partial {
        choose(&mut wanted, &options.services)?;
    }
    let logins = Logins::of(context, options.login);
    let images = images(&app, &wanted, &logins)?;
    let existing = app.existing()?;
    let plan = decide(&app, call, &wanted, &existing, &images, partial)?;
    ports::check(&app, &plan)?;
    resources(&app, &wanted)?;
    let done = work::conduct(&app, &existing, plan, options.wait.0)?;
    let changed = report::log(&app, &done);
    if !partial {
        release::verify(&app, &wanted)?;
    }
    if options.record {
        release::record_as(&app, changed, wanted.number)?;
    }
    let mut outcome = report::outcome(&done, Some(release));
    if !partial && !wanted.services.is_empty() {
        context.log(LogStream::Info, &format!("verified: {}", wanted.shown()));
        outcome.note = outcome.note.map(|note| format!("{note}, verified by digest"));
    }
    Ok(outcome)
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

/// Every image must be here before anything stops; one that is gone is fetched again by its digest.
fn images(app: &App<'_>, wanted: &Snapshot, logins: &Logins) -> Result<BTreeMap<String, Held>, Failure> {
    let mut held = BTreeMap::new();
    for recorded in &wanted.containers {
        let image = &recorded.image;
        if held.contains_key(&image.image_id) {
            continue;
        }
        let mut present = app.look("looking at images", app.engine.image(&image.image_id))?;
        let digest = image.digest.as_deref().and_then(|digest| Reference::parse(digest).ok());
        if present.is_none()
            && let Some(digest) = &digest
        {
            app.context
                .log(LogStream::Info, &format!("{}: pulling {} again", recorded.service, short(&digest.to_string())));
            let login = logins.find(app.context, digest)?;
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
        held.insert(
            image.image_id.clone(),
            Held { id: present.id.clone(), digest: image.digest.clone(), volumes: present.volumes.clone() },
        );
    }
    Ok(held)
}

fn decide(
    app: &App<'_>,
    call: &Call,
    wanted: &Snapshot,
    existing: &Existing,
    images: &BTreeMap<String, Held>,
    partial: bool,
) -> Result<Plan, Failure> {
    let namespaces = Namespaces::of(existing);
    let mut plan = Plan::default();
    for recorded in &wanted.containers {
        let image = images.get(&recorded.image.image_id).cloned().unwrap_or_default();
        let place = place(app, call, recorded, image, existing, &namespaces)?;
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
) -> Result<Place, Failure> {
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
        (Some(present), _) if unchanged && recorded.running => plan::at_rest(present),
        (Some(_), _) if unchanged => Step::Keep,
        (present, previous) => {
            reasons.push(match present {
                Some(present) if present.image_id != image.id => {
                    format!("image {} → {}", short(&present.image_id), short(&image.id))
                }
                Some(_) => "configuration".to_owned(),
                None => "missing".to_owned(),
            });
            if let Some(previous) = previous {
                Step::Reinstate(Box::new(previous.clone()))
            } else {
                // The digest says more to whoever reads `docker ps` than a bare id, and means the same.
                wanted.image = named(app, &image)?;
                Step::Put(Box::new(Desired { inject: injected(app, call, recorded)?, spec: wanted }))
            }
        }
    };
    Ok(Place {
        service: recorded.service.clone(),
        number: recorded.number,
        name: recorded.name.clone(),
        present,
        step,
        idle: !recorded.running,
        reasons,
        image,
        image_name: recorded.image.image.clone(),
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

/// Networks and volumes that are gone; what is there stays as it is.
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
