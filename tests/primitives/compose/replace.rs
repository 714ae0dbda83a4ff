use std::net::TcpListener;

use runbook::primitive::FailureKind;
use serde_json::json;

use super::{Shop, free_port};

const SERVER: &str = "sh -c 'mkdir -p /www; echo VERSION > /www/version; exec httpd -f -p 8000 -h /www'";

fn published(version: &str, port: u16) -> String {
    format!(
        "services:\n  api:\n    image: BASE\n    command: {}\n    stop_grace_period: 0s\n    ports: ['127.0.0.1:{port}:8000']\n",
        SERVER.replace("VERSION", version)
    )
}

#[test]
fn a_port_held_by_another_container_is_told_before_anything_stops() {
    let port = free_port();
    let Some(shop) = Shop::new(&published("one", free_port())) else { return };
    shop.up();
    let before = shop.container("api").id;
    let mut spec = shop.lab.spec("holder", "exec sleep 600");
    spec.ports = vec![runbook::drivers::docker::PortSpec {
        container: 80,
        host_ip: Some("127.0.0.1".into()),
        host_port: Some(port.to_string()),
        ..Default::default()
    }];
    let holder = shop.lab.up(&spec);
    shop.write(&published("two", port));
    let failure = shop.fails("up", json!([]), json!({ "wait": "10s" }));
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("service `api`: port {port} is held by container `{holder}`"));
    assert_eq!(shop.container("api").id, before);
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn a_port_held_by_a_program_fails_the_start_and_the_old_one_serves_again() {
    let first_port = free_port();
    let Some(shop) = Shop::new(&published("one", first_port)) else { return };
    shop.up();
    let before = shop.container("api").id;
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    shop.write(&published("two", port));
    let failure = shop.fails("up", json!([]), json!({ "wait": "10s" }));
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.starts_with("service `api`: cannot start container"), "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains(&format!("who holds port {port}"))), "{failure:?}");
    let name = format!("{}-api-1", shop.project);
    assert!(failure.hints.contains(&format!("container `{name}` from before serves as it did")), "{failure:?}");
    assert_eq!(shop.containers(), ["api-1 running"]);
    assert_eq!(shop.container("api").id, before);
    assert_eq!(shop.exec("api", &["wget", "-q", "-O-", "http://127.0.0.1:8000/version"]), (0, "one\n".into()));
}

#[test]
fn an_anonymous_volume_moves_on_with_its_data() {
    let Some(shop) = Shop::new("services: {}") else { return };
    let image = shop.lab.image("db", "1", "VOLUME /var/data");
    let compose = |colour: &str| {
        format!(
            "services:\n  db:\n    image: {image}\n    command: sleep 600\n    stop_grace_period: 0s\n    environment: {{ COLOUR: {colour} }}\n    volumes: [ '/cache' ]\n"
        )
    };
    shop.write(&compose("blue"));
    shop.up();
    shop.exec("db", &["sh", "-c", "echo kept > /var/data/x; echo kept too > /cache/x"]);
    shop.write(&compose("green"));
    assert_eq!(Shop::actions(&shop.up()), ["db recreated"]);
    assert_eq!(shop.exec("db", &["cat", "/var/data/x", "/cache/x"]), (0, "kept\nkept too\n".into()));
    assert_eq!(Shop::actions(&shop.up()), ["db unchanged"]);
    shop.call("down", json!([]), json!({ "volumes": true }));
}

#[test]
fn a_run_that_was_killed_in_the_middle_of_a_replacement_is_mended_by_the_next() {
    let Some(shop) = Shop::new(&published("one", free_port())) else { return };
    shop.up();
    let before = shop.container("api");
    let previous = format!("{}.runbook-previous", before.name);
    shop.lab
        .run(async {
            let engine = &shop.lab.engine;
            engine.stop(&before.id, Some(std::time::Duration::ZERO)).await?;
            engine.rename(&before.id, &previous).await
        })
        .unwrap();
    assert_eq!(Shop::actions(&shop.up()), ["api started"]);
    assert_eq!(shop.container("api").id, before.id);
    assert_eq!(shop.containers(), ["api-1 running"]);
}
