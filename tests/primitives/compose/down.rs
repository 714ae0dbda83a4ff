use serde_json::json;

use super::Shop;

const COMPOSE: &str = "
services:
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    volumes: [ 'data:/data' ]
volumes: { data: }
";

#[test]
fn down_keeps_the_volumes_unless_they_are_asked_for() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let volume = format!("{}_data", shop.project);
    let outcome = shop.call("down", json!([]), json!({}));
    assert_eq!(outcome.note.as_deref(), Some("1 container, 1 network removed"));
    assert_eq!(outcome.changed, Some(true));
    assert!(shop.lab.run(shop.lab.engine.volume(&volume)).unwrap().is_some());

    let outcome = shop.call("down", json!([]), json!({ "volumes": true }));
    assert_eq!(outcome.value["volumes"], json!([volume]));
    assert!(shop.lab.run(shop.lab.engine.volume(&volume)).unwrap().is_none());

    let outcome = shop.call("down", json!([]), json!({ "volumes": true }));
    assert_eq!((outcome.changed, outcome.note.as_deref()), (Some(false), Some("nothing was there")));
}

#[test]
fn anonymous_volumes_hold_data_too() {
    let compose = |colour: &str| {
        COMPOSE
            .replace("'data:/data'", "/cache")
            .replace("volumes: { data: }", "")
            .replace("command:", &format!("environment: {{ COLOUR: {colour} }}\n    command:"))
    };
    let Some(shop) = Shop::new(&compose("blue")) else { return };
    let volume = || shop.container("api").mounts[0].name.clone();
    let exists = |name: &str| shop.lab.run(shop.lab.engine.volume(name)).unwrap().is_some();
    shop.up();
    let first = volume();
    shop.call("down", json!([]), json!({}));
    assert!(exists(&first), "nobody asked for its removal");
    shop.lab.run(shop.lab.engine.remove_volume(&first)).unwrap();
    shop.up();
    let second = volume();
    // It moves on to another container, and is known to the engine by its name from then on.
    shop.write(&compose("green"));
    shop.up();
    assert_eq!(volume(), second);
    let outcome = shop.call("down", json!([]), json!({ "volumes": true }));
    assert_eq!(outcome.value["volumes"], json!([second]));
    assert!(!exists(&second));
}

#[test]
fn stop_start_and_restart_keep_the_containers() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let id = shop.container("api").id;
    assert_eq!(shop.call("stop", json!(["api"]), json!({})).note.as_deref(), Some("1 stopped"));
    assert_eq!(shop.call("stop", json!([]), json!({})).changed, Some(false));
    assert_eq!(shop.containers(), ["api-1 exited"]);
    assert_eq!(shop.call("start", json!([["api"]]), json!({})).note.as_deref(), Some("1 started"));
    assert_eq!(shop.call("start", json!([]), json!({})).changed, Some(false));
    let started = shop.container("api").started;
    assert_eq!(shop.call("restart", json!(["api"]), json!({})).note.as_deref(), Some("1 restarted"));
    assert_ne!(shop.container("api").started, started);
    assert_eq!(shop.container("api").id, id);
    let failure = shop.fails("restart", json!(["apu"]), json!({}));
    assert_eq!(failure.message, "there is no service `apu` in `compose.yaml`");
}
