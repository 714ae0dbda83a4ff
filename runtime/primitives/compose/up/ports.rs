//! Ports that somebody else holds, found before anything is stopped.

use std::collections::BTreeSet;

use super::place::{Plan, Step};
use crate::drivers::docker::{ContainerSummary, PortSpec};
use crate::primitive::{Failure, FailureKind};
use crate::primitives::compose::app::App;

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
        others.iter().filter(|container| !leaving.contains(container.id.as_str())).collect();
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

fn collides(wanted: &PortSpec, held: &crate::drivers::docker::PublishedPort) -> bool {
    let everywhere = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
    let protocol = if wanted.protocol.is_empty() { "tcp" } else { &wanted.protocol };
    let address = wanted.host_ip.as_deref().unwrap_or_default();
    wanted.host_port.as_deref().and_then(|port| port.parse::<u16>().ok()) == Some(held.host_port)
        && protocol == held.protocol
        && (everywhere(address) || everywhere(&held.host_ip) || address == held.host_ip)
}
