//! Ports that somebody else holds, found before anything is stopped.

use std::collections::BTreeSet;

use super::place::{Awaited, Plan, Step};
use crate::drivers::docker::{ContainerSummary, PortSpec};
use crate::primitive::{Action, Failure, FailureKind};
use crate::primitives::compose::app::App;
use crate::primitives::on_engine::{STOPPED, fate};

/// Fails when a container outside of the plan publishes a port that a new one wants.
pub(super) fn check(app: &App<'_>, plan: &Plan) -> Result<(), Failure> {
    if plan.put().all(|(_, desired)| desired.spec.ports.is_empty()) {
        return Ok(());
    }
    let leaving: BTreeSet<&str> = plan
        .places
        .values()
        .flatten()
        .filter(|place| matches!(place.step, Step::Put(_) | Step::Remove))
        .filter_map(|place| place.present.as_ref().map(|present| present.id.as_str()))
        .collect();
    let others = app.look("looking at published ports", app.engine.containers(&[]))?;
    let others: Vec<&ContainerSummary> =
        others.iter().filter(|other| !leaving.contains(other.id.as_str()) && !is_planned_away(app, other)).collect();
    for (place, desired) in plan.put() {
        for port in &desired.spec.ports {
            let holder = others.iter().find(|other| other.ports.iter().any(|held| collides(port, held)));
            if let (Some(holder), Some(number)) = (holder, &port.host_port) {
                return Err(Failure::new(
                    FailureKind::Conflict,
                    format!("service `{}`: port {number} is held by container `{}`", place.service, holder.name),
                )
                .hint(format!("it runs {}; stop it, or publish another port", holder.image))
                .hint("nothing was changed"));
            }
        }
    }
    Ok(())
}

/// Lets every service wait for the one that still publishes a port it wants, so that the port is free by then; two that
/// exchange ports cannot both wait.
pub(super) fn order(plan: &mut Plan) {
    let mut edges: Vec<(String, String, Awaited)> = Vec::new();
    for (place, desired) in plan.put() {
        for other in plan.places.values().flatten().filter(|other| other.service != place.service) {
            let Some(present) = other.present.as_ref().filter(|_| other.gives_up()) else { continue };
            let collides = desired.spec.ports.iter().any(|port| present.ports.iter().any(|held| collides(port, held)));
            if collides {
                let awaited = if matches!(other.step, Step::Remove) { Awaited::Ready } else { Awaited::Started };
                edges.push((place.service.clone(), other.service.clone(), awaited));
            }
        }
    }
    for (service, other, awaited) in edges {
        if !waits(plan, &other, &service) {
            plan.after.entry(service).or_default().entry(other).or_insert(awaited);
        }
    }
}

/// Does a service wait for another one, in however many steps?
fn waits(plan: &Plan, service: &str, other: &str) -> bool {
    let (mut open, mut seen) = (vec![service], BTreeSet::new());
    while let Some(next) = open.pop() {
        if next == other {
            return true;
        }
        if seen.insert(next) {
            open.extend(plan.after.get(next).into_iter().flat_map(|after| after.keys().map(String::as_str)));
        }
    }
    false
}

/// Will an earlier call of the plan have taken it away?
fn is_planned_away(app: &App<'_>, container: &ContainerSummary) -> bool {
    let planned = fate(app.context, &format!("container {}", container.name));
    planned.is_some_and(|change| change.action == Action::Remove || change.detail.iter().any(|line| line == STOPPED))
}

fn collides(wanted: &PortSpec, held: &crate::drivers::docker::PublishedPort) -> bool {
    let everywhere = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    let protocol = if wanted.protocol.is_empty() { "tcp" } else { &wanted.protocol };
    let address = wanted.host_ip.as_deref().unwrap_or_default();
    wanted.host_port.as_deref().and_then(|port| port.parse::<u16>().ok()) == Some(held.host_port)
        && protocol == held.protocol
        && (everywhere(address) || everywhere(&held.host_ip) || address == held.host_ip)
}
