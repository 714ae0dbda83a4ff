//! What can be found out when something went wrong.

use super::{Container, ContainerSpec, Engine};
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// Lines of a container's log that are shown.
const LINES: usize = 30;

/// What to do when a container says that it cannot write.
const FULL: &str = "a file system it writes to is full: look with `df -h` and `docker system df`, and remove images nobody \
                    needs with `docker().prune_images(#{ keep: 5 })`";

impl Engine {
    /// Adds what can be found out about a container: how it ended, its health log, where it listens, its last lines.
    pub async fn diagnose(&self, container: &str, failure: Failure) -> Failure {
        let Ok(found) = self.inspect(container).await else { return failure };
        let name = &found.name;
        let mut state = vec![format!("{}, image {}", found.state, found.image)];
        if let Some(code) = found.exit_code {
            state.push(format!("exit code {code}"));
        }
        if found.oom_killed {
            state.push("it ran out of memory and was killed by the kernel".into());
        }
        if found.restart_count > 0 {
            state.push(format!("restarted {} times", found.restart_count));
        }
        if !found.error.is_empty() {
            state.push(found.error.clone());
        }
        let published = published(&found);
        if !published.is_empty() {
            let shown: Vec<String> = published.iter().map(|(host, port)| format!("{host} → {port}/tcp")).collect();
            state.push(format!("published {}", shown.join(", ")));
        }
        let mut deaf = None;
        if found.is_running() {
            let listening = self.listening(&found).await;
            deaf = published.iter().find_map(|(_, port)| not_reachable(*port, &listening));
            let listening = if listening.is_empty() { "no port".to_owned() } else { listening.join(", ") };
            state.push(format!("listening on {listening}"));
        }
        let mut failure = failure.evidence(format!("state of {name}"), state.join("\n"));
        if let Some(hint) = deaf {
            failure = failure.hint(hint);
        }
        if let Some(check) = &found.healthcheck {
            let probes = found.health.as_ref().map(|health| health.log.as_slice()).unwrap_or_default();
            let mut log = vec![format!("check: {}", check.test.join(" "))];
            if let Some(timeout) = check.timeout {
                log.push(format!("each probe may take {}", Span(timeout)));
            }
            log.extend(probes.iter().map(|probe| {
                let time = probe.start.get(11..19).unwrap_or_default();
                format!("{time} exit code {}: {}", probe.exit_code, probe.output.trim())
            }));
            if probes.is_empty() {
                log.push("the engine has made no probe yet".into());
            }
            failure = failure.evidence(format!("health log of {name}"), log.join("\n"));
        }
        let lines = self.last_lines(container, LINES).await;
        if lines.to_lowercase().contains("no space left on device") {
            failure = failure.hint(FULL);
        }
        if lines.is_empty() { failure } else { failure.evidence(format!("last lines of {name}"), folded(&lines)) }
    }

    /// Says who holds the port that a container could not get.
    pub(super) async fn name_port_holder(&self, failure: Failure) -> Failure {
        let Some(port) = refused_port(&failure.message).filter(|_| failure.kind == FailureKind::Conflict) else {
            return failure;
        };
        let containers = self.containers(&[]).await.unwrap_or_default();
        let holder = containers.iter().find(|container| container.ports.iter().any(|held| held.host_port == port));
        match holder {
            Some(holder) => {
                failure.hint(format!("port {port} is held by container `{}` ({})", holder.name, holder.image))
            }
            None => failure.hint(format!("find out who holds port {port}: ss -ltnp 'sport = :{port}'")),
        }
    }
}

/// The lines, a line that repeats itself only once.
fn folded(lines: &str) -> String {
    let mut folded: Vec<(&str, usize)> = Vec::new();
    for line in lines.lines() {
        match folded.last_mut() {
            Some((last, times)) if *last == line => *times += 1,
            _ => folded.push((line, 1)),
        }
    }
    let shown =
        folded.iter().map(|(line, times)| if *times == 1 { (*line).to_owned() } else { format!("{line} (×{times})") });
    shown.collect::<Vec<_>>().join("\n")
}

/// The TCP ports that were to be published: where, and the port inside.
fn published(container: &Container) -> Vec<(String, u16)> {
    let ports = ContainerSpec::from_inspect(container).map(|spec| spec.ports).unwrap_or_default();
    let of = |port: super::PortSpec| {
        let address = port.host_ip.clone().unwrap_or_else(|| "0.0.0.0".to_owned());
        let number = port.host_port.clone().unwrap_or_else(|| "any port".to_owned());
        (port.key().ends_with("/tcp")).then(|| (format!("{address}:{number}"), port.container))
    };
    ports.into_iter().filter_map(of).collect()
}

/// Why a published port leads nowhere; `None` when it leads to a listener, or nobody can tell who listens.
fn not_reachable(port: u16, listening: &[String]) -> Option<String> {
    let suffix = format!(":{port}");
    let here: Vec<&String> = listening.iter().filter(|address| address.ends_with(&suffix)).collect();
    if listening.is_empty() || here.iter().any(|address| !address.starts_with("127.") && !address.starts_with("[::1]"))
    {
        return None;
    }
    Some(match here.first() {
        Some(address) => format!(
            "port {port} is published, but the processes listen on {address} only, which nobody outside the container reaches: listen on 0.0.0.0:{port}"
        ),
        None => format!("port {port} is published, but the processes listen on {}", listening.join(", ")),
    })
}

/// The port in `Bind for 127.0.0.1:8080 failed: port is already allocated` or `listen tcp4 0.0.0.0:80: bind: address
/// already in use`.
fn refused_port(message: &str) -> Option<u16> {
    let lower = message.to_lowercase();
    let start =
        ["bind for ", "listen tcp4 ", "listen tcp6 ", "listen udp4 ", "listen udp6 ", "listen tcp ", "listen udp "]
            .iter()
            .filter_map(|lead| lower.find(lead).map(|at| at + lead.len()))
            .max()?;
    let address = lower[start..].split(' ').next()?.trim_end_matches(':');
    address.rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_that_repeats_itself_is_shown_once() {
        assert_eq!(super::folded("a\nb\nb\nb\na"), "a\nb (×3)\na");
    }

    use super::*;

    #[test]
    fn a_published_port_that_leads_nowhere_is_explained() {
        let on = |addresses: &[&str]| addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>();
        assert_eq!(not_reachable(80, &on(&["0.0.0.0:80"])), None);
        assert_eq!(not_reachable(80, &on(&["[::]:80"])), None);
        assert_eq!(not_reachable(80, &[]), None);
        assert_eq!(
            not_reachable(80, &on(&["0.0.0.0:8080"])).unwrap(),
            "port 80 is published, but the processes listen on 0.0.0.0:8080"
        );
        let local = not_reachable(80, &on(&["127.0.0.1:80"])).unwrap();
        assert!(local.contains("listen on 0.0.0.0:80"), "{local}");
    }

    #[test]
    fn the_refused_port_is_found_in_the_engines_words() {
        let allocated = "driver failed programming external connectivity on endpoint web (3f): Bind for \
                         127.0.0.1:8080 failed: port is already allocated";
        assert_eq!(refused_port(allocated), Some(8080));
        let in_use = "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use";
        assert_eq!(refused_port(in_use), Some(80));
        assert_eq!(refused_port("no such container"), None);
    }
}
