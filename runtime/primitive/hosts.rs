//! From the name of a host to how it is reached.

use super::Failure;
use crate::drivers::ssh::{Target, Wish};
use crate::project::ProjectFile;

/// How a host of the project is reached; one that the project does not know may be known to `~/.ssh/config`.
pub fn target_named(file: &ProjectFile, name: &str) -> Result<Target, Failure> {
    let known = |name: &str| wish(file, name);
    Target::resolve(&known(name).unwrap_or_else(|| Wish::named(name)), &known)
}

fn wish(file: &ProjectFile, name: &str) -> Option<Wish> {
    let host = file.hosts.get(name)?.clone();
    Some(Wish {
        name: name.to_owned(),
        address: host.address,
        port: host.port,
        user: host.user,
        keys: host.key.into_iter().collect(),
        jump: host.jump,
        host_keys: host.host_keys,
        runbook: host.runbook,
    })
}
