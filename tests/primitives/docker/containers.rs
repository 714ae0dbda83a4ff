use std::time::{Duration, Instant};

use runbook::drivers::docker::{ContainerSpec, HealthCheck};
use runbook::primitive::FailureKind;
use serde_json::json;

use super::Bench;

#[test]
fn starting_and_stopping_twice_changes_once() {
    let Some(bench) = Bench::start() else { return };
    let spec = bench.lab.spec("app", "sleep 600");
    bench.lab.run(bench.lab.engine.create(&spec)).unwrap();
    let changed = |method: &str, options| bench.call(method, json!([spec.name]), options).unwrap().changed;
    assert_eq!(changed("start", json!({})), Some(true));
    assert_eq!(changed("start", json!({})), Some(false));
    assert_eq!(changed("restart", json!({ "grace": "1s" })), Some(true));
    assert_eq!(changed("stop", json!({ "grace": "1s" })), Some(true));
    assert_eq!(changed("stop", json!({})), Some(false));
    assert_eq!(changed("remove", json!({})), Some(true));
    assert_eq!(changed("remove", json!({})), Some(false));
    assert_eq!(bench.call("start", json!([spec.name]), json!({})).unwrap_err().kind, FailureKind::NotFound);
    assert_eq!(bench.call("stop", json!([spec.name]), json!({})).unwrap_err().kind, FailureKind::NotFound);
    assert_eq!(bench.call("restart", json!([spec.name]), json!({})).unwrap_err().kind, FailureKind::NotFound);
}

#[test]
fn inspecting_shows_no_passwords_unasked() {
    let Some(bench) = Bench::start() else { return };
    let spec = bench.lab.spec("app", "sleep 600");
    let name = bench.lab.up(&ContainerSpec { env: vec!["PASSWORD=hunter2".into()], ..spec });
    let shown = bench.call("inspect", json!([name]), json!({})).unwrap().value;
    assert_eq!((shown["name"].as_str(), shown["state"].as_str()), (Some(name.as_str()), Some("running")));
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    let asked = bench.call("inspect", json!([name]), json!({ "env": true, "raw": true })).unwrap().value;
    assert!(asked["env"].to_string().contains("PASSWORD=hunter2") && asked["raw"]["Id"].is_string());
    let missing = bench.call("inspect", json!(["no-such-container"]), json!({})).unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound);
    assert_eq!(missing.message, "cannot inspect `no-such-container`: No such container: no-such-container");
}

