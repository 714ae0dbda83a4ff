//! Networks and volumes of the application: those that must exist, and those that are made.

use std::collections::BTreeMap;

use crate::compose::{Network, Volume};
use crate::drivers::docker::{self, NetworkSpec, Subnet, VolumeSpec, at_once};
use crate::primitive::{Action, Change, Failure, FailureKind, LogStream};
use crate::primitives::compose::app::App;
use crate::primitives::compose::desired::text;
use crate::primitives::on_engine::fate;

/// Which of them the engine has, by name.
#[derive(Debug, Default)]
pub(super) struct There {
    networks: BTreeMap<String, docker::Network>,
    volumes: BTreeMap<String, docker::Volume>,
}

impl There {
    /// Asks for all that the services use.
    pub async fn of(app: &App<'_>) -> Result<Self, Failure> {
        let (networks, volumes) = (app.model.used_networks(), app.model.used_volumes());
        let networks = at_once(networks.values().map(|network| app.engine.network(&network.name)).collect::<Vec<_>>());
        let volumes = at_once(volumes.values().map(|volume| app.engine.volume(&volume.name)).collect::<Vec<_>>());
        let (networks, volumes) = tokio::try_join!(networks, volumes)?;
        // The engine also finds a network by its id.
        let networks = app.model.used_networks().into_values().zip(networks);
        let networks = networks.filter_map(|(wanted, found)| Some((wanted.name.clone(), found?)));
        let volumes = volumes.into_iter().flatten().map(|volume| (volume.name.clone(), volume));
        Ok(Self { networks: networks.collect(), volumes: volumes.collect() })
    }
}

/// Everything that is wrong with networks and volumes that exist or should, before anything happens.
pub(super) fn check(app: &App<'_>, there: &There) -> Result<(), Failure> {
    for (key, network) in app.model.used_networks() {
        match there.networks.get(&network.name) {
            None if network.external => return Err(missing("network", key, &network.name)),
            Some(present) if !network.external && !is_leaving(app, &format!("network {}", network.name)) => {
                same_network(network, present)?;
            }
            _ => {}
        }
    }
    for (key, volume) in app.model.used_volumes() {
        match there.volumes.get(&volume.name) {
            None if volume.external => return Err(missing("volume", key, &volume.name)),
            Some(present) if !volume.external && !is_leaving(app, &format!("volume {}", volume.name)) => {
                same_volume(volume, present)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What [`create`] makes.
pub(super) fn foresee(app: &App<'_>, there: &There) -> Vec<Change> {
    let networks = app.model.used_networks().into_values().filter(|network| !network.external);
    let networks = networks.filter_map(|network| {
        coming(app, format!("network {}", network.name), there.networks.contains_key(&network.name))
    });
    let volumes = app.model.used_volumes().into_values().filter(|volume| !volume.external);
    let volumes = volumes
        .filter_map(|volume| coming(app, format!("volume {}", volume.name), there.volumes.contains_key(&volume.name)));
    networks.chain(volumes).collect()
}

/// The change by which a thing comes into being, unless it is there, or will be when this call is made.
pub(super) fn coming(app: &App<'_>, what: String, there: bool) -> Option<Change> {
    let there = fate(app.context, &what).map_or(there, |planned| planned.action != Action::Remove);
    (!there).then(|| Change::new(Action::Create, what))
}

fn is_leaving(app: &App<'_>, what: &str) -> bool {
    fate(app.context, what).is_some_and(|planned| planned.action == Action::Remove)
}

/// Makes what is missing, with the labels of Compose.
pub(super) fn create(app: &App<'_>) -> Result<(), Failure> {
    for (key, network) in app.model.used_networks().into_iter().filter(|(_, network)| !network.external) {
        let spec = network_spec(app, key, network);
        app.look("creating a network", async {
            if app.engine.network(&spec.name).await?.is_none() {
                app.engine.create_network(&spec).await?;
                app.context.log(LogStream::Info, &format!("created network {}", spec.name));
            }
            Ok(())
        })?;
    }
    for (key, volume) in app.model.used_volumes().into_iter().filter(|(_, volume)| !volume.external) {
        let spec = VolumeSpec {
            name: volume.name.clone(),
            driver: volume.driver.clone(),
            driver_options: volume.driver_opts.clone(),
            labels: volume.labels_of(&app.model, key),
        };
        app.look("creating a volume", async {
            if app.engine.volume(&spec.name).await?.is_none() {
                app.engine.create_volume(&spec).await?;
                app.context.log(LogStream::Info, &format!("created volume {}", spec.name));
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn missing(noun: &str, key: &str, name: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("{noun} `{name}` does not exist, and the files call `{key}` external"))
        .hint(format!("make it: docker {noun} create {name}"))
}

fn same_network(wanted: &Network, present: &crate::drivers::docker::Network) -> Result<(), Failure> {
    let driver = if wanted.driver.is_empty() { "bridge" } else { &wanted.driver };
    let subnets: Vec<&str> = present.subnets.iter().filter_map(|subnet| subnet.subnet.as_deref()).collect();
    let pool =
        wanted.ipam.config.iter().find(|pool| !pool.subnet.is_empty() && !subnets.contains(&pool.subnet.as_str()));
    let differs = [
        (driver != present.driver, format!("driver {} → {driver}", present.driver)),
        (wanted.internal != present.internal, format!("internal {} → {}", present.internal, wanted.internal)),
        (pool.is_some(), format!("subnet {} → {}", subnets.join(", "), pool.map_or("", |pool| &pool.subnet))),
    ];
    conflict("network", &wanted.name, &differs)
}

fn same_volume(wanted: &Volume, present: &crate::drivers::docker::Volume) -> Result<(), Failure> {
    let driver = if wanted.driver.is_empty() { "local" } else { &wanted.driver };
    let differs = [
        (driver != present.driver, format!("driver {} → {driver}", present.driver)),
        (wanted.driver_opts != present.driver_options, "other driver options".to_owned()),
    ];
    conflict("volume", &wanted.name, &differs)
}

/// Networks and volumes cannot be changed, and making them anew is nothing to do by the way.
fn conflict(noun: &str, name: &str, differs: &[(bool, String)]) -> Result<(), Failure> {
    let Some((_, what)) = differs.iter().find(|(differs, _)| *differs) else { return Ok(()) };
    let failure =
        Failure::new(FailureKind::Conflict, format!("{noun} `{name}` exists and is not what the files say: {what}"));
    Err(if noun == "volume" {
        failure.hint("its data stays as it is: move it to a volume of another name, or take the change back")
    } else {
        failure.hint("take the application down once, with `app.down()`, so that the network can be made anew")
    })
}

fn network_spec(app: &App<'_>, key: &str, network: &Network) -> NetworkSpec {
    let pools = network.ipam.config.iter().map(|pool| Subnet {
        subnet: text(&pool.subnet),
        ip_range: text(&pool.ip_range),
        gateway: text(&pool.gateway),
        auxiliary: pool.aux_addresses.clone(),
    });
    NetworkSpec {
        name: network.name.clone(),
        driver: network.driver.clone(),
        driver_options: network.driver_opts.clone(),
        labels: network.labels_of(&app.model, key),
        internal: network.internal,
        attachable: network.attachable,
        ipv6: network.enable_ipv6,
        ipam_driver: network.ipam.driver.clone(),
        ipam_options: network.ipam.options.clone(),
        subnets: pools.collect(),
    }
}
