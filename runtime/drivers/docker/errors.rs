use bollard::errors::Error;

use super::connect::OVER_SSH;
use crate::failure::{Failure, FailureKind};

/// What an engine's refusal means, for a person; `what` completes the sentence "cannot …".
pub(super) fn failure(address: &str, what: impl std::fmt::Display, error: Error) -> Failure {
    match error {
        Error::DockerResponseServerError { status_code, message } => refusal(what, Some(status_code), &message),
        Error::DockerStreamError { error } => refusal(what, None, &error),
        Error::RequestTimeoutError => Failure::new(
            FailureKind::Timeout,
            format!("cannot {what}: the Docker engine at `{address}` did not answer in time"),
        ),
        Error::SocketNotFoundError(_) => unreachable(address, "there is no such socket"),
        other => match (on_the_way(&other), connection_problem(&other)) {
            (Some(failure), _) => not_reached(address, failure),
            (None, Some(problem)) => unreachable(address, &problem),
            (None, None) => Failure::new(FailureKind::System, format!("cannot {what}: {}", innermost(&other))),
        },
    }
}

/// The host cannot be reached that the engine is on.
pub(super) fn not_reached(address: &str, failure: &Failure) -> Failure {
    let message = format!("no Docker engine at `{address}`: {}", failure.message);
    Failure { message, ..failure.clone() }
}

/// The engine cannot be talked to, and how that is usually mended.
pub(super) fn unreachable(address: &str, problem: &str) -> Failure {
    let failure =
        Failure::new(FailureKind::Unreachable, format!("no Docker engine at `{address}`: {}", problem.trim()));
    if problem == "permission denied" {
        return failure.hint("let this user talk to it: sudo usermod -aG docker $USER, then log in again");
    }
    if address.starts_with(OVER_SSH) {
        return failure.hint("does the engine run there, and may this user talk to it, itself or through `sudo -n`?");
    }
    if !address.starts_with("unix://") {
        return failure.hint("is DOCKER_HOST right, and does the engine listen there?");
    }
    failure.hint("install it: sudo apt-get install docker.io").hint("start it: sudo systemctl start docker")
}

/// Classifies what the engine said. Status codes alone do not tell: a registry's refusal arrives as 404 or 500, or in
/// the middle of a stream that began well.
pub(super) fn refusal(what: impl std::fmt::Display, status: Option<u16>, message: &str) -> Failure {
    let not_started = message.contains("OCI runtime") || message.contains("failed to create shim task");
    let text = if not_started { reason(message) } else { message.trim().trim_end_matches('.').to_owned() };
    let said = text.to_lowercase();
    let any = |needles: &[&str]| needles.iter().any(|needle| said.contains(needle));
    let make = |kind| Failure::new(kind, format!("cannot {what}: {text}"));

    if any(&["no space left on device", "disk quota exceeded"]) {
        return make(FailureKind::System)
            .hint("the engine's disk is full: remove what is unused, for example with `docker().prune_images(…)`");
    }
    if any(&["port is already allocated", "address already in use"]) {
        return make(FailureKind::Conflict);
    }
    if any(&["connection refused", "no such host", "i/o timeout", "timeout exceeded", "handshake timeout"])
        || any(&["network is unreachable", "no route to host", "server misbehaving", "connection reset"])
        || any(&["context deadline exceeded", "service unavailable", "bad gateway", "http response to https client"])
    {
        return make(FailureKind::Unreachable);
    }
    if any(&["manifest unknown", "manifest for", "no such image", "name unknown", "reference does not exist"])
        || (said.contains("pull access denied") && said.contains("repository does not exist"))
    {
        return make(FailureKind::NotFound);
    }
    if any(&["unauthorized", "no basic auth", "authentication required", "access denied", "access to the resource is"])
        || any(&["incorrect username or password", "denied: "])
    {
        return make(FailureKind::Unauthorized).hint("give a login: #{ login: #{ username: …, password: secret(…) } }");
    }
    if not_started && any(&["executable file not found", "no such file or directory"]) {
        return make(FailureKind::NotFound);
    }
    make(match status {
        Some(400) => FailureKind::Argument,
        Some(401 | 403) if !said.contains("endpoint") => FailureKind::Unauthorized,
        Some(404) => FailureKind::NotFound,
        Some(409 | 304) => FailureKind::Conflict,
        _ => FailureKind::System,
    })
}

