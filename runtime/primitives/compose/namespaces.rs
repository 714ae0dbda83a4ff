//! `network_mode: service:NAME` and its like: one container inside the name space of another, or with its mounts.
//!
//! Specifications say `service:NAME` until the moment of creation, because the other container may be new as well.

use std::collections::BTreeMap;

use super::app::Existing;
use crate::compose::Service;
use crate::drivers::docker::ContainerSpec;
use crate::primitive::{Failure, FailureKind};

/// The containers whose name spaces others may share, by service.
#[derive(Clone, Debug, Default)]
pub(super) struct Namespaces(BTreeMap<String, String>);

impl Namespaces {
    /// Those that exist now.
    pub fn of(existing: &Existing) -> Self {
        let mut ids = BTreeMap::new();
        for ((service, _), container) in &existing.serving {
            ids.entry(service.clone()).or_insert_with(|| container.id.clone());
        }
        Self(ids)
    }

    /// A container took the place of another one.
    pub fn set(&mut self, service: &str, id: &str) {
        self.0.insert(service.to_owned(), id.to_owned());
    }

    /// Puts container ids in the place of services.
    pub fn resolve(&self, spec: &mut ContainerSpec) -> Result<(), Failure> {
        let name = spec.name.clone();
        for mode in modes(spec) {
            let Some(other) = mode.as_deref().and_then(|mode| mode.strip_prefix("service:")) else { continue };
            let Some(id) = self.0.get(other) else {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("container `{name}` shares a name space of service `{other}`, which has no container"),
                ));
            };
            *mode = Some(format!("container:{id}"));
        }
        for from in &mut spec.volumes_from {
            let Some(rest) = from.strip_prefix("service:") else { continue };
            let (other, flags) = rest.split_once(':').map_or((rest, ""), |(other, _)| (other, &rest[other.len()..]));
            let Some(id) = self.0.get(other) else {
                return Err(Failure::new(
                    FailureKind::NotFound,
                    format!("container `{name}` has the mounts of service `{other}`, which has no container"),
                ));
            };
            *from = format!("{id}{flags}");
        }
        Ok(())
    }

    /// Puts services in the place of their containers' ids: the ids do not outlive the containers.
    pub fn name(&self, spec: &mut ContainerSpec) {
        for mode in modes(spec) {
            let Some(id) = mode.as_deref().and_then(|mode| mode.strip_prefix("container:")) else { continue };
            if let Some((service, _)) = self.0.iter().find(|(_, other)| *other == id) {
                *mode = Some(format!("service:{service}"));
            }
        }
    }
}

fn modes(spec: &mut ContainerSpec) -> [&mut Option<String>; 3] {
    [&mut spec.network_mode, &mut spec.pid_mode, &mut spec.ipc_mode]
}

/// The services whose name spaces a service shares.
pub(super) fn shared(service: &Service) -> Vec<&str> {
    let modes = [&service.network_mode, &service.ipc, &service.pid];
    modes.into_iter().filter_map(|mode| mode.strip_prefix("service:")).collect()
}
