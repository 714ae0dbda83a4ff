use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::json;

use super::Shop;

const TWO: &str = "
services:
  api:
    image: BASE
    command: sh -c 'touch /ready; exec sleep 600'
    stop_grace_period: 0s
    environment: { COLOUR: blue }
    healthcheck: { test: [CMD, test, -f, /ready], interval: 30s }
    volumes: [ 'data:/data' ]
  worker:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    depends_on: { api: { condition: service_healthy } }
volumes: { data: }
";

#[test]
fn typed_again_up_changes_nothing_and_says_so() {
    let Some(shop) = Shop::new(TWO) else { return };
    let first = shop.up();
    assert_eq!(Shop::actions(&first), ["api created", "worker created"]);
    assert_eq!((first.changed, first.note.as_deref()), (Some(true), Some("2 created")));
    let before = (shop.container("api").id, shop.container("worker").id);

    let again = Instant::now();
    let second = shop.up();
    assert_eq!(Shop::actions(&second), ["api unchanged", "worker unchanged"]);
    assert_eq!((second.changed, second.note.as_deref()), (Some(false), Some("2 unchanged")));
    assert_eq!(before, (shop.container("api").id, shop.container("worker").id));
    assert!(again.elapsed() < super::SLACK);
    assert_eq!(second.value["changed"], false);
}

#[test]
fn a_changed_variable_replaces_the_one_service_that_has_it() {
    let Some(shop) = Shop::new(TWO) else { return };
    shop.up();
    let worker = shop.container("worker").id;
    shop.exec("api", &["sh", "-c", "echo kept > /data/x"]);
    shop.write(&TWO.replace("blue", "green"));
    let outcome = shop.up();
    assert_eq!(Shop::actions(&outcome), ["api recreated", "worker unchanged"]);
    assert_eq!(outcome.note.as_deref(), Some("1 recreated, 1 unchanged"));
    assert_eq!(outcome.value["services"]["api"]["reasons"], json!(["environment.COLOUR: blue → green"]));
    assert!(shop.direct.lines().contains(&"info: api: recreated (environment.COLOUR: blue → green)".to_owned()));
    assert_eq!(shop.container("worker").id, worker);
    assert_eq!(shop.exec("api", &["sh", "-c", "cat /data/x; echo $COLOUR"]), (0, "kept\ngreen\n".into()));
    assert_eq!(shop.containers(), ["api-1 running", "worker-1 running"]);
}

#[test]
fn a_dependant_starts_only_when_what_it_needs_is_healthy() {
    let slow = "
services:
  db:
    image: BASE
    command: sh -c 'sleep 1; date +%s%N > /shared/ready; exec sleep 600'
    stop_grace_period: 0s
    healthcheck: { test: [CMD, test, -s, /shared/ready], interval: 60s }
    volumes: [ 'shared:/shared' ]
  api:
    image: BASE
    command: sh -c 'cat /shared/ready > /seen; exec sleep 600'
    stop_grace_period: 0s
    depends_on: { db: { condition: service_healthy } }
    volumes: [ 'shared:/shared' ]
volumes: { shared: }
";
    let Some(shop) = Shop::new(slow) else { return };
    shop.up();
    let (code, seen) = shop.exec("api", &["cat", "/seen"]);
    assert!(code == 0 && seen.trim().len() > 10, "the file was not there when the dependant started: {seen:?}");
}

#[test]
fn a_job_runs_to_its_end_before_its_dependant_and_not_again() {
    let job = "
services:
  migrate:
    image: BASE
    command: sh -c 'sleep 0.5; echo run >> /shared/log'
    volumes: [ 'shared:/shared' ]
  api:
    image: BASE
    command: sh -c 'cp /shared/log /seen && exec sleep 600'
    stop_grace_period: 0s
    depends_on: { migrate: { condition: service_completed_successfully } }
    volumes: [ 'shared:/shared' ]
volumes: { shared: }
";
    let Some(shop) = Shop::new(job) else { return };
    shop.up();
    assert_eq!(shop.exec("api", &["cat", "/seen"]), (0, "run\n".into()));
    assert_eq!(shop.containers(), ["api-1 running", "migrate-1 exited"]);
    let again = shop.up();
    assert_eq!(Shop::actions(&again), ["api unchanged", "migrate unchanged"]);
    assert_eq!(shop.exec("api", &["cat", "/shared/log"]), (0, "run\n".into()));
}

