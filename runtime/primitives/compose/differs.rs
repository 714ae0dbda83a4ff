//! In what a container that runs differs from what is wanted, field by field.
//!
//! A container made here carries the service's configuration in a label, which is compared with the wanted one; the values
//! of its variables are its own. Of
//! a container that Compose made only its inspection is known; there each field that the service sets is compared, and
//! what it does not set is the image's or the engine's own affair. Hashes are never compared: two versions of Compose
//! write the same service differently.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::desired::{Desired, FILES};
use super::mounted::{self, MOUNTED};
use super::namespaces::Namespaces;
use super::recorded::{self, Recorded};
use super::short;
use crate::compose::{Running, Service, difference};
use crate::drivers::docker::{Container, ContainerSpec, Mount, MountKind};
use crate::primitive::Failure;

/// Why a container must be replaced, each in a few words; empty when it need not be. What a variable holds or held is not shown where
/// either is a secret: of the former one nobody else knows it.
pub(super) fn reasons(
    service: &Service,
    desired: &Desired,
    running: &Container,
    image_id: &str,
    namespaces: &Namespaces,
    has_secret: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, Failure> {
    let mut reasons = Vec::new();
    if running.image_id != image_id {
        reasons.push(format!("image {} → {}", short(&running.image_id), short(image_id)));
    }
    let mut present = ContainerSpec::from_inspect(running)?;
    let recorded = recorded::read(running, &present.env);
    namespaces.name(&mut present);
    match recorded {
        Some(Recorded { config, confidential }) => {
            let mut found = difference(service, &Running::Recorded(config));
            for changed in &mut found {
                changed.sensitive |= changed.wanted.as_ref().and_then(Value::as_str).is_some_and(has_secret)
                    || changed.field.strip_prefix("environment.").is_some_and(|name| confidential.contains(name));
            }
            // An image that moved is told by its ids, whatever it is called.
            let moved = !reasons.is_empty();
            reasons.extend(found.iter().filter(|found| !moved || found.field != "image").map(ToString::to_string));
            let given = mounted::reasons(desired.spec.labels.get(MOUNTED), running);
            if given.is_empty() && running.labels.get(FILES) != desired.spec.labels.get(FILES) {
                reasons.push("configs or secrets: other content".to_owned());
            }
            reasons.extend(given);
        }
        None => reasons.extend(fields(&desired.spec, &present)),
    }
    if service.network_mode.starts_with("service:") && present.network_mode != desired.spec.network_mode {
        reasons.push(format!("network_mode: {} has another container now", service.network_mode));
    }
    // What the names in the files stand for may have changed without the service's own lines changing.
    if !reasons.iter().any(|reason| reason.starts_with("networks")) {
        reasons.extend(networks(&desired.spec, &present));
    }
    if !reasons.iter().any(|reason| reason.starts_with("volumes")) {
        reasons.extend(mounts(&desired.spec, &present));
    }
    Ok(reasons)
}

/// Compares what the wanted specification says with what a container has.
fn fields(wanted: &ContainerSpec, running: &ContainerSpec) -> Vec<String> {
    let mut found = Vec::new();
    environment(wanted, running, &mut found);
    for (name, value) in wanted.labels.iter().filter(|(name, _)| !is_bookkeeping(name)) {
        if running.labels.get(name) != Some(value) {
            found.push(format!("labels.{name}"));
        }
    }
    let mut set = |name: &str, differs: bool| {
        if differs {
            found.push(name.to_owned());
        }
    };
    set("command", wanted.command.is_some() && wanted.command != running.command);
    set("entrypoint", wanted.entrypoint.is_some() && wanted.entrypoint != running.entrypoint);
    set("ports", ports(wanted) != ports(running));
    set("restart", policy(wanted) != policy(running));
    set("healthcheck", healthcheck(wanted, running));
    for (name, wanted, running) in [
        ("user", &wanted.user, &running.user),
        ("working_dir", &wanted.working_dir, &running.working_dir),
        ("hostname", &wanted.hostname, &running.hostname),
        ("domainname", &wanted.domainname, &running.domainname),
        ("stop_signal", &wanted.stop_signal, &running.stop_signal),
        ("pid", &wanted.pid_mode, &running.pid_mode),
        ("ipc", &wanted.ipc_mode, &running.ipc_mode),
        ("runtime", &wanted.runtime, &running.runtime),
    ] {
        set(name, wanted.is_some() && wanted != running);
    }
    set(
        "network_mode",
        wanted.network_mode.as_ref().is_some_and(|mode| mode != "bridge")
            && wanted.network_mode != running.network_mode,
    );
    set("init", wanted.init.is_some() && wanted.init != running.init);
    set("stop_grace_period", wanted.stop_timeout.is_some() && wanted.stop_timeout != running.stop_timeout);
    set("privileged", wanted.privileged != running.privileged);
    set("read_only", wanted.read_only != running.read_only);
    set("tty", wanted.tty != running.tty);
    set("cap_add", !same(&wanted.cap_add, &running.cap_add));
    set("cap_drop", !same(&wanted.cap_drop, &running.cap_drop));
    set("dns", wanted.dns != running.dns);
    set("extra_hosts", !same(&wanted.extra_hosts, &running.extra_hosts));
    set("group_add", !same(&wanted.group_add, &running.group_add));
    set("tmpfs", wanted.tmpfs != running.tmpfs);
    set("sysctls", wanted.sysctls != running.sysctls);
    set("logging", wanted.logging.is_some() && wanted.logging != running.logging);
    set("limits", limits(wanted, running));
    found
}

fn environment(wanted: &ContainerSpec, running: &ContainerSpec, found: &mut Vec<String>) {
    let pairs = |lines: &[String]| -> BTreeMap<String, String> {
        let split = |line: &String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        lines.iter().filter_map(split).collect()
    };
    let (wanted, running) = (pairs(&wanted.env), pairs(&running.env));
    for (name, _) in wanted.iter().filter(|(name, value)| running.get(*name) != Some(value)) {
        found.push(format!("environment.{name}: {}", if running.contains_key(name) { "changed" } else { "added" }));
    }
}

/// Labels that say who made a container, not what it is.
pub(super) fn is_bookkeeping(label: &str) -> bool {
    ["com.docker.compose.", "runbook.compose.", "dev.runbook."].iter().any(|prefix| label.starts_with(prefix))
}

fn ports(spec: &ContainerSpec) -> BTreeSet<(String, String, String)> {
    let everywhere = |address: &Option<String>| match address.as_deref() {
        None | Some("" | "0.0.0.0" | "::") => String::new(),
        Some(address) => address.to_owned(),
    };
    let number = |port: &Option<String>| port.clone().filter(|port| port != "0").unwrap_or_default();
    spec.ports.iter().map(|port| (port.key(), everywhere(&port.host_ip), number(&port.host_port))).collect()
}

fn policy(spec: &ContainerSpec) -> (String, Option<i64>) {
    let restart = spec.restart.clone().unwrap_or_default();
    let name = if restart.policy.is_empty() { "no".to_owned() } else { restart.policy };
    (name, restart.max_retries.filter(|times| *times > 0))
}

fn healthcheck(wanted: &ContainerSpec, running: &ContainerSpec) -> bool {
    let Some(wanted) = &wanted.healthcheck else { return false };
    let running = running.healthcheck.clone().unwrap_or_default();
    (!wanted.test.is_empty() && wanted.test != running.test)
        || (wanted.interval.is_some() && wanted.interval != running.interval)
        || (wanted.timeout.is_some() && wanted.timeout != running.timeout)
        || (wanted.retries.is_some() && wanted.retries != running.retries)
        || (wanted.start_period.is_some() && wanted.start_period != running.start_period)
}

fn limits(wanted: &ContainerSpec, running: &ContainerSpec) -> bool {
    let (wanted, running) = (&wanted.resources, &running.resources);
    let differs = |wanted: Option<i64>, running: Option<i64>| wanted.is_some() && wanted != running;
    differs(wanted.nano_cpus, running.nano_cpus)
        || differs(wanted.memory, running.memory)
        || differs(wanted.memory_reservation, running.memory_reservation)
        || differs(wanted.pids_limit, running.pids_limit)
        || differs(wanted.cpu_shares, running.cpu_shares)
}

fn same(a: &[String], b: &[String]) -> bool {
    a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>()
}

/// Networks it should be in and is not, and the other way round.
fn networks(wanted: &ContainerSpec, running: &ContainerSpec) -> Option<String> {
    if wanted.network_mode.is_some() {
        return None;
    }
    let names = |spec: &ContainerSpec| -> BTreeSet<String> {
        spec.networks.iter().map(|network| network.name.clone()).collect()
    };
    let (wanted_names, running_names) = (names(wanted), names(running));
    if wanted_names != running_names {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        return Some(format!("networks: {} → {}", list(&running_names), list(&wanted_names)));
    }
    // Compose of version 1 gave other names to containers; the service's own name and the file's aliases must be there.
    let lacks = wanted.networks.iter().find_map(|network| {
        let there = running.networks.iter().find(|other| other.name == network.name)?;
        network.aliases.iter().skip(1).find(|alias| !there.aliases.contains(alias))
    });
    lacks.map(|alias| format!("networks: alias {alias} added"))
}

/// What is mounted where, anonymous volumes left out: they stay with whoever follows.
fn mounts(wanted: &ContainerSpec, running: &ContainerSpec) -> Option<String> {
    let (wanted, running) = (sources(wanted), sources(running));
    wanted
        .iter()
        .find(|(target, source)| running.get(*target) != Some(*source))
        .map(|(target, (source, _))| format!("volumes: {source} at {target}"))
}

/// Source and writability of each mount with a name, by its place in the container.
fn sources(spec: &ContainerSpec) -> BTreeMap<String, (String, bool)> {
    let named = |mount: &&Mount| mount.kind != MountKind::Tmpfs && !mount.source.is_empty();
    let mounts =
        spec.mounts.iter().filter(named).map(|mount| (mount.target.clone(), (mount.source.clone(), mount.read_only)));
    let binds = spec.binds.iter().filter_map(|bind| {
        let mut parts = bind.split(':');
        let (source, target) = (parts.next()?, parts.next()?);
        let read_only = parts.next().is_some_and(|flags| flags.split(',').any(|flag| flag == "ro"));
        Some((target.to_owned(), (source.to_owned(), read_only)))
    });
    mounts.chain(binds).collect()
}
