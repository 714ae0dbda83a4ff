use runbook::compose::{Explanation, explain};

use super::Project;

const FILES: &str = "
x-image: &image ghcr.io/acme/api:${TAG:-latest}
services:
  api:
    image: *image
    environment: [LEVEL, 'NOTE=${TAG}']
    env_file: [api.env]
  worker:
    image: *image
    environment: {LEVEL: DEBUG}
";

fn project() -> Project {
    Project::new(FILES)
        .file(".env", "TAG=v1\nLEVEL=INFO\nTAG=v2\n")
        .file("api.env", "A=1\nLEVEL=WARN\nTAG=in-container\n")
}

fn told(found: &Explanation) -> Vec<String> {
    let origins = found.origins.iter().map(|origin| format!("{:?} {}", origin.place, origin.value));
    let uses =
        found.uses.iter().map(|used| format!("{} {} {} → {:?}", used.place, used.key, used.written, used.becomes));
    let given = found.containers.iter().map(|given| format!("{} {} {:?}", given.service, given.place, given.value));
    origins.chain(uses).chain(given).collect()
}

#[test]
fn the_last_line_of_the_file_counts_and_every_use_is_told() {
    let found = explain(&project().request, "TAG");
    assert_eq!(found.value.as_deref(), Some("v2"));
    assert_eq!(
        told(&found),
        [
            "Some(\".env:3\") v2",
            "Some(\".env:1\") v1",
            "compose.yaml:2:10 x-image ghcr.io/acme/api:${TAG:-latest} → Some(\"ghcr.io/acme/api:v2\")",
            "compose.yaml:6:26 services.api.environment[1] NOTE=${TAG} → Some(\"NOTE=v2\")",
            "api api.env:3 Some(\"in-container\")",
        ]
    );
}

#[test]
fn what_is_asked_for_wins_and_a_service_may_say_otherwise() {
    let found = explain(&project().set("LEVEL", "ERROR").request, "LEVEL");
    assert_eq!(
        told(&found),
        [
            "None ERROR",
            "Some(\".env:2\") INFO",
            "api compose.yaml:6:19 Some(\"ERROR\")",
            "worker compose.yaml:10:19 Some(\"DEBUG\")",
        ]
    );
}

#[test]
fn a_value_is_masked_where_the_name_suggests_a_secret() {
    let file = "services: {api: {image: x, environment: {DB_PASSWORD: '${DB_PASSWORD}'}}}";
    let mut found = explain(&Project::new(file).set("DB_PASSWORD", "hunter2").request, "DB_PASSWORD");
    found.mask();
    assert!(!format!("{found:?}").contains("hunter2"), "{found:?}");
    assert_eq!(found.value.as_deref(), Some("•••"));
}

#[test]
fn a_variable_is_followed_through_files_that_do_not_load() {
    let found = explain(&Project::new("services: {api: {image: '${TAG:?}', tyt: 1}}").request, "TAG");
    assert_eq!(found.uses[0].becomes, None);
    assert_eq!(found.problems.len(), 2);
    assert!(!found.is_unknown());
    assert!(explain(&project().request, "NOTHING").is_unknown());
}
