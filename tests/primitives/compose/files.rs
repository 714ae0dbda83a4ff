use runbook::primitive::{Failure, FailureKind};
use serde_json::{Value, json};

use super::Shop;
use crate::harness::{Direct, primitive};

fn compose(direct: &Direct, options: Value) -> Result<Value, Failure> {
    direct.call(primitive("compose"), json!(["shop"]), options).map(|outcome| outcome.value)
}

#[test]
fn the_usual_files_are_found_with_their_override() {
    let direct = Direct::new();
    direct.write("deploy/docker-compose.yml", "services: {}\n").write("deploy/docker-compose.override.yml", "{}\n");
    let handle = compose(&direct, json!({ "directory": "deploy" })).unwrap();
    assert_eq!(handle["files"], json!(["deploy/docker-compose.yml", "deploy/docker-compose.override.yml"]));
    assert_eq!(handle["$kind"], "compose");
    direct.write("deploy/compose.yaml", "services: {}\n");
    assert_eq!(compose(&direct, json!({ "directory": "deploy" })).unwrap()["files"], json!(["deploy/compose.yaml"]));
}

#[test]
fn what_is_wrong_with_a_handle_is_said_at_once() {
    let direct = Direct::new();
    let failure = compose(&direct, json!({})).unwrap_err();
    assert!(failure.message.starts_with("there is no compose file in `"), "{failure:?}");
    direct.write("docker-compose.prod.yml", "services: {}\n");
    let failure = compose(&direct, json!({ "files": ["docker-compose.yml"] })).unwrap_err();
    assert_eq!(failure.message, "compose file `docker-compose.yml` does not exist");
    assert_eq!(failure.hints[1], "in that folder there is docker-compose.prod.yml");
    let files = json!("docker-compose.prod.yml");
    let failure = compose(&direct, json!({ "files": files, "env_file": "prod.env" })).unwrap_err();
    assert_eq!(failure.message, "environment file `prod.env` does not exist");
    let failure = compose(&direct, json!({ "files": files, "env": { "A": [1] } })).unwrap_err();
    assert_eq!(failure.message, "option `env.A` must be a string, a number or a bool");
    let failure = compose(&direct, json!({ "files": 7 })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Option);
    let failure = direct.call(primitive("compose"), json!(["My Shop"]), json!({})).unwrap_err();
    assert_eq!(failure.message, "argument `name`: `My Shop` is not a project name");
}

#[test]
fn several_files_and_variables_make_one_configuration() {
    let Some(shop) = Shop::new("services:\n  api: { image: 'app:${TAG}', environment: { A: '1' } }\n") else { return };
    shop.direct.write("prod.yaml", "services:\n  api: { environment: { B: '${LEVEL:-info}' } }\n");
    let handle = shop.handle(json!({ "files": ["compose.yaml", "prod.yaml"], "env": { "TAG": 7 } }));
    let outcome = shop.direct.method("compose.config", handle, json!([]), json!({})).unwrap();
    assert_eq!(outcome.value["services"]["api"]["image"], "app:7");
    assert_eq!(outcome.value["services"]["api"]["environment"], json!({ "A": "1", "B": "info" }));
    assert_eq!(outcome.note.as_deref(), Some("1 service"));
}

#[test]
fn variables_of_the_process_are_seen_only_when_asked_for() {
    let Some(shop) = Shop::new("services:\n  api: { image: 'app:${PATH}' }\n") else { return };
    shop.call("config", json!([]), json!({}));
    let unset = "the variable `PATH` is not set, so it is replaced by nothing";
    assert!(shop.direct.lines().iter().any(|line| line.starts_with("warn: ") && line.contains(unset)));
    let handle = shop.handle(json!({ "inherit": ["PATH"] }));
    let outcome = shop.direct.method("compose.config", handle, json!([]), json!({})).unwrap();
    assert_eq!(outcome.value["services"]["api"]["image"], format!("app:{}", std::env::var("PATH").unwrap()));
}

#[test]
fn a_key_that_there_is_not_is_never_ignored() {
    let Some(shop) = Shop::new("services:\n  api:\n    image: BASE\n    blkio_confg: { weight: 10 }\n    prots: []\n")
    else {
        return;
    };
    let failure = shop.fails("up", json!([]), json!({}));
    assert_eq!(failure.kind, FailureKind::Invalid);
    let all = super::evidence(&failure);
    assert!(all.contains("compose.yaml:4:5: services.api.blkio_confg"), "{failure:?}");
    assert!(all.contains("compose.yaml:5:5: services.api.prots"), "{failure:?}");
}

#[test]
fn a_service_handle_is_a_descriptor() {
    let Some(shop) = Shop::new("services:\n  db: { image: BASE }\n") else { return };
    let handle = shop.call("service", json!(["db"]), Value::Null).value;
    assert_eq!(
        (&handle["$kind"], &handle["name"], &handle["project"]),
        (&json!("service"), &json!("db"), &json!(shop.project))
    );
    assert_eq!(handle["app"]["$kind"], "compose");
    let failure = shop.fails("service", json!(["dc"]), Value::Null);
    assert_eq!(failure.message, "there is no service `dc` in `compose.yaml`");
}

#[test]
fn secrets_and_configs_are_files_of_the_container() {
    let compose = "
services:
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    secrets: [token, { source: key, target: the-key, mode: 0400 }]
    configs: [{ source: motd, target: /etc/motd }]
secrets:
  token: { file: ./token.txt }
  key: { environment: KEY }
configs:
  motd: { content: 'welcome ${WHO}' }
";
    let Some(shop) = Shop::new(compose) else { return };
    shop.direct.write("token.txt", "t0ken\n").write(".env", "KEY=k3y\nWHO=you\n");
    shop.up();
    let (_, seen) = shop.exec(
        "api",
        &["sh", "-c", "cat /run/secrets/token /run/secrets/the-key /etc/motd; stat -c %a /run/secrets/the-key"],
    );
    assert_eq!(seen, "t0ken\nk3ywelcome you400\n");
    assert_eq!(Shop::actions(&shop.up()), ["api unchanged"]);
    shop.direct.write(".env", "KEY=k3y\nWHO=them\n");
    let outcome = shop.up();
    assert_eq!(outcome.value["services"]["api"]["reasons"], json!(["/etc/motd in the container: other content"]));
}
