//! `monitor`: a new container is watched after its gate, whichever order it came in.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use serde_json::json;

use super::Shop;
use crate::harness::Project;

/// Version 2 passes its gate, which is to run for two seconds, and ends a second later.
fn web(version: &str, order: &str, more: &str) -> String {
    let command = if version == "2" { "sleep 3; echo no more >&2; exit 1" } else { "exec sleep 600" };
    format!(
        "services:
  web:
    image: BASE
    command: [sh, -c, '{command}']
    stop_grace_period: 0s
    environment: {{ VERSION: '{version}' }}
    deploy: {{ update_config: {{ order: {order}{more} }} }}
"
    )
}

const WATCHED: &str = ", monitor: 15s, failure_action: rollback";

fn quick() -> serde_json::Value {
    json!({ "wait": "20s", "settle": "200ms" })
}

/// Both the failure that tells, and the version from before in the place, alone.
fn is_noticed(shop: &Shop, order: &str) {
    shop.write(&web("1", order, WATCHED));
    shop.call("up", json!([]), quick());
    let before = shop.container("web").id;
    shop.write(&web("2", order, WATCHED));
    let began = Instant::now();
    let failure = shop.fails("up", json!([]), quick());
    assert!(began.elapsed() < Duration::from_secs(14), "it is noticed at once: {:?}", began.elapsed());
    assert_eq!(failure.kind, FailureKind::Check);
    let name = format!("{}-web-1", shop.project);
    let lead = format!("service `web` failed its health gate: container `{name}");
    assert!(failure.message.starts_with(&lead), "{failure:?}");
    assert!(failure.message.contains("` ended ") && failure.message.ends_with(" after it had passed"), "{failure:?}");
    assert!(super::evidence(&failure).contains("no more"), "{failure:?}");
    let back = match order {
        "start-first" => format!("container `{name}` from before serves as it did"),
        _ => format!("`failure_action: rollback`: {name} serves as before"),
    };
    assert!(failure.hints.contains(&back), "{failure:?}");
    assert_eq!((shop.containers(), shop.container("web").id), (vec!["web-1 running".to_owned()], before));
}

#[test]
fn a_container_that_ends_while_it_is_watched_gives_way_start_first() {
    let Some(shop) = Shop::new("services: {}") else { return };
    is_noticed(&shop, "start-first");
}

#[test]
fn a_container_that_ends_while_it_is_watched_gives_way_stop_first() {
    let Some(shop) = Shop::new("services: {}") else { return };
    is_noticed(&shop, "stop-first");
}

#[test]
fn nobody_notices_where_nothing_is_watched() {
    for order in ["start-first", "stop-first"] {
        let Some(shop) = Shop::new(&web("1", order, "")) else { return };
        shop.call("up", json!([]), quick());
        shop.write(&web("2", order, ""));
        assert_eq!(Shop::actions(&shop.call("up", json!([]), quick())), ["web recreated"]);
    }
}

#[test]
fn a_paused_update_leaves_what_failed_for_whoever_wants_to_look() {
    let watched = ", monitor: 15s";
    let Some(shop) = Shop::new(&web("1", "stop-first", watched)) else { return };
    shop.call("up", json!([]), quick());
    let before = shop.container("web").id;
    shop.write(&web("2", "stop-first", watched));
    shop.fails("up", json!([]), quick());
    assert_eq!(shop.containers(), ["web-1 exited", "web-1.runbook-previous exited"]);
    // Put back by its files, it is the container from before.
    shop.write(&web("1", "stop-first", watched));
    shop.call("up", json!([]), quick());
    assert_eq!(shop.containers(), ["web-1 running"]);
    assert_ne!(shop.container("web").id, before, "only a release brings the very container back");
}

#[test]
fn what_a_killed_run_had_not_watched_to_the_end_is_watched_by_the_next() {
    let Some(shop) = Shop::new("services: {}") else { return };
    let script = format!("compose(\"{}\").up(#{{ wait: \"30s\" }});\n", shop.project);
    let project = Project::script(&script);
    let write = |version: &str| {
        let compose = web(version, "stop-first", WATCHED).replace("BASE", "runbook-test/busybox:1");
        project.file_now("compose.yaml", &compose.replace("sleep 3", "sleep 9"));
    };
    write("1");
    project.run().success();
    let before = shop.container("web").id;
    write("2");
    let mut child = project.command(&["run", "test.rhai", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("watching the new one")), "it is watched");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(shop.containers(), ["web-1 running", "web-1.runbook-previous exited"]);
    project.runbook(&["resume"]).code(1).says("after it had passed").says("serves as before");
    assert_eq!((shop.containers(), shop.container("web").id), (vec!["web-1 running".to_owned()], before));
}
