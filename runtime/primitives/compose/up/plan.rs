//! Deciding what `up` has to do, from the files and from what exists. Nothing is touched.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use super::manner::{self, Manner, Update};
use super::place::{Awaited, Place, Plan, Step};
use crate::compose::labels::Instance;
use crate::compose::{Application, Condition, Obstacle, Service, StaleUpstream, stale_upstreams};
use crate::drivers::docker::{Container, ContainerState, Reference};
use crate::primitive::{Failure, FailureKind};
use crate::primitives::compose::app::{App, Existing, PREVIOUS};
use crate::primitives::compose::desired::Desired;
use crate::primitives::compose::images::{Coming, Held};
use crate::primitives::compose::namespaces::{Namespaces, shared};
use crate::primitives::compose::{desired, differs, release, short};
use crate::primitives::on_engine::PLACED_BY;

/// Decides for every container of the chosen services, and for those that should not be there.
pub(super) fn make(
    app: &App<'_>,
    everything: &Application,
    existing: &Existing,
    images: &BTreeMap<String, Held>,
    options: &Options,
) -> Result<Plan, Failure> {
    let namespaces = Namespaces::of(existing);
    let mut plan = Plan::default();
    for service in app.model.services.values() {
        let image = images.get(&service.name).cloned().unwrap_or_default();
        plan.places.insert(service.name.clone(), places(app, service, existing, &image, &namespaces, options)?);
        plan.after.insert(service.name.clone(), after(&app.model, service));
        if desired::is_job(&app.model, &service.name) {
            plan.jobs.push(service.name.clone());
        }
    }
    follow(app, &mut plan, images)?;
    manners(app, everything, &mut plan, options);
    for name in existing.services() {
        if everything.services.contains_key(name) || everything.disabled.contains_key(name) {
            continue;
        }
        if options.remove_orphans {
            let gone = existing.of(name).map(|(number, container)| remove(name, number, container, "not in the files"));
            plan.places.insert(name.to_owned(), gone.collect());
        } else {
            plan.warnings.extend(existing.of(name).map(|(_, container)| orphan(name, &container.name)));
        }
    }
    Ok(plan)
}

/// Says that a container of a service that the files do not have is there.
fn orphan(service: &str, container: &str) -> String {
    format!(
        "container `{container}` belongs to service `{service}`, which the files do not have: `remove_orphans: true` removes it"
    )
}

/// In which order the containers of each service change.
fn manners(app: &App<'_>, everything: &Application, plan: &mut Plan, options: &Options) {
    let stale = if app.model.travels { Vec::new() } else { stale_upstreams(everything, options.settle.0.as_secs()) };
    for service in app.model.services.values() {
        let update = Update::of(service, options);
        let obstacles: Vec<String> =
            service.obstacles(&options.shared_volumes).into_iter().map(Obstacle::shown).collect();
        let is_job = plan.jobs.contains(&service.name);
        for place in plan.places.get_mut(&service.name).into_iter().flatten().filter(|_| !is_job) {
            manner::decide(place, &update, &obstacles, options, &|| release::measured(app));
        }
        let rolls = |place: &&mut Place| place.manner == Manner::StartFirst;
        let first = plan.places.get_mut(&service.name).and_then(|places| places.iter_mut().find(rolls));
        let behind =
            |stale: &&StaleUpstream| stale.upstream == service.name && !options.reload.0.contains_key(&stale.proxy);
        if let Some(place) = first {
            for stale in stale.iter().filter(behind) {
                plan.warnings.push(format!("{}: {}", stale.shown(), StaleUpstream::REMEDY));
                place.notes.push(stale.shown());
            }
        }
        plan.updates.insert(service.name.clone(), update);
    }
}

fn places(
    app: &App<'_>,
    service: &Service,
    existing: &Existing,
    image: &Held,
    namespaces: &Namespaces,
    options: &Options,
) -> Result<Vec<Place>, Failure> {
    let replicas = service.replicas();
    if replicas > 1 && !service.container_name.is_empty() {
        return Err(Failure::new(
            FailureKind::Invalid,
            format!("service `{}` has a `container_name`, so it cannot have {replicas} containers", service.name),
        ));
    }
    let mut places = Vec::new();
    for number in 1..=replicas {
        let wanted = container(app, service, number, image)?;
        let present = existing.serving.get(&(service.name.clone(), number)).cloned();
        let will_be = existing.made.contains(&wanted.spec.name);
        let mut condition = None;
        let mut reasons = match &present {
            Some(present) if !will_be => {
                // An image that is still to come is compared for itself.
                let id = if image.coming.is_some() { &present.image_id } else { &image.id };
                let has_secret = |text: &str| app.holds_secret(text);
                let mut reasons = differs::reasons(service, &wanted, present, id, namespaces, &has_secret)?;
                coming(app, image, &wanted.spec.image, present, &mut reasons, &mut condition)?;
                reasons
            }
            _ => Vec::new(),
        };
        if options.force_recreate && present.is_some() && reasons.is_empty() {
            reasons.push("forced".to_owned());
        }
        let step = match &present {
            _ if will_be && reasons.is_empty() => Step::Keep,
            Some(present) if reasons.is_empty() => at_rest(present),
            _ => Step::Put(Box::new(wanted.clone())),
        };
        let name = match &present {
            // A container that stays keeps the name that whoever made it gave it.
            Some(present) if reasons.is_empty() => present.name.trim_end_matches(PREVIOUS).to_owned(),
            _ => wanted.spec.name.clone(),
        };
        places.push(Place {
            service: service.name.clone(),
            number,
            name,
            was: present.as_ref().map(|present| present.image.clone()),
            present,
            step,
            idle: false,
            reasons,
            manner: Manner::default(),
            notes: Vec::new(),
            image: image.clone(),
            image_name: wanted.spec.image.clone(),
            condition,
        });
    }
    let surplus = existing.of(&service.name).filter(|(number, _)| *number > replicas);
    places.extend(surplus.map(|(number, container)| remove(&service.name, number, container, "fewer replicas")));
    Ok(places)
}

