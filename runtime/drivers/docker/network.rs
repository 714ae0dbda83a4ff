//! Networks.

use std::collections::{BTreeMap, HashMap};

use bollard::errors::Error;
use bollard::models;
use bollard::query_parameters::ListNetworksOptionsBuilder;
use serde::{Deserialize, Serialize};

use super::create::endpoint;
use super::errors::failure;
use super::inspect::sorted;
use super::{Engine, NetworkAttachment};
use crate::failure::{Failure, FailureKind};

/// What a network should be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// The driver; empty is `bridge`.
    pub driver: String,
    /// Options of the driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Without a way out.
    pub internal: bool,
    /// May single containers join a swarm network?
    pub attachable: bool,
    /// With IPv6 addresses; `None` is the engine's default.
    pub ipv6: Option<bool>,
    /// The driver that hands out addresses; empty is `default`.
    pub ipam_driver: String,
    /// Options of that driver.
    pub ipam_options: BTreeMap<String, String>,
    /// Its addresses; empty lets the engine choose.
    pub subnets: Vec<Subnet>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subnet {
    /// As in `172.28.0.0/16`.
    pub subnet: Option<String>,
    /// Containers get addresses from this part only.
    pub ip_range: Option<String>,
    /// The gateway.
    pub gateway: Option<String>,
    /// Addresses somebody else uses, by name.
    pub auxiliary: BTreeMap<String, String>,
}

/// A network of the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// Options of the driver.
    pub driver_options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Without a way out.
    pub internal: bool,
    /// May single containers join a swarm network?
    pub attachable: bool,
    /// With IPv6 addresses.
    pub ipv6: bool,
    /// Its addresses, the ones the engine chose included.
    pub subnets: Vec<Subnet>,
    /// Names of the running containers in it. Only when inspected.
    pub containers: Vec<String>,
}

impl Engine {
    /// Networks that carry all these labels, written `name` or `name=value`, by name.
    pub async fn networks(&self, labels: &[String]) -> Result<Vec<Network>, Failure> {
        let mut options = ListNetworksOptionsBuilder::default();
        if !labels.is_empty() {
            options = options.filters(&HashMap::from([("label", labels.to_vec())]));
        }
        let listed = self.api().await?.list_networks(Some(options.build())).await;
        let listed = listed.map_err(|error| failure(self.address(), "list networks", error))?;
        let mut networks: Vec<Network> = listed.into_iter().map(listed_network).collect();
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(networks)
    }

