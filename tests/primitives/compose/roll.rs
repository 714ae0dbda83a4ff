//! Start-first: the new container beside the old one.

use runbook::primitive::FailureKind;
use serde_json::json;

use super::Shop;

fn web(version: &str, more: &str) -> String {
    format!(
        "services:
  web:
    image: BASE
    command: [sh, -c, 'echo $$VERSION > /version; test $$VERSION != broken && touch /ready; exec sleep 600']
    stop_grace_period: 0s
    environment: {{ VERSION: '{version}' }}
    healthcheck: {{ test: [CMD, test, -f, /ready], interval: 1s, retries: 2 }}
{more}"
    )
}

const START_FIRST: &str = "    deploy: { update_config: { order: start-first } }\n";

fn quick() -> serde_json::Value {
    json!({ "wait": "20s", "settle": "500ms" })
}

#[test]
fn start_first_ends_with_one_container_under_its_own_name_and_aliases() {
    let Some(shop) = Shop::new(&web("1", START_FIRST)) else { return };
    shop.up();
    let before = shop.container("web");
    shop.write(&web("2", START_FIRST));
    let plan = shop.direct.predict("compose.up", shop.handle(json!({})), json!([]), quick()).unwrap();
    let lines: Vec<String> = plan.changes.iter().flat_map(|change| change.detail.clone()).collect();
    assert!(lines.contains(&"start-first: the old one serves until the new one is healthy".to_owned()), "{lines:?}");
    let outcome = shop.call("up", json!([]), quick());
    assert_eq!(outcome.changes, plan.changes);
    assert_eq!(Shop::actions(&outcome), ["web recreated"]);
    let after = shop.container("web");
    assert_ne!(before.id, after.id);
    assert_eq!(shop.containers(), ["web-1 running"]);
    let network = format!("{}_default", shop.project);
    assert_eq!(after.networks[&network].aliases, before.networks[&network].aliases);
    assert_eq!(shop.exec("web", &["cat", "/version"]), (0, "2\n".into()));
    let said = shop.direct.lines();
    let took_over = format!("info: web: {}-web-1 took over, the old one ends", shop.project);
    assert!(said.contains(&took_over), "{said:?}");
    assert_eq!(Shop::actions(&shop.up()), ["web unchanged"]);
}

#[test]
fn a_candidate_that_fails_leaves_the_old_one_serving_and_nothing_else() {
    let Some(shop) = Shop::new(&web("1", START_FIRST)) else { return };
    shop.up();
    let before = shop.container("web").id;
    shop.write(&web("broken", START_FIRST));
    let failure = shop.fails("up", json!([]), quick());
    assert_eq!(failure.kind, FailureKind::Check);
    let serves = format!("container `{}-web-1` from before serves as it did", shop.project);
    assert!(failure.hints.contains(&serves), "{failure:?}");
    assert_eq!(shop.containers(), ["web-1 running"]);
    assert_eq!(shop.container("web").id, before);
}

#[test]
fn what_stands_in_the_way_is_told_with_its_place_and_a_canary_goes_first() {
    let fixed = |version: &str| {
        let more = format!("    ports: ['127.0.0.1:{PORT}:8000']\n    volumes: ['data:/data']\n");
        web(version, &format!("{START_FIRST}{more}volumes: {{ data: }}\n"))
    };
    let Some(shop) = Shop::new(&fixed("1")) else { return };
    shop.up();
    shop.write(&fixed("2"));
    let plan = shop.direct.predict("compose.up", shop.handle(json!({})), json!([]), quick()).unwrap();
    let lines: Vec<String> = plan.changes.iter().flat_map(|change| change.detail.clone()).collect();
    let expected = [
        "stop-first, after a canary: start-first is not possible".to_owned(),
        format!("  the port {PORT} of the host is fixed (compose.yaml:9:13)"),
        "  the volume `data` has one writer (compose.yaml:10:15)".to_owned(),
    ];
    assert!(expected.iter().all(|line| lines.contains(line)), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("nobody answers for about ")), "{lines:?}");
    shop.call("up", json!([]), quick());
    let said = shop.direct.lines().join("\n");
    assert!(said.contains(&format!("web: the canary of {}-web-1 was healthy after ", shop.project)), "{said}");
    assert!(said.contains("did not answer for about "), "{said}");
    let serving = shop.container("web").id;

    shop.write(&fixed("broken"));
    let failure = shop.fails("up", json!([]), quick());
    assert!(failure.hints.iter().any(|hint| hint.starts_with("this was a canary")), "{failure:?}");
    assert_eq!(shop.containers(), ["web-1 running"]);
    assert_eq!(shop.container("web").id, serving);

    // Who knows that two may write says so; then only the port is in the way.
    let options = json!({ "shared_volumes": ["data"] });
    let plan = shop.direct.predict("compose.up", shop.handle(json!({})), json!([]), options).unwrap();
    let lines: Vec<String> = plan.changes.iter().flat_map(|change| change.detail.clone()).collect();
    assert!(!lines.iter().any(|line| line.contains("has one writer")), "{lines:?}");
}

const PORT: u16 = 18_573;

/// The first new container passes, every further one fails.
fn replicas(version: &str, config: &str) -> String {
    format!(
        "services:
  web:
    image: BASE
    command: [sh, -c, 'test $$VERSION = 1 || mkdir /data/first || exit 1; exec sleep 600']
    stop_grace_period: 0s
    environment: {{ VERSION: '{version}' }}
    volumes: ['data:/data']
    deploy: {{ replicas: 3, update_config: {{ order: start-first{config} }} }}
volumes: {{ data: }}
"
    )
}

