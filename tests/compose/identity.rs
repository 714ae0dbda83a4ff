//! Names, labels and hashes by which Compose recognises what belongs to a project.

use std::collections::BTreeMap;

use runbook::compose::labels::Instance;

use super::Project;

#[test]
fn a_hash_is_the_one_of_compose() {
    let project = Project::new(
        "services:
  a:
    image: x
    command: echo \"<a> & b\"
    build: .
    depends_on: [b]
    scale: 2
    pull_policy: always
    environment: {B: 2, A: 1}
    healthcheck: {test: [CMD, x], interval: 30s}
  b: {image: x}
volumes: {data: }
",
    );
    let app = project.app();
    assert_eq!(
        app.services["a"].hashed_text(),
        r#"{"command":["echo","\u003ca\u003e \u0026 b"],"entrypoint":null,"environment":{"A":"1","B":"2"},"healthcheck":{"test":["CMD","x"],"interval":"30s"},"image":"x","networks":{"default":null}}"#
    );
    // Computed with sha256sum over the text above, and over the JSON of the others.
    assert_eq!(
        app.services["b"].hashed_text(),
        r#"{"command":null,"entrypoint":null,"image":"x","networks":{"default":null}}"#
    );
    assert_eq!(app.services["b"].config_hash(), "d5457d0b2799957b606d2ac4ed52d85a1e75799490e56229948300b9a59e8953");
    assert_eq!(
        app.networks["default"].config_hash(),
        "cf68f29b281a26ea487d2f198485cc165808337181dfb0f69a28e1186000dcfa"
    );
    assert_eq!(app.volumes["data"].config_hash(), "4e9994dd3f18d2005754ebe423d777f4baca4d40768dce9f0f672cc616414856");
}

#[test]
fn containers_carry_the_labels_that_compose_looks_for() {
    let project = Project::new(
        "services:\n  a: {image: x, labels: {own: 1}, depends_on: {b: {condition: service_healthy, restart: true}, c: {condition: service_started}}}\n  b: {image: x}\n  c: {image: x}\n",
    )
    .file(".env", "");
    let app = project.app();
    let service = &app.services["a"];
    let labels = service.labels_of(&app, &Instance::Replica(2), "sha256:1");
    let root = project.path().display().to_string();
    let hash = service.config_hash();
    let (files, env) = (format!("{root}/compose.yaml"), format!("{root}/.env"));
    let expected: BTreeMap<&str, &str> = [
        ("com.docker.compose.config-hash", hash.as_str()),
        ("com.docker.compose.container-number", "2"),
        ("com.docker.compose.depends_on", "b:service_healthy:true,c:service_started:false"),
        ("com.docker.compose.image", "sha256:1"),
        ("com.docker.compose.oneoff", "False"),
        ("com.docker.compose.project", "shop"),
        ("com.docker.compose.project.config_files", files.as_str()),
        ("com.docker.compose.project.environment_file", env.as_str()),
        ("com.docker.compose.project.working_dir", root.as_str()),
        ("com.docker.compose.service", "a"),
        ("com.docker.compose.version", env!("CARGO_PKG_VERSION")),
        ("own", "1"),
    ]
    .into();
    assert_eq!(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<BTreeMap<_, _>>(), expected);
    let labels = service.labels_of(&app, &Instance::OneOff("1f".into()), "sha256:1");
    assert_eq!(labels["com.docker.compose.oneoff"], "True");
}

#[test]
fn networks_and_volumes_carry_theirs() {
    let project = Project::new("services: {a: {image: x}}\nvolumes: {data: {labels: {own: 1}}}");
    let app = project.app();
    let labels = app.volumes["data"].labels_of(&app, "data");
    assert_eq!(
        labels.keys().collect::<Vec<_>>(),
        [
            "com.docker.compose.config-hash",
            "com.docker.compose.project",
            "com.docker.compose.version",
            "com.docker.compose.volume",
            "own"
        ]
    );
    assert_eq!(app.networks["default"].labels_of(&app, "default")["com.docker.compose.network"], "default");
}

#[test]
fn names_and_aliases_are_those_of_compose() {
    let project = Project::new(
        "services: {a: {image: x, networks: {n: {aliases: [z, a]}}}, b: {container_name: fixed, build: .}}\nnetworks: {n: }",
    );
    let app = project.app();
    let (a, b) = (&app.services["a"], &app.services["b"]);
    let replica = Instance::Replica(1);
    assert_eq!(a.name_of("shop", &replica), "shop-a-1");
    assert_eq!(b.name_of("shop", &replica), "fixed");
    let oneoff = Instance::OneOff("0a1b".into());
    assert_eq!(b.name_of("shop", &oneoff), "shop-b-run-0a1b");
    assert_eq!(a.aliases("n", "shop-a-1", &replica), ["shop-a-1", "a", "z"]);
    assert_eq!(a.aliases("n", "shop-a-run-1", &oneoff), ["shop-a-run-1"]);
    assert_eq!((a.image_name("shop"), b.image_name("shop")), ("x".to_owned(), "shop-b".to_owned()));
}
