//! What the compose files of the cases define, without reading them.

use runbook::project::Environment;

/// The services of those files; nobody knows those of others.
pub fn services(_: &Environment, files: &[String]) -> Option<Vec<String>> {
    if !files.iter().any(|file| file == "compose.yaml") {
        return None;
    }
    let mut services = vec!["api", "worker", "postgres", "redis"];
    if files.iter().any(|file| file == "compose.demo.yaml") {
        services.push("mailpit");
    }
    Some(services.into_iter().map(str::to_owned).collect())
}