fn versions(shop: &Shop) -> Vec<String> {
    let version = |number: u64| {
        let name = format!("{}-web-{number}", shop.project);
        let container = shop.lab.run(shop.lab.engine.inspect(&name)).unwrap();
        assert!(container.is_running(), "{name}");
        container.env.iter().find_map(|line| line.strip_prefix("VERSION=")).unwrap().to_owned()
    };
    (1..=3).map(version).collect()
}

const THREE: [&str; 3] = ["web-1 running", "web-2 running", "web-3 running"];

#[test]
fn a_failing_replica_pauses_the_update_with_the_others_as_they_were() {
    let Some(shop) = Shop::new(&replicas("1", "")) else { return };
    shop.up();
    shop.write(&replicas("2", ""));
    shop.fails("up", json!([]), quick());
    assert_eq!(
        (versions(&shop), shop.containers()),
        (vec!["2".into(), "1".into(), "1".into()], THREE.map(Into::into).into())
    );
}

#[test]
fn a_failing_replica_rolls_the_service_back_where_the_files_say_so() {
    let Some(shop) = Shop::new(&replicas("1", "")) else { return };
    shop.up();
    let rollback = ", failure_action: rollback, parallelism: 2, delay: 100ms";
    shop.write(&replicas("2", rollback));
    let failure = shop.fails("up", json!([]), quick());
    let hint = format!("`failure_action: rollback`: {}-web-", shop.project);
    assert!(failure.hints.iter().any(|found| found.starts_with(&hint)), "{failure:?}");
    assert_eq!((versions(&shop), shop.containers()), (vec!["1".into(); 3], THREE.map(Into::into).into()));
}

#[test]
fn failures_within_the_ratio_are_told_and_the_update_goes_on() {
    let Some(shop) = Shop::new(&replicas("1", "")) else { return };
    shop.up();
    shop.write(&replicas("2", ", max_failure_ratio: 0.7, parallelism: 0"));
    shop.call("up", json!([]), quick());
    let mut found = versions(&shop);
    found.sort();
    assert_eq!((found, shop.containers()), (vec!["1".into(), "1".into(), "2".into()], THREE.map(Into::into).into()));
    let said = shop.direct.lines().join("\n");
    assert_eq!(said.matches("within `max_failure_ratio`, so it goes on").count(), 2, "{said}");

    shop.write(&replicas("3", ", failure_action: continue"));
    shop.fails("up", json!([]), quick());
    assert!(!versions(&shop).contains(&"3".to_owned()), "the folder of the first is there already");
    assert_eq!(shop.containers(), THREE);
}

#[test]
fn whatever_a_killed_run_left_is_healed_by_the_next() {
    let Some(shop) = Shop::new(&web("1", START_FIRST)) else { return };
    shop.up();
    let first = shop.container("web");
    let name = first.name.clone();
    let engine = &shop.lab.engine;
    // Both names swapped and both running: the old one only had to end.
    shop.write(&web("2", START_FIRST));
    let copy = |name: String| {
        let mut spec = runbook::drivers::docker::ContainerSpec::from_inspect(&first).unwrap();
        spec.name = name;
        shop.lab.up(&spec)
    };
    copy(format!("{name}.runbook-previous"));
    copy(format!("{name}.runbook-next"));
    assert_eq!(shop.containers().len(), 3);
    assert_eq!(Shop::actions(&shop.call("up", json!([]), quick())), ["web recreated"]);
    assert_eq!(shop.containers(), ["web-1 running"]);

    // Between the two names: the old one serves under the name of what went.
    let serving = shop.container("web");
    shop.lab.run(engine.rename(&serving.id, &format!("{name}.runbook-previous"))).unwrap();
    copy(format!("{name}.runbook-next"));
    assert_eq!(Shop::actions(&shop.call("up", json!([]), quick())), ["web unchanged"]);
    assert_eq!(shop.containers(), ["web-1 running"]);
    assert_eq!(shop.container("web").id, serving.id);
}

#[test]
fn a_release_comes_back_beside_what_runs() {
    let Some(shop) = Shop::new(&web("1", START_FIRST)) else { return };
    shop.up();
    let before = shop.call("release", json!([]), json!({})).value;
    shop.write(&web("2", START_FIRST));
    shop.call("up", json!([]), quick());
    shop.call("up", json!([before]), quick());
    assert_eq!(shop.exec("web", &["cat", "/version"]), (0, "1\n".into()));
    assert_eq!(shop.containers(), ["web-1 running"]);
    let said = shop.direct.lines().join("\n");
    assert_eq!(said.matches("took over, the old one ends").count(), 2, "{said}");
}

#[test]
fn cancelled_while_both_serve_the_old_one_stays_alone() {
    let Some(shop) = Shop::new(&web("1", START_FIRST)) else { return };
    shop.up();
    let before = shop.container("web").id;
    shop.write(&web("2", START_FIRST));
    let cancel = shop.direct.cancel.clone();
    let failure = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !shop.direct.progress().iter().any(|said| said == "serving beside the old one") {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            cancel.cancel(runbook::primitive::CancelReason::Person);
        });
        shop.fails("up", json!([]), json!({ "wait": "20s", "settle": "60s" }))
    });
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:?}");
    assert_eq!(shop.containers(), ["web-1 running"]);
    assert_eq!(shop.container("web").id, before);
}
