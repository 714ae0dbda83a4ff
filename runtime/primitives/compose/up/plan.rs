//! Deciding what `up` has to do, from the files and from what exists. Nothing is touched.

use std::collections::{BTreeMap, BTreeSet};

use super::place::{Awaited, Place, Plan, Step};
use super::{Options, report_orphans};
use crate::compose::labels::Instance;
use crate::compose::{Application, Condition, Service};
use crate::drivers::docker::{Container, ContainerState};
use crate::primitive::{Failure, FailureKind};
use crate::primitives::compose::app::{App, Existing, PREVIOUS};
use crate::primitives::compose::images::Held;
use crate::primitives::compose::namespaces::{Namespaces, shared};
use crate::primitives::compose::{desired, differs};

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
    for name in existing.services() {
        if everything.services.contains_key(name) || everything.disabled.contains_key(name) {
            continue;
        }
        if options.remove_orphans {
            let gone = existing.of(name).map(|(number, container)| remove(name, number, container, "not in the files"));
            plan.places.insert(name.to_owned(), gone.collect());
        } else {
            plan.orphans.extend(existing.of(name).map(|(_, container)| (name.to_owned(), container.name.clone())));
        }
    }
    report_orphans(app, &plan.orphans);
    Ok(plan)
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
        let wanted = desired::container(&app.model, service, &Instance::Replica(number), &image.id)?;
        let present = existing.serving.get(&(service.name.clone(), number)).cloned();
        let mut reasons = match &present {
            Some(present) => differs::reasons(service, &wanted, present, &image.id, namespaces)?,
            None => Vec::new(),
        };
        if options.force_recreate && present.is_some() && reasons.is_empty() {
            reasons.push("forced".to_owned());
        }
        let step = match &present {
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
            present,
            step,
            idle: false,
            reasons,
            image: image.clone(),
            image_name: wanted.spec.image.clone(),
        });
    }
    let surplus = existing.of(&service.name).filter(|(number, _)| *number > replicas);
    places.extend(surplus.map(|(number, container)| remove(&service.name, number, container, "fewer replicas")));
    Ok(places)
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
        step: Step::Remove,
        idle: true,
        reasons: vec![reason.to_owned()],
        image: Held { id: container.image_id.clone(), ..Held::default() },
        image_name: container.image.clone(),
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
                    let instance = Instance::Replica(place.number);
                    place.step = Step::Put(Box::new(desired::container(&app.model, service, &instance, &image.id)?));
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
