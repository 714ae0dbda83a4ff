use std::process::Command;

use serde_json::{Value, json};

use super::Shop;
use crate::harness::Project;

const COMPOSE: &str = "
services:
  db:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    healthcheck: { test: [CMD, 'true'], interval: 1s }
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    labels: { team: shop }
    depends_on: { db: { condition: service_healthy } }
    networks: { default: { aliases: [backend] } }
    volumes: [ 'data:/data' ]
volumes: { data: }
";

#[test]
fn labels_and_names_are_those_of_compose() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.direct.write(".env", "TAG=1\n");
    shop.up();
    let api = shop.container("api");
    let folder = shop.direct.path().display().to_string();
    let labels: Vec<(&str, &str)> = api
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "com.docker.compose.config-hash" | "runbook.compose.config"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !name.starts_with("runbook-test") && !name.starts_with("dev.runbook."))
        .collect();
    let file = format!("{folder}/compose.yaml");
    let env_file = format!("{folder}/.env");
    assert_eq!(
        labels,
        [
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.depends_on", "db:service_healthy:false"),
            ("com.docker.compose.image", api.image_id.as_str()),
            ("com.docker.compose.oneoff", "False"),
            ("com.docker.compose.project", shop.project.as_str()),
            ("com.docker.compose.project.config_files", file.as_str()),
            ("com.docker.compose.project.environment_file", env_file.as_str()),
            ("com.docker.compose.project.working_dir", folder.as_str()),
            ("com.docker.compose.service", "api"),
            ("com.docker.compose.version", env!("CARGO_PKG_VERSION")),
            ("team", "shop"),
        ]
    );
    assert_eq!(api.labels["com.docker.compose.config-hash"].len(), 64);

    let network = format!("{}_default", shop.project);
    let aliases = &api.networks[&network].aliases;
    assert_eq!(aliases, &[api.name.clone(), "api".into(), "backend".into()]);
    let found = shop.lab.run(shop.lab.engine.network(&network)).unwrap().unwrap();
    assert_eq!(found.labels["com.docker.compose.network"], "default");
    assert_eq!(found.labels["com.docker.compose.project"], shop.project);
    let volume = shop.lab.run(shop.lab.engine.volume(&format!("{}_data", shop.project))).unwrap().unwrap();
    assert_eq!(volume.labels["com.docker.compose.volume"], "data");
}

/// Debian's `docker-compose` is version 1: other hashes, other names, the same labels.
fn docker_compose(shop: &Shop, arguments: &[&str]) -> Option<String> {
    let version = Command::new("docker-compose").arg("version").output().ok()?;
    if !version.status.success() {
        return None;
    }
    let output = Command::new("docker-compose")
        .args(["-p", &shop.project, "-f", "compose.yaml"])
        .args(arguments)
        .current_dir(shop.direct.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "docker-compose {arguments:?}: {text}");
    Some(text)
}

const SIMPLE: &str = "version: '3.8'\nservices:\n  api:\n    image: BASE\n    command: sh -c 'echo hello; exec sleep 600'\n    stop_grace_period: 0s\n    environment: { COLOUR: blue }\n    restart: unless-stopped\n    ports: ['127.0.0.1:PORT:8000']\n    volumes: ['data:/data', './site:/site:ro']\nvolumes: { data: {} }\n";

fn simple() -> String {
    SIMPLE.replace("PORT", &super::free_port().to_string())
}

#[test]
fn what_compose_itself_made_is_left_alone_when_nothing_differs() {
    let compose = simple();
    let Some(shop) = Shop::new(&compose) else { return };
    std::fs::create_dir_all(shop.direct.path().join("site")).unwrap();
    if docker_compose(&shop, &["up", "-d"]).is_none() {
        return crate::harness::skip("docker-compose (apt-get install docker-compose)");
    }
    let made = shop.call("ps", json!([]), json!({})).value;
    let outcome = shop.up();
    assert_eq!(outcome.note.as_deref(), Some("1 unchanged"), "{}", outcome.value);
    assert_eq!(shop.call("ps", json!([]), json!({})).value[0]["id"], made[0]["id"]);

    shop.write(&compose.replace("blue", "green"));
    let outcome = shop.up();
    assert_eq!(outcome.value["services"]["api"]["reasons"], json!(["environment.COLOUR: changed"]));
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn composes_own_commands_work_on_what_is_made_here() {
    let Some(shop) = Shop::new(&simple()) else { return };
    shop.up();
    let Some(listed) = docker_compose(&shop, &["ps", "-q"]) else {
        return crate::harness::skip("docker-compose (apt-get install docker-compose)");
    };
    assert_eq!(listed.trim(), shop.container("api").id);
    assert!(docker_compose(&shop, &["logs", "api"]).unwrap().contains("hello"));
    docker_compose(&shop, &["down"]).unwrap();
    assert_eq!(shop.call("ps", json!([]), json!({})).value, Value::from(Vec::<Value>::new()));
}

#[test]
fn no_label_has_a_value_of_the_environment_and_a_change_of_one_is_told_all_the_same() {
    let with = |values: &str| {
        format!(
            "services:\n  api: {{ image: BASE, command: sleep 600, stop_grace_period: 0s, environment: {{ {values} }} }}\n"
        )
    };
    let Some(shop) = Shop::new(&with("A: first-value-1, B: 'x=y $$z', E: '', N:")) else { return };
    shop.up();
    let api = shop.container("api");
    assert!(
        api.labels.values().all(|value| !value.contains("first-value-1") && !value.contains("x=y")),
        "{:?}",
        api.labels
    );
    assert_eq!(Shop::actions(&shop.up()), ["api unchanged"]);
    shop.write(&with("A: other-value-2, B: 'x=y $$z', E: '', N:"));
    let again = shop.up();
    assert_eq!(Shop::actions(&again), ["api recreated"]);
    assert!(again.value.to_string().contains("environment.A: first-value-1 → other-value-2"), "{}", again.value);
}

#[test]
fn a_plan_does_not_show_the_former_value_of_a_secret() {
    let compose =
        "services:\n  api: { image: BASE, command: sleep 600, stop_grace_period: 0s, environment: { T: '${T-}' } }\n";
    let Some(shop) = Shop::new(compose) else { return };
    let text = compose.replace("BASE", "runbook-test/busybox:1");
    let with = |value: &str| format!("compose(\"{}\", #{{ env: #{{ {value} }} }}).up();", shop.project);
    let project = Project::script(&with("T: `tok:${secret(\"TOK\")}`")).file("compose.yaml", &text);
    let project = project.env("TOK", "former-value-1");
    project.run().success();
    let project = project.env("TOK", "present-value-2");
    let plans = |project: &Project, told: &str| {
        let plan = project.runbook(&["plan", "test.rhai"]).success().prints(told);
        assert!(!plan.stdout.contains("former-value-1") && !plan.stdout.contains("present-value-2"), "{}", plan.stdout);
    };
    plans(&project, "environment.T: changed");
    // Also where it is to hold none any more.
    let project = project.file("test.rhai", &with("T: \"harmless\""));
    plans(&project, "environment.T: changed");
    let project = project.file("test.rhai", &with(""));
    plans(&project, "environment.T: changed");
    let project = project.file("compose.yaml", &text.replace("environment: { T: '${T-}' }", "init: true"));
    plans(&project, "environment.T: removed");
}