    /// The network of that name or id, or `None`.
    pub async fn network(&self, name: &str) -> Result<Option<Network>, Failure> {
        match self.api().await?.inspect_network(name, None).await {
            Ok(answer) => Ok(Some(inspected(answer))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(failure(self.address(), format!("inspect network `{name}`"), error)),
        }
    }

    /// Creates a network and returns its id. A name that is taken is a conflict: the engine would allow a second one.
    pub async fn create_network(&self, spec: &NetworkSpec) -> Result<String, Failure> {
        let what = format!("create network `{}`", spec.name);
        if self.network(&spec.name).await?.is_some_and(|present| present.name == spec.name) {
            return Err(Failure::new(FailureKind::Conflict, format!("cannot {what}: there is one of that name")));
        }
        let created = self.api().await?.create_network(request(spec)).await;
        Ok(created.map_err(|error| failure(self.address(), &what, error))?.id)
    }

    /// Removes a network. `false` when there was none; a conflict while containers are in it.
    pub async fn remove_network(&self, name: &str) -> Result<bool, Failure> {
        match self.api().await?.remove_network(name).await {
            Ok(()) => Ok(true),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(Error::DockerResponseServerError { status_code: 403, message })
                if message.contains("active endpoints") =>
            {
                let inside = self.network(name).await?.map(|network| network.containers.join(", ")).unwrap_or_default();
                Err(Failure::new(
                    FailureKind::Conflict,
                    format!("cannot remove network `{name}`: it is in use by {inside}"),
                ))
            }
            Err(error) => Err(failure(self.address(), format!("remove network `{name}`"), error)),
        }
    }

    /// Puts a container into a network.
    pub async fn connect_network(&self, container: &str, network: &NetworkAttachment) -> Result<(), Failure> {
        let request = models::NetworkConnectRequest {
            container: container.to_owned(),
            endpoint_config: Some(endpoint(network, None)),
        };
        let connected = self.api().await?.connect_network(&network.name, request).await;
        connected.map_err(|error| {
            failure(self.address(), format!("connect container `{container}` to network `{}`", network.name), error)
        })
    }

    /// Takes a container out of a network. Requests in flight are cut.
    pub async fn disconnect_network(&self, container: &str, network: &str) -> Result<(), Failure> {
        let request = models::NetworkDisconnectRequest { container: container.to_owned(), force: Some(false) };
        let disconnected = self.api().await?.disconnect_network(network, request).await;
        disconnected.map_err(|error| {
            failure(self.address(), format!("disconnect container `{container}` from network `{network}`"), error)
        })
    }
}

fn request(spec: &NetworkSpec) -> models::NetworkCreateRequest {
    let map = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone().into_iter().collect());
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let subnets: Vec<models::IpamConfig> = spec
        .subnets
        .iter()
        .map(|subnet| models::IpamConfig {
            subnet: subnet.subnet.clone(),
            ip_range: subnet.ip_range.clone(),
            gateway: subnet.gateway.clone(),
            auxiliary_addresses: map(&subnet.auxiliary),
        })
        .collect();
    let addresses = !subnets.is_empty() || !spec.ipam_driver.is_empty() || !spec.ipam_options.is_empty();
    models::NetworkCreateRequest {
        name: spec.name.clone(),
        driver: text(&spec.driver),
        internal: Some(spec.internal),
        attachable: Some(spec.attachable),
        enable_ipv6: spec.ipv6,
        options: map(&spec.driver_options),
        labels: map(&spec.labels),
        ipam: addresses.then(|| models::Ipam {
            driver: text(&spec.ipam_driver),
            config: Some(subnets),
            options: map(&spec.ipam_options),
        }),
        ..Default::default()
    }
}

fn inspected(answer: models::NetworkInspect) -> Network {
    let containers = answer.containers.unwrap_or_default().into_values();
    let mut containers: Vec<String> = containers.filter_map(|endpoint| endpoint.name).collect();
    containers.sort();
    Network {
        id: answer.id.unwrap_or_default(),
        name: answer.name.unwrap_or_default(),
        driver: answer.driver.unwrap_or_default(),
        driver_options: sorted(answer.options),
        labels: sorted(answer.labels),
        internal: answer.internal.unwrap_or(false),
        attachable: answer.attachable.unwrap_or(false),
        ipv6: answer.enable_ipv6.unwrap_or(false),
        subnets: subnets(answer.ipam),
        containers,
    }
}

fn listed_network(answer: models::Network) -> Network {
    Network {
        id: answer.id.unwrap_or_default(),
        name: answer.name.unwrap_or_default(),
        driver: answer.driver.unwrap_or_default(),
        driver_options: sorted(answer.options),
        labels: sorted(answer.labels),
        internal: answer.internal.unwrap_or(false),
        attachable: answer.attachable.unwrap_or(false),
        ipv6: answer.enable_ipv6.unwrap_or(false),
        subnets: subnets(answer.ipam),
        containers: Vec::new(),
    }
}

fn subnets(addresses: Option<models::Ipam>) -> Vec<Subnet> {
    let configs = addresses.and_then(|addresses| addresses.config).unwrap_or_default();
    configs
        .into_iter()
        .map(|config| Subnet {
            subnet: config.subnet,
            ip_range: config.ip_range.filter(|range| !range.is_empty()),
            gateway: config.gateway,
            auxiliary: sorted(config.auxiliary_addresses),
        })
        .collect()
}