#[test]
fn containers_are_listed_by_label() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("up", "sleep 600");
    bench.lab.run(bench.lab.engine.create(&bench.lab.spec("made", "true"))).unwrap();
    let names = |options| {
        let found = bench.call("containers", json!([]), options).unwrap().value;
        found.as_array().unwrap().iter().map(|found| found["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({ "labels": [bench.lab.label()] })), [bench.lab.name("made"), name.clone()]);
    assert_eq!(names(json!({ "labels": [bench.lab.label()], "running": true })), [name]);
}

#[test]
fn a_name_is_given_once() {
    let Some(bench) = Bench::start() else { return };
    let (old, new) = (bench.lab.script("old", "sleep 600"), bench.lab.name("new"));
    assert_eq!(bench.call("rename", json!([old, new]), json!({})).unwrap().changed, Some(true));
    assert_eq!(bench.call("rename", json!([new, new]), json!({})).unwrap().changed, Some(false));
    bench.lab.script("old", "sleep 600");
    let failure = bench.call("rename", json!([old, new]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
}

#[test]
fn a_health_wait_says_who_saw_it() {
    let Some(bench) = Bench::start() else { return };
    let plain = bench.lab.script("plain", "sleep 600");
    let outcome = bench.call("wait_healthy", json!([plain]), json!({ "settle": "200ms" })).unwrap();
    assert_eq!(outcome.value, json!({ "name": plain, "by": "running" }));
    assert_eq!(outcome.changed, None);
    let gone = bench.lab.script("gone", "echo bye; exit 2");
    let failure = bench.call("wait_healthy", json!([gone]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(failure.evidence.last().unwrap().text, "bye");
}

#[test]
fn a_cancelled_health_wait_ends_at_once() {
    let Some(bench) = Bench::start() else { return };
    let check = HealthCheck { test: vec!["CMD".into(), "sleep".into(), "600".into()], ..HealthCheck::default() };
    let name = bench.lab.up(&ContainerSpec { healthcheck: Some(check), ..bench.lab.spec("mute", "sleep 500") });
    bench.direct.cancel_after(Duration::from_millis(700));
    let begun = Instant::now();
    let failure = bench.call("wait_healthy", json!([name]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_millis(2_700), "{:?}", begun.elapsed());
    assert!(!bench.lab.exec(&name, &["ps", "-o", "args"]).1.contains("sleep 600"), "the probe was left running");
}

#[test]
fn a_log_is_followed_to_the_line_waited_for() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("log", "echo one; sleep 0.3; echo listening on 80; echo three; sleep 600");
    let logs = |options| bench.call("logs", json!([name]), options);
    let until = logs(json!({ "wait_for": "listening on" })).unwrap();
    assert_eq!(until.value, json!("one\nlistening on 80"));
    bench.lab.wait_for_line(&name, "three");
    assert_eq!(logs(json!({})).unwrap().value, json!("one\nlistening on 80\nthree"));
    assert_eq!(logs(json!({ "tail": 1 })).unwrap().value, json!("three"));
    assert_eq!(logs(json!({ "since": "1h", "tail": 2 })).unwrap().value, json!("listening on 80\nthree"));

    let failure = logs(json!({ "wait_for": "never", "timeout": "500ms" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.evidence.iter().any(|item| item.text.ends_with("three")), "{failure:?}");
    let ended = bench.lab.script("ended", "echo no");
    let failure = bench.call("logs", json!([ended]), json!({ "wait_for": "yes" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check, "{failure:?}");
    assert_eq!(failure.message, format!("container `{ended}` ended without printing `yes`"));
    let missing = bench.call("logs", json!(["no-such-container"]), json!({})).unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound);
}

#[test]
fn files_travel_both_ways() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("files", "sleep 600");
    bench.direct.write("conf/a.txt", "a").write("conf/sub/b.txt", "b");
    bench.call("copy_in", json!([name, "conf", "/tmp/"]), json!({})).unwrap();
    bench.call("copy_in", json!([name, "conf/a.txt", "/tmp/renamed.txt"]), json!({})).unwrap();
    bench.call("copy_in", json!([name, "conf/a.txt", "/root"]), json!({})).unwrap();
    let listed = bench.lab.exec(&name, &["cat", "/tmp/conf/sub/b.txt", "/tmp/renamed.txt", "/root/a.txt"]);
    assert_eq!(listed, (0, "baa\n".into()));

    let whole = bench.call("copy_out", json!([name, "/tmp/conf", "back"]), json!({})).unwrap();
    assert_eq!(whole.value, json!(bench.direct.path().join("back")));
    assert_eq!(std::fs::read_to_string(bench.direct.path().join("back/sub/b.txt")).unwrap(), "b");
    bench.call("copy_out", json!([name, "/tmp/renamed.txt", "back"]), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(bench.direct.path().join("back/renamed.txt")).unwrap(), "a");
    let hidden: Vec<_> = std::fs::read_dir(bench.direct.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!hidden.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{hidden:?}");
}

#[test]
fn a_copy_that_cannot_be_made_leaves_nothing() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("files", "mkdir /tmp/conf; sleep 600");
    let failure = |method, args| bench.call(method, args, json!({})).unwrap_err();
    let missing = failure("copy_in", json!([name, "no-such-file", "/tmp/"]));
    assert_eq!(missing.kind, FailureKind::NotFound, "{missing:?}");
    bench.direct.write("a.txt", "a");
    let nowhere = failure("copy_in", json!([name, "a.txt", "/no/such/folder/"]));
    assert_eq!(nowhere.kind, FailureKind::NotFound, "{nowhere:?}");
    let nothing = failure("copy_out", json!([name, "/no/such/file", "b.txt"]));
    assert_eq!(nothing.kind, FailureKind::NotFound, "{nothing:?}");
    std::fs::create_dir_all(bench.direct.path().join("there/conf")).unwrap();
    let taken = failure("copy_out", json!([name, "/tmp/conf", "there"]));
    assert_eq!(taken.kind, FailureKind::Conflict, "{taken:?}");
    let mut left: Vec<_> = std::fs::read_dir(bench.direct.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.txt", "there"]);
}
