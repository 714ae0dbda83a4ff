use std::collections::{BTreeMap, BTreeSet};

use super::application::Application;
use super::service::{Dependency, Service};

/// A service in the order of starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The service.
    pub service: String,
    /// What must have happened before, by service; only services that are part of the application.
    pub after: BTreeMap<String, Dependency>,
}

impl Application {
    /// The services in waves: those of a wave depend only on earlier waves, so they may start together.
    ///
    /// Stopping goes the other way. Conditions are in [`Start::after`]; a wave does not wait for more than they say.
    pub fn order(&self) -> Vec<Vec<Start>> {
        let mut waves = Vec::new();
        let mut done: BTreeSet<&str> = BTreeSet::new();
        while done.len() < self.services.len() {
            let ready: Vec<&Service> = self
                .services
                .values()
                .filter(|service| !done.contains(service.name.as_str()))
                .filter(|service| present(service, &self.services).all(|(name, _)| done.contains(name.as_str())))
                .collect();
            if ready.is_empty() {
                break;
            }
            done.extend(ready.iter().map(|service| service.name.as_str()));
            let start = |service: &&Service| Start {
                service: service.name.clone(),
                after: present(service, &self.services).map(|(name, on)| (name.clone(), on.clone())).collect(),
            };
            waves.push(ready.iter().map(start).collect());
        }
        waves
    }
}

/// Services that depend on each other, the first one again at the end.
pub(super) fn circle(services: &BTreeMap<String, Service>) -> Option<Vec<String>> {
    let mut finished = BTreeSet::new();
    services.keys().find_map(|name| visit(name, services, &mut Vec::new(), &mut finished))
}

fn visit<'a>(
    name: &'a str,
    services: &'a BTreeMap<String, Service>,
    way: &mut Vec<&'a str>,
    finished: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|earlier| *earlier == name) {
        return Some(way[start..].iter().copied().chain([name]).map(str::to_owned).collect());
    }
    if finished.contains(name) {
        return None;
    }
    way.push(name);
    let found = services.get(name)?.depends_on.keys().find_map(|other| visit(other, services, way, finished));
    way.pop();
    finished.insert(name);
    found
}

fn present<'a>(
    service: &'a Service,
    services: &'a BTreeMap<String, Service>,
) -> impl Iterator<Item = (&'a String, &'a Dependency)> {
    service.depends_on.iter().filter(|(name, _)| services.contains_key(*name))
}
