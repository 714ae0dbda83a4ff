//! Services that come, go, move and change their number.

use runbook::primitive::FailureKind;
use serde_json::json;

use super::{Shop, free_port};

fn service(name: &str, more: &str) -> String {
    format!("  {name}:\n    image: BASE\n    command: sleep 600\n    stop_grace_period: 0s\n{more}")
}

#[test]
fn scaled_up_and_down_only_what_is_more_or_less_changes() {
    let scaled = |number: u32| format!("services:\n{}", service("web", &format!("    scale: {number}\n")));
    let Some(shop) = Shop::new(&scaled(1)) else { return };
    shop.up();
    let first = shop.container("web").id;
    shop.write(&scaled(3));
    let outcome = shop.up();
    assert_eq!(outcome.note.as_deref(), Some("2 created, 1 unchanged"));
    assert_eq!(shop.containers(), ["web-1 running", "web-2 running", "web-3 running"]);
    shop.write(&scaled(1));
    let outcome = shop.up();
    assert_eq!(outcome.note.as_deref(), Some("2 removed, 1 unchanged"));
    assert_eq!(outcome.value["services"]["web"]["reasons"], json!(["fewer replicas", "fewer replicas"]));
    assert_eq!((shop.containers(), shop.container("web").id), (vec!["web-1 running".to_owned()], first));
    shop.write(&scaled(0));
    shop.up();
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn a_renamed_service_gives_its_port_to_the_one_it_became() {
    let port = free_port();
    let ports = format!("    ports: ['127.0.0.1:{port}:8000']\n");
    let Some(shop) = Shop::new(&format!("services:\n{}", service("web", &ports))) else { return };
    shop.up();
    let before = shop.container("web").id;
    shop.write(&format!("services:\n{}", service("site", &ports)));
    let failure = shop.fails("up", json!([]), json!({}));
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("service `site`: port {port} is held by container `{}-web-1`", shop.project));
    assert_eq!((shop.containers(), shop.container("web").id), (vec!["web-1 running".to_owned()], before));
    let outcome = shop.call("up", json!([]), json!({ "remove_orphans": true }));
    assert_eq!(Shop::actions(&outcome), ["site created", "web removed"]);
    assert_eq!(shop.containers(), ["site-1 running"]);
}

#[test]
fn an_orphan_is_told_and_stays_until_it_is_to_go() {
    let both = format!("services:\n{}{}", service("web", ""), service("old", ""));
    let Some(shop) = Shop::new(&both) else { return };
    shop.up();
    shop.write(&format!("services:\n{}", service("web", "")));
    assert_eq!(shop.up().changed, Some(false));
    let told =
        shop.direct.lines().iter().any(|line| line.contains("belongs to service `old`, which the files do not have"));
    assert!(told, "{:?}", shop.direct.lines());
    assert_eq!(shop.containers(), ["old-1 running", "web-1 running"]);
    shop.call("up", json!([]), json!({ "remove_orphans": true }));
    assert_eq!(shop.containers(), ["web-1 running"]);
}

#[test]
fn ports_that_move_between_services_are_free_when_they_are_wanted() {
    let (one, other) = (free_port(), free_port());
    let with =
        |service_name: &str, port: u16| service(service_name, &format!("    ports: ['127.0.0.1:{port}:8000']\n"));
    let Some(shop) = Shop::new(&format!("services:\n{}", with("a", one))) else { return };
    shop.up();
    shop.write(&format!("services:\n{}{}", with("a", other), with("b", one)));
    shop.up();
    assert_eq!(shop.containers(), ["a-1 running", "b-1 running"]);
}

#[test]
fn another_network_recreates_who_is_in_it_and_another_definition_is_a_conflict() {
    let within = |networks: &str, more: &str| {
        format!(
            "services:\n{}networks: {{ front: {{{more}}}, back: {{}} }}\n",
            service("web", &format!("    networks: [{networks}]\n"))
        )
    };
    let Some(shop) = Shop::new(&within("front", "")) else { return };
    shop.up();
    shop.write(&within("front, back", ""));
    let outcome = shop.up();
    assert_eq!(Shop::actions(&outcome), ["web recreated"]);
    let networks: Vec<String> = shop.container("web").networks.into_keys().collect();
    assert_eq!(networks, [format!("{}_back", shop.project), format!("{}_front", shop.project)]);
    shop.write(&within("front, back", " internal: true "));
    let failure = shop.fails("up", json!([]), json!({}));
    assert_eq!(failure.kind, FailureKind::Conflict, "{failure:?}");
    assert_eq!(shop.containers(), ["web-1 running"]);
}
