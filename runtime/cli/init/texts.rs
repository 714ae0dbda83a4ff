//! The texts of the files that `init` writes. A word in angle brackets is filled in; a line that is left with nothing to
//! say is left out.

use super::application::Facts;

/// What to type next, and why.
pub(super) const NEXT: [(&str, &str); 4] = [
    ("runbook doctor", "what is missing on this machine"),
    ("runbook check --all-envs", "finds mistakes without running anything"),
    ("runbook run deploy.rhai --env demo", "deploys on this machine's Docker engine"),
    ("runbook run rollback.rhai --env demo", "goes back to the release before"),
];

const PROJECT: &str = r#"# What `runbook` knows about this project: where it runs, and what is different there.
#
# <compose_file> describes:
<services>

[project]
name = <name>
# Taken when `--env` is not given.
default_env = "demo"

# Runbooks read every key of the chosen environment as `env::key`: add what differs between yours.
<demo><prod><registries>"#;

const ENVIRONMENT: &str = r"
# <what>
[env.<env>]
<protected>
# What the names of containers, networks and volumes begin with.
project = <project>
# Later files win over earlier ones: what is special to this environment can have a file of its own.
compose_files = [<compose_file>]
# The file with the variables that the compose files use.
<env_file>
<why_url>
url = <url>
";

const REGISTRY: &str = r#"
# How to log in to <host>. The password comes from an environment variable of the `runbook` process.
# [registry.<quoted_host>]
# username = "…"
# password_env = "<variable>"
"#;

const DEPLOY: &str = r#"//! Deploy <name>: everything is made ready first, then replaced behind its health checks, then verified.
//! If anything fails, the release that ran before is put back.
//!
<param>
//! @needs docker {project}; http {url}
//! @lock deploy/{env}
//! @timeout 30m

import "std/deploy" as deploy;

let app = compose(env::project, #{ <options> });

deploy::compose(app, #{
    <images>
    // Database migrations run in the new image, before anything is replaced:
    // migrate: ["COMMAND", "ARGUMENT"], migrate_service: "SERVICE",
    wait: "120s",      // the time each service has to become healthy
    url: env::url,     // must answer when everything runs
});
"#;

const ROLLBACK: &str = r#"//! Roll <name> back to the last release that ended well, or to a given one.
//!
//! @param to: integer = 0   the number of a release; 0 is the last good one before what runs now
//! @needs docker {project}; http {url}
//! @lock deploy/{env}
//! @timeout 15m

import "std/rollback" as rollback;

let app = compose(env::project, #{ <options> });

rollback::compose(app, #{
    to: param("to"),
    wait: "120s",
    url: env::url,
});
"#;

/// `runbook.toml`.
pub(super) fn project(facts: &Facts) -> String {
    let services = facts.services.iter().map(|(service, source)| format!("#   {service:12} {source}"));
    let registries = facts.registries.iter().map(|host| {
        fill(REGISTRY, &[("host", host), ("quoted_host", &quoted(host)), ("variable", &variable_of(host))])
    });
    fill(
        PROJECT,
        &[
            ("compose_file", &facts.compose_file),
            ("services", &services.collect::<Vec<_>>().join("\n")),
            ("name", &quoted(&facts.name)),
            ("demo", &environment(facts, "demo", &format!("{}-demo", facts.name))),
            ("prod", &environment(facts, "prod", &facts.name)),
            ("registries", &registries.collect::<String>()),
        ],
    )
}

fn environment(facts: &Facts, name: &str, project: &str) -> String {
    let (what, protected) = match name {
        "prod" => (
            "The real one. `protected`: every run waits until a person approves it, and does only what its runbook declares.",
            "protected = true",
        ),
        _ => ("To try things on this machine.", ""),
    };
    let env_file = facts.env_file.as_ref();
    let (why_url, url) = match &facts.url {
        Some((service, url)) => (format!("# Where `{service}` answers once it is deployed."), url.as_str()),
        None => (
            "# Where the application answers once it is deployed: a guess, please correct it.".into(),
            "http://127.0.0.1/",
        ),
    };
    fill(
        ENVIRONMENT,
        &[
            ("what", what),
            ("env", name),
            ("protected", protected),
            ("project", &quoted(project)),
            ("compose_file", &quoted(&facts.compose_file)),
            (
                "env_file",
                &env_file.map_or("# env_file = \".env\"".into(), |file| format!("env_file = {}", quoted(file))),
            ),
            ("why_url", &why_url),
            ("url", &quoted(url)),
        ],
    )
}

/// `deploy.rhai`.
pub(super) fn deploy(facts: &Facts) -> String {
    let param = facts.tag.as_ref().map(|variable| {
        format!("//! @param tag: string = \"latest\"   the tag of the images, `{variable}` in {}", facts.compose_file)
    });
    let mut options = options(facts);
    if let Some(variable) = &facts.tag {
        options.push_str(&format!(", env: #{{ {variable}: param(\"tag\") }}"));
    }
    let images = match (facts.builds, facts.pulls) {
        (true, false) => "build: true, pull: false,      // every image is built here",
        (true, true) => "build: true,                   // what is not built here is pulled",
        (false, _) => "",
    };
    fill(
        DEPLOY,
        &[("name", &facts.name), ("param", &param.unwrap_or_default()), ("options", &options), ("images", images)],
    )
}

/// `rollback.rhai`.
pub(super) fn rollback(facts: &Facts) -> String {
    fill(ROLLBACK, &[("name", &facts.name), ("options", &options(facts))])
}

fn options(facts: &Facts) -> String {
    let env_file = if facts.env_file.is_some() { ", env_file: env::env_file" } else { "" };
    format!("files: env::compose_files{env_file}")
}

/// `GHCR_IO_TOKEN` for `ghcr.io`.
fn variable_of(host: &str) -> String {
    let letters = host.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("{}_TOKEN", letters.collect::<String>())
}

/// The text as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn fill(template: &str, words: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for line in template.split_inclusive('\n') {
        let empty = words.iter().any(|(word, value)| value.is_empty() && line.trim() == format!("<{word}>"));
        if !empty {
            let filled =
                words.iter().fold(line.to_owned(), |line, (word, value)| line.replace(&format!("<{word}>"), value));
            text.push_str(&filled);
        }
    }
    text
}
