//! Keys that older engines pass over in silence.

use super::consistency::place;
use super::node::{Node, Path};
use super::problem::Problem;
use super::service::Service;

/// A key that engines before a version do not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Newer {
    /// The first version of the engine's API that does: 44 is 1.44.
    pub minor: u32,
    /// Would the container be another one without it, and not only less well looked after?
    pub is_vital: bool,
    /// Where it stands, and what an older engine does instead.
    pub problem: Problem,
}

/// Docker's versions by those of its API.
const DOCKER_24: (u32, &str) = (43, "24");
const DOCKER_25: (u32, &str) = (44, "25");
const DOCKER_26: (u32, &str) = (45, "26");

/// The keys of a service that not every engine knows.
pub(super) fn of(service: &Service, whole: &Node) -> Vec<Newer> {
    let mut found = Vec::new();
    let mut add = |keys: &[&str], item: Option<usize>, (minor, docker): (u32, &str), is_vital, instead: &str| {
        let path = keys.iter().fold(Path::of(&["services", &service.name]), |path, key| path.key(key));
        let mark = place(whole, &path, item);
        let path = item.map_or(path.clone(), |index| path.index(index));
        let problem = Problem::at(&mark, &path, format!("needs Docker {docker}: this engine {instead}"));
        found.push(Newer { minor, is_vital, problem: problem.hint("update the engine, or remove the key") });
    };
    if !service.annotations.is_empty() {
        add(&["annotations"], None, DOCKER_24, false, "keeps none");
    }
    if service.healthcheck.as_ref().is_some_and(|check| check.start_interval.is_some()) {
        add(&["healthcheck", "start_interval"], None, DOCKER_25, false, "checks at `interval` from the start on");
    }
    if !service.mac_address.is_empty() {
        add(&["mac_address"], None, DOCKER_25, true, "would give another address");
    }
    for (key, attachment) in &service.networks {
        if attachment.as_ref().is_some_and(|attachment| !attachment.mac_address.is_empty()) {
            add(&["networks", key, "mac_address"], None, DOCKER_25, true, "would give another address");
        }
    }
    for (index, mount) in service.volumes.iter().enumerate() {
        if mount.volume.as_ref().is_some_and(|options| !options.subpath.is_empty()) {
            add(&["volumes"], Some(index), DOCKER_26, true, "would mount all of the volume, and not only `subpath`");
        }
    }
    found
}