/// `exec: "nope": executable file not found in $PATH` out of what the runtime wraps around it.
pub(super) fn reason(message: &str) -> String {
    let text = message.trim();
    let text = text.find("exec: ").map_or(text, |at| &text[at + "exec: ".len()..]);
    text.trim_end_matches(": unknown").replace("\\\"", "\"").replace('"', "`")
}

/// Was there nobody to talk to, or did they hang up?
fn connection_problem(error: &Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return match io.kind() {
                std::io::ErrorKind::NotFound => Some("there is no such socket".into()),
                std::io::ErrorKind::PermissionDenied => Some("permission denied".into()),
                std::io::ErrorKind::ConnectionRefused => Some("nobody listens there".into()),
                std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::NotConnected => Some("it closed the connection".into()),
                std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                    Some("there is no way to that host".into())
                }
                _ => None,
            };
        }
        cause = error.source();
    }
    let text = innermost(error);
    text.contains("connection closed").then(|| "it closed the connection".to_owned())
}

/// Why the host was not reached that the engine is on.
fn on_the_way(error: &Error) -> Option<&Failure> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(failure) = inner.and_then(|inner| inner.downcast_ref::<Failure>()) {
            return Some(failure);
        }
        cause = error.source();
    }
    None
}

/// The most specific message of a chain of errors.
fn innermost(error: &Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_and_registries_say_is_told_apart() {
        use FailureKind::{Conflict, NotFound, System, Unauthorized, Unreachable};
        for (status, said, kind) in [
            (Some(500), "Get https://r/v2/: dial tcp 10.0.0.1:443: connect: connection refused", Unreachable),
            (Some(500), "Get \"https://ghcr.io/v2/\": dial tcp: lookup ghcr.io: no such host", Unreachable),
            (Some(500), "Get \"https://r/v2/\": net/http: TLS handshake timeout", Unreachable),
            (Some(500), "http: server gave HTTP response to HTTPS client", Unreachable),
            (Some(500), "Get https://r/v2/app/manifests/1: no basic auth credentials", Unauthorized),
            (Some(500), "unauthorized: incorrect username or password", Unauthorized),
            (None, "denied: requested access to the resource is denied", Unauthorized),
            (Some(404), "manifest for r/app:9 not found: manifest unknown: manifest unknown", NotFound),
            (
                Some(404),
                "pull access denied for app, repository does not exist or may require 'docker login': denied: \
                 requested access to the resource is denied",
                NotFound,
            ),
            (None, "failed to register layer: write /app: no space left on device", System),
            (Some(500), "Bind for 0.0.0.0:80 failed: port is already allocated", Conflict),
            (Some(409), "Conflict. The container name \"/web\" is already in use by container \"3f\"", Conflict),
        ] {
            let failure = refusal("do it", status, said);
            assert_eq!(failure.kind, kind, "{said}");
            assert!(failure.message.starts_with("cannot do it: "), "{failure}");
        }
        let full = refusal("pull `app:1`", None, "write /var/lib/docker/tmp/x: no space left on device");
        assert_eq!(full.hints.len(), 1);
    }

    #[test]
    fn a_socket_one_may_not_use_says_how_to_be_let_in() {
        let failure = unreachable("unix:///var/run/docker.sock", "permission denied");
        assert_eq!(failure.message, "no Docker engine at `unix:///var/run/docker.sock`: permission denied");
        assert_eq!(failure.hints, ["let this user talk to it: sudo usermod -aG docker $USER, then log in again"]);
    }

    #[test]
    fn the_reason_is_what_the_runtime_wrapped() {
        let message = "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nope\": \
                       executable file not found in $PATH: unknown\r\n";
        assert_eq!(reason(message), "`nope`: executable file not found in $PATH");
    }
}
