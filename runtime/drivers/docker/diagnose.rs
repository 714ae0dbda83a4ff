//! What can be found out when something went wrong.

use super::Engine;
use crate::failure::{Failure, FailureKind};
use crate::units::Span;

/// Lines of a container's log that are shown.
const LINES: usize = 20;

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
        if found.is_running() {
            let listening = self.listening(&found).await;
            let listening = if listening.is_empty() { "no port".to_owned() } else { listening.join(", ") };
            state.push(format!("listening on {listening}"));
        }
        let mut failure = failure.evidence(format!("state of {name}"), state.join("\n"));
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
        if lines.is_empty() { failure } else { failure.evidence(format!("last lines of {name}"), lines) }
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
    use super::*;

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
