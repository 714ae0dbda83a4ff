use runbook::primitive::FailureKind;
use serde_json::json;

use super::Bench;

#[test]
fn a_network_is_created_once_and_not_confused_with_another() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.name("edge");
    let create = |options| bench.call("create_network", json!([name]), options);
    let options = json!({ "internal": true, "labels": bench.lab.labels() });
    assert_eq!(create(options.clone()).unwrap().changed, Some(true));
    assert_eq!(create(options).unwrap().changed, Some(false));
    let other = create(json!({})).unwrap_err();
    assert_eq!(other.kind, FailureKind::Conflict);
    assert_eq!(other.message, format!("there is a network `{name}` already, with internal: true"));
    let other = create(json!({ "internal": true, "subnet": "10.99.0.0/24" })).unwrap_err();
    assert_eq!(other.kind, FailureKind::Conflict);

    let listed = bench.call("networks", json!([]), json!({ "labels": [bench.lab.label()] })).unwrap().value;
    assert_eq!(listed[0]["labels"]["dev.runbook.run"], "1");
    let remove = || bench.call("remove_network", json!([name]), json!({})).unwrap();
    assert_eq!((remove().changed, remove().changed), (Some(true), Some(false)));
}

#[test]
fn a_network_in_use_stays() {
    let Some(bench) = Bench::start() else { return };
    let network = bench.lab.network("used");
    let attachment = runbook::drivers::docker::NetworkAttachment { name: network.clone(), ..Default::default() };
    let spec = bench.lab.spec("inside", "sleep 600");
    bench.lab.up(&runbook::drivers::docker::ContainerSpec { networks: vec![attachment], ..spec });
    let failure = bench.call("remove_network", json!([network]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
}

#[test]
fn a_volume_is_created_once_and_stays_while_it_is_used() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.name("data");
    let create = |options| bench.call("create_volume", json!([name]), options);
    assert_eq!(create(json!({ "labels": bench.lab.labels() })).unwrap().changed, Some(true));
    assert_eq!(create(json!({})).unwrap().changed, Some(false));
    let other = create(json!({ "driver_options": { "type": "tmpfs", "device": "tmpfs" } })).unwrap_err();
    assert_eq!(other.kind, FailureKind::Conflict);
    let listed = bench.call("volumes", json!([]), json!({ "labels": [bench.lab.label()] })).unwrap().value;
    assert_eq!(listed[0]["name"], json!(name));

    let mount = runbook::drivers::docker::Mount { source: name.clone(), target: "/x".into(), ..Default::default() };
    let spec = bench.lab.spec("user", "sleep 600");
    let user = bench.lab.up(&runbook::drivers::docker::ContainerSpec { mounts: vec![mount], ..spec });
    let remove = || bench.call("remove_volume", json!([name]), json!({}));
    assert_eq!(remove().unwrap_err().kind, FailureKind::Conflict);
    bench.call("remove", json!([user]), json!({})).unwrap();
    assert_eq!((remove().unwrap().changed, remove().unwrap().changed), (Some(true), Some(false)));
}