#[test]
fn a_job_that_fails_keeps_its_dependant_from_starting() {
    let job = "
services:
  migrate: { image: BASE, command: sh -c 'echo no such table; exit 3' }
  api:
    image: BASE
    command: sleep 600
    depends_on: { migrate: { condition: service_completed_successfully } }
";
    let Some(shop) = Shop::new(job) else { return };
    let failure = shop.fails("up", json!([]), json!({ "wait": "30s" }));
    assert!(failure.message.starts_with("service `migrate` failed its health gate"), "{failure:?}");
    assert!(super::evidence(&failure).contains("no such table"), "{failure:?}");
    assert_eq!(shop.containers(), ["migrate-1 exited"]);
}

#[test]
fn replicas_come_and_go() {
    let scaled = |replicas: u32| {
        format!(
            "services:\n  api:\n    image: BASE\n    command: sleep 600\n    stop_grace_period: 0s\n    deploy: {{ replicas: {replicas} }}\n"
        )
    };
    let Some(shop) = Shop::new(&scaled(3)) else { return };
    shop.up();
    assert_eq!(shop.containers(), ["api-1 running", "api-2 running", "api-3 running"]);
    shop.write(&scaled(1));
    let fewer = shop.up();
    assert_eq!(fewer.note.as_deref(), Some("2 removed, 1 unchanged"));
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn orphans_are_reported_and_removed_only_when_asked() {
    let Some(shop) = Shop::new(TWO) else { return };
    shop.up();
    shop.write("services:\n  worker: { image: BASE, command: sleep 600, stop_grace_period: 0s }\n");
    shop.up();
    let orphan = format!(
        "warn: container `{}-api-1` belongs to service `api`, which the files do not have: `remove_orphans: true` removes it",
        shop.project
    );
    assert!(shop.direct.lines().contains(&orphan), "{:?}", shop.direct.lines());
    let removed = shop.call("up", json!([]), json!({ "remove_orphans": true }));
    assert_eq!(Shop::actions(&removed), ["api removed", "worker unchanged"]);
    assert_eq!(shop.containers(), ["worker-1 running"]);
}

#[test]
fn a_container_that_stopped_is_started_again() {
    let Some(shop) = Shop::new(TWO) else { return };
    shop.up();
    let id = shop.container("worker").id;
    shop.lab.run(shop.lab.engine.stop(&id, Some(std::time::Duration::ZERO))).unwrap();
    assert_eq!(Shop::actions(&shop.up()), ["api unchanged", "worker started"]);
    assert_eq!(shop.container("worker").id, id);
}

#[test]
fn force_recreate_replaces_what_is_as_it_should_be() {
    let Some(shop) = Shop::new(TWO) else { return };
    shop.up();
    let options = json!({ "services": ["api"], "force_recreate": true });
    let outcome = shop.call("up", json!([]), options);
    assert_eq!(Shop::actions(&outcome), ["api recreated"]);
    assert_eq!(outcome.value["services"]["api"]["reasons"], json!(["forced"]));
}

#[test]
fn an_order_that_there_is_not_is_refused() {
    let Some(shop) = Shop::new(TWO) else { return };
    let failure = shop.fails("up", json!([]), json!({ "order": "sideways" }));
    assert_eq!(failure.message, "option `order` cannot be `sideways`: it is `stop-first` or `start-first`");
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn a_service_that_does_not_exist_is_named() {
    let Some(shop) = Shop::new(TWO) else { return };
    let failure = shop.fails("up", json!([]), json!({ "services": ["wroker"] }));
    assert_eq!(failure.message, "there is no service `wroker` in `compose.yaml`");
    assert_eq!(failure.hints, ["did you mean `worker`?"]);
}

#[test]
fn one_container_in_the_network_of_another_follows_it() {
    let shared = "
services:
  vpn: { image: BASE, command: sleep 600, stop_grace_period: 0s, environment: { ROUTE: a } }
  app: { image: BASE, command: sleep 600, stop_grace_period: 0s, network_mode: 'service:vpn' }
";
    let Some(shop) = Shop::new(shared) else { return };
    shop.up();
    assert_eq!(Shop::actions(&shop.up()), ["app unchanged", "vpn unchanged"]);
    shop.write(&shared.replace("ROUTE: a", "ROUTE: b"));
    assert_eq!(Shop::actions(&shop.up()), ["app recreated", "vpn recreated"]);
    let mode = shop.container("app").raw["HostConfig"]["NetworkMode"].as_str().unwrap().to_owned();
    assert_eq!(mode, format!("container:{}", shop.container("vpn").id));
}

#[test]
fn linked_services_are_found_by_their_link_and_mounts_are_had_from_others() {
    let linked = "
services:
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    links: ['db:database']
    volumes_from: ['db:ro']
    blkio_config: { weight: 300 }
  db:
    image: BASE
    command: sh -c 'echo here > /data/x; exec sleep 600'
    stop_grace_period: 0s
    volumes: [ /data ]
";
    let Some(shop) = Shop::new(linked) else { return };
    assert_eq!(Shop::actions(&shop.up()), ["api created", "db created"]);
    assert_eq!(shop.exec("api", &["cat", "/data/x"]), (0, "here\n".into()));
    let (code, said) = shop.exec("api", &["ping", "-c", "1", "-W", "2", "database"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(Shop::actions(&shop.up()), ["api unchanged", "db unchanged"]);
}

#[test]
fn what_cannot_be_granted_is_refused_with_its_place_before_anything_happens() {
    let plugin = "
services:
  api: { image: BASE, command: sleep 600 }
  cloud: { provider: { type: cloud } }
";
    let Some(shop) = Shop::new(plugin) else { return };
    let failure = shop.fails("up", json!([]), json!({}));
    assert_eq!(
        failure.message,
        "compose.yaml:4:12: services.cloud.provider: names a plugin of Docker Compose, which alone can run it"
    );
    assert_eq!(failure.hints, ["put the service into a profile that is not active here"]);
    assert_eq!(shop.containers(), Vec::<String>::new());
    // The services that ask for nothing of the kind can be brought up.
    shop.call("up", json!([]), json!({ "services": ["api"] }));
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn with_nothing_to_do_each_thing_is_asked_for_once() {
    let service = |name: &str| format!("  {name}: {{ image: BASE, command: sleep 600, stop_grace_period: 0s }}\n");
    let services: String = ["a", "b", "c"].map(service).concat();
    let Some(shop) = Shop::new(&format!("services:\n{services}")) else { return };
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let handle = shop.handle(json!({ "engine": shop.lab.overheard(Arc::clone(&asked)) }));
    let up = || shop.direct.method("compose.up", handle.clone(), json!([]), json!({ "wait": "30s" })).unwrap();
    assert_eq!(up().changed, Some(true));
    // Names that keep its images from being pruned are the last thing that a first release brings.
    asked.lock().unwrap().clear();
    assert_eq!(up().changed, Some(false));
    let mut all = std::mem::take(&mut *asked.lock().unwrap());
    all.sort();
    // The list and the three containers in it, their image, their network, the networks and volumes of the project, its lock.
    assert_eq!(all.len(), 9, "{all:#?}");
    assert!(all.iter().all(|line| line.starts_with("GET ")), "{all:#?}");
    let mut once = all.clone();
    once.dedup();
    assert_eq!(once, all);
}
