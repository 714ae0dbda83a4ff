//! What the files imply without saying it: the default network, dependencies, and which services are active.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::application::Application;
use super::resource::Network;
use super::service::{Condition, Dependency};

/// Sets what is implied.
pub(super) fn defaults(application: &mut Application, directory: &FilePath) {
    for service in application.services.values_mut() {
        if service.network_mode.is_empty() && service.networks.is_empty() && service.provider.is_none() {
            service.networks.insert("default".into(), None);
        }
        if let Some(build) = &mut service.build
            && build.context.is_empty()
        {
            build.context = directory.display().to_string();
        }
        let namespaces = [&service.network_mode, &service.ipc, &service.pid, &service.uts, &service.cgroup];
        let shared = namespaces.into_iter().filter_map(|namespace| namespace.strip_prefix("service:"));
        let linked = service.links.iter().map(|link| link.split(':').next().unwrap_or_default());
        let followed = linked.chain(shared).map(|other| (other.to_owned(), true));
        let mounted = service.volumes_from.iter().filter(|from| !from.starts_with("container:"));
        let mounted = mounted.map(|from| (from.split(':').next().unwrap_or_default().to_owned(), false));
        for (other, restart) in followed.chain(mounted).collect::<Vec<_>>() {
            let implied = Dependency { condition: Condition::Started, restart, required: true };
            service.depends_on.entry(other).or_insert(implied);
        }
    }
    let uses_default = application.services.values().any(|service| service.networks.contains_key("default"));
    if uses_default && !application.networks.contains_key("default") {
        let network = Network { name: format!("{}_default", application.name), ..Network::default() };
        application.networks.insert("default".into(), network);
    }
}

/// Puts services aside that have profiles of which none is active.
pub(super) fn profiles(application: &mut Application, active: &[String]) {
    let is_active = |profiles: &[String]| {
        profiles.is_empty()
            || profiles.iter().any(|profile| active.contains(profile))
            || active.iter().any(|one| one == "*")
    };
    let all = std::mem::take(&mut application.services);
    let (services, disabled): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(_, service)| is_active(&service.profiles));
    application.services = services;
    application.disabled = disabled;
}
