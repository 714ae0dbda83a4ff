//! Putting a new container beside the old one, which hands over when the new one has proved itself.
//!
//! The new one boots under another name and without the names by which others find the service. When it is healthy it
//! gets these late, serves beside the old one for a while, and takes over the place's own name; only then the old one
//! is asked to stop. So each name says how far it is, whoever looks: what is called `…runbook-next` never had the
//! place, what is called `…runbook-previous` gave it away, and both may be ended by the next `up`.

use std::time::Duration;

use super::ledger::{Ledger, Phase};
use super::place::Place;
use crate::compose::is_socket;
use crate::drivers::docker::{Container, ContainerSpec, Engine, Mount, MountKind, NetworkAttachment, Restart};
use crate::primitive::Failure;
use crate::primitives::compose::app::{NEXT, PREVIOUS};
use crate::primitives::compose::desired::Desired;
use crate::primitives::compose::files;

/// How long a container that never served may take to stop.
const CURT: Duration = Duration::from_secs(3);

/// What is to be made for a place that something else may have, under a name of its own; from now on both are looked after.
fn candidate(ledger: &Ledger, place: &Place, desired: &Desired) -> ContainerSpec {
    ledger.begin(&place.name, place.present.as_ref());
    ContainerSpec { name: format!("{}{NEXT}", place.name), ..desired.spec.clone() }
}

/// Makes the container that is to take over. Nobody finds it by the service's names.
pub(super) async fn make(
    engine: &Engine,
    ledger: &Ledger,
    place: &Place,
    desired: &Desired,
) -> Result<String, Failure> {
    let mut spec = candidate(ledger, place, desired);
    for network in &mut spec.networks {
        network.aliases.clear();
    }
    made(engine, &spec, desired).await
}

/// Makes the container that proves a new version without the place: no ports, no names, no fixed addresses, and nothing
/// that the old one writes to.
pub(super) async fn make_canary(
    engine: &Engine,
    ledger: &Ledger,
    place: &Place,
    desired: &Desired,
) -> Result<String, Failure> {
    let mut spec = candidate(ledger, place, desired);
    spec.ports.clear();
    spec.mac_address = None;
    spec.restart = Some(Restart { policy: "no".to_owned(), max_retries: None });
    for network in &mut spec.networks {
        *network = NetworkAttachment {
            name: network.name.clone(),
            links: network.links.clone(),
            driver_options: network.driver_options.clone(),
            ..NetworkAttachment::default()
        };
    }
    for mount in spec.mounts.iter_mut().filter(|mount| !mount.read_only) {
        match mount.kind {
            MountKind::Volume => *mount = Mount { target: mount.target.clone(), ..Mount::default() },
            MountKind::Bind => mount.read_only = true,
            MountKind::Tmpfs => {}
        }
    }
    for bind in &mut spec.binds {
        *bind = read_only(bind);
    }
    made(engine, &spec, desired).await
}

/// Gives it the names by which others find the service. What it had connected to while it booted is cut off once.
pub(super) async fn join(
    engine: &Engine,
    ledger: &Ledger,
    place: &str,
    id: &str,
    networks: &[NetworkAttachment],
) -> Result<(), Failure> {
    ledger.phase(place, Phase::Joined);
    for network in networks {
        engine.disconnect_network(id, &network.name).await?;
        engine.connect_network(id, network).await?;
    }
    Ok(())
}

/// The new one takes the place. Both serve.
pub(super) async fn hand_over(
    engine: &Engine,
    ledger: &Ledger,
    place: &Place,
    old: &Container,
    id: &str,
) -> Result<(), Failure> {
    let previous = format!("{}{PREVIOUS}", place.name);
    if old.name != previous {
        end(engine, &previous).await?;
        ledger.phase(&place.name, Phase::Swapping);
        engine.rename(&old.id, &previous).await?;
    }
    engine.rename(id, &place.name).await?;
    ledger.phase(&place.name, Phase::Retiring);
    Ok(())
}

/// The old one comes back as it went: a container that was retired boots without names, and gets them when it is healthy.
pub(super) async fn hide(engine: &Engine, id: &str, networks: &[NetworkAttachment]) -> Result<(), Failure> {
    for network in networks {
        engine.disconnect_network(id, &network.name).await?;
        engine.connect_network(id, &NetworkAttachment { aliases: Vec::new(), ..network.clone() }).await?;
    }
    Ok(())
}

/// Takes away what never had the place.
pub(super) async fn withdraw(engine: &Engine, place: &str) -> Result<(), Failure> {
    let next = format!("{place}{NEXT}");
    if let Some(found) = engine.find(&next).await? {
        engine.stop(&found.id, Some(CURT)).await?;
        engine.remove(&found.id, true).await?;
    }
    Ok(())
}

/// Asks a container to stop, gives it its own time for that, and removes it; one that is not there is no concern.
pub(super) async fn end(engine: &Engine, name: &str) -> Result<(), Failure> {
    if let Some(found) = engine.find(name).await? {
        engine.stop(&found.id, None).await?;
        // Anonymous volumes have moved on to the new container.
        engine.remove(&found.id, false).await?;
    }
    Ok(())
}

async fn made(engine: &Engine, spec: &ContainerSpec, desired: &Desired) -> Result<String, Failure> {
    engine.remove(&spec.name, true).await?;
    let id = engine.create(spec).await?;
    files::put(engine, &id, &desired.inject).await?;
    Ok(id)
}

/// `/srv/data:/data:rw,z` → `/srv/data:/data:ro,z`; sockets are talked to, not written.
fn read_only(bind: &str) -> String {
    let mut parts = bind.splitn(3, ':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let flags = parts.next().unwrap_or_default().split(',').filter(|flag| !matches!(*flag, "rw" | "ro" | ""));
    let mode = if is_socket(source) { "rw" } else { "ro" };
    let flags = std::iter::once(mode).chain(flags).collect::<Vec<_>>().join(",");
    format!("{source}:{target}:{flags}")
}

#[cfg(test)]
mod tests {
    use super::read_only;

    #[test]
    fn a_canary_does_not_write_to_folders_of_the_host() {
        assert_eq!(read_only("/srv/data:/data:rw,z"), "/srv/data:/data:ro,z");
        assert_eq!(read_only("/srv/data:/data"), "/srv/data:/data:ro");
        assert_eq!(read_only("/run/docker.sock:/run/docker.sock:rw"), "/run/docker.sock:/run/docker.sock:rw");
    }
}