/// The container of a service, with the name of the call that makes it.
fn container(app: &App<'_>, service: &Service, number: u64, image: &Held) -> Result<Desired, Failure> {
    let mut wanted = desired::container(app, service, &Instance::Replica(number), &image.id)?;
    wanted.spec.labels.insert(PLACED_BY.to_owned(), app.context.key());
    Ok(wanted)
}

/// Will an image that is still to come be another one than that of the container?
fn coming(
    app: &App<'_>,
    image: &Held,
    name: &str,
    present: &Container,
    reasons: &mut Vec<String>,
    condition: &mut Option<String>,
) -> Result<(), Failure> {
    let reason = match (image.coming, &image.digest) {
        (None, _) => return Ok(()),
        (Some(Coming::Pulled), Some(digest)) => {
            let running = app.look("looking at images", app.engine.image(&present.image_id))?;
            if running.is_some_and(|running| running.digests.contains(digest)) {
                return Ok(());
            }
            format!("image {} → {}, to be pulled", short(&present.image_id), short(digest))
        }
        _ => {
            let name = Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.to_string());
            if reasons.is_empty() {
                *condition = Some(format!("building gives another image {name}"));
            }
            format!("image {} → {name}, to be built", short(&present.image_id))
        }
    };
    reasons.retain(|known| !known.starts_with("image"));
    reasons.insert(0, reason);
    Ok(())
}

/// A container that need not be replaced: does it run, or has it done its work?
pub(super) fn at_rest(present: &Container) -> Step {
    match present.state {
        ContainerState::Running | ContainerState::Restarting => Step::Keep,
        ContainerState::Exited if present.exit_code == Some(0) && !is_restarted(present) => Step::Keep,
        _ => Step::Start,
    }
}

/// Does the engine start it again when it ends well?
pub(super) fn is_restarted(container: &Container) -> bool {
    let policy = container.raw.pointer("/HostConfig/RestartPolicy/Name").and_then(serde_json::Value::as_str);
    matches!(policy, Some("always" | "unless-stopped"))
}

pub(super) fn remove(service: &str, number: u64, container: &Container, reason: &str) -> Place {
    Place {
        service: service.to_owned(),
        number,
        name: container.name.clone(),
        present: Some(container.clone()),
        was: Some(container.image.clone()),
        step: Step::Remove,
        idle: true,
        reasons: vec![reason.to_owned()],
        manner: Manner::default(),
        notes: Vec::new(),
        image: Held { id: container.image_id.clone(), ..Held::default() },
        image_name: container.image.clone(),
        condition: None,
    }
}

fn after(application: &Application, service: &Service) -> BTreeMap<String, Awaited> {
    let awaited = |condition| match condition {
        Condition::Started => Awaited::Started,
        Condition::Healthy | Condition::Completed => Awaited::Ready,
    };
    service
        .depends_on
        .iter()
        .filter(|(name, _)| application.services.contains_key(*name))
        .map(|(name, dependency)| (name.clone(), awaited(dependency.condition)))
        .collect()
}

/// Containers that must follow another one: those in its name spaces are replaced, those that say so restarted.
fn follow(app: &App<'_>, plan: &mut Plan, images: &BTreeMap<String, Held>) -> Result<(), Failure> {
    for wave in app.model.order() {
        for start in wave {
            let Some(service) = app.model.services.get(&start.service) else { continue };
            let replaced: BTreeSet<String> = plan
                .put()
                .filter(|(place, _)| place.present.is_some())
                .map(|(place, _)| place.service.clone())
                .collect();
            let leader = shared(service).into_iter().find(|other| replaced.contains(*other)).map(str::to_owned);
            let restarter = service
                .depends_on
                .iter()
                .find(|(other, on)| on.restart && replaced.contains(*other))
                .map(|(name, _)| name);
            for place in plan.places.get_mut(&start.service).into_iter().flatten() {
                if !matches!(place.step, Step::Keep) {
                    continue;
                }
                if let Some(leader) = &leader {
                    let image = images.get(&service.name).cloned().unwrap_or_default();
                    place.step = Step::Put(Box::new(container(app, service, place.number, &image)?));
                    place.reasons.push(format!("shares a name space of {leader}, which is replaced"));
                } else if let Some(other) = restarter {
                    place.step = Step::Restart;
                    place.reasons.push(format!("{other} is replaced"));
                }
            }
        }
    }
    Ok(())
}
