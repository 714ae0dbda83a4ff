use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::Bench;
use crate::harness::Registry;

fn login(registry: &Registry) -> Value {
    json!({ "login": { "username": registry.login.username, "password": registry.login.password } })
}

#[test]
fn a_tag_that_moves_is_pulled_and_the_old_digest_comes_back() {
    let (Some(bench), Some(registry)) = (Bench::start(), Registry::start()) else { return };
    let app = registry.reference("shop/app:live");
    let folder = tempfile::tempdir().unwrap();
    let publish = |version: &str| {
        bench.lab.image_from(folder.path(), &app, &format!("RUN echo {version} > /version"));
        bench.call("push", json!([app]), login(&registry)).unwrap()
    };
    let first = publish("1");
    assert_eq!(first.changed, Some(true));
    let again = bench.call("push", json!([app]), login(&registry)).unwrap();
    assert_eq!((again.changed, &again.value["digest"]), (Some(false), &first.value["digest"]));
    let second = publish("2");
    assert_ne!(first.value["digest"], second.value["digest"]);

    let pull = |image: &str| bench.call("pull", json!([image]), login(&registry)).unwrap();
    assert_eq!((pull(&app).changed, pull(&app).note.as_deref()), (Some(false), Some("up to date")));
    let by_digest = format!("{}@{}", registry.reference("shop/app"), first.value["digest"].as_str().unwrap());
    let id = bench.call("image", json!([by_digest]), json!({})).unwrap().value["id"].clone();
    bench.call("remove_image", json!([id]), json!({ "force": true })).unwrap();
    let old = pull(&by_digest);
    assert_eq!((old.changed, &old.value["digest"], &old.value["id"]), (Some(true), &first.value["digest"], &id));
    let ran = bench.call("run", json!([by_digest, ["cat", "/version"]]), json!({})).unwrap();
    assert_eq!(ran.value["stdout"], "1");
    assert!(bench.direct.progress().iter().any(|doing| doing.starts_with("status: ")), "{:?}", bench.direct.progress());
}

#[test]
fn a_refused_login_says_so() {
    let (Some(bench), Some(registry)) = (Bench::start(), Registry::start()) else { return };
    let app = registry.reference("app:1");
    let folder = tempfile::tempdir().unwrap();
    bench.lab.image_from(folder.path(), &app, "");
    let wrong = json!({ "login": { "username": "deployer", "password": "wrong" } });
    for method in ["push", "pull"] {
        let failure = bench.call(method, json!([app]), wrong.clone()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure:?}");
        let failure = bench.call(method, json!([app]), json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure:?}");
    }
    for (given, message) in [
        (json!({ "username": "deployer" }), "option `login` lacks `password`"),
        (
            json!({ "username": "a", "password": "b", "host": "c" }),
            "option `login` has no `host`, only username and password",
        ),
    ] {
        let failure = bench.call("pull", json!([app]), json!({ "login": given })).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Option, message));
    }
}

#[test]
fn the_project_file_knows_the_login() {
    // A variable that is set in every test, whatever its value.
    let password = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let (Some(bench), Some(registry)) = (Bench::start(), Registry::with_password(&password)) else { return };
    let address = &registry.address;
    let entry =
        |variable: &str| format!("[registry.\"{address}\"]\nusername = \"deployer\"\npassword_env = \"{variable}\"\n");
    let app = registry.reference("app:1");
    let folder = tempfile::tempdir().unwrap();
    bench.lab.image_from(folder.path(), &app, "");
    bench.direct.write("runbook.toml", &entry("CARGO_MANIFEST_DIR"));
    assert_eq!(bench.call("push", json!([app]), json!({})).unwrap().changed, Some(true));
    assert_eq!(bench.call("pull", json!([app]), json!({})).unwrap().changed, Some(false));

    bench.direct.write("runbook.toml", &entry("NO_SUCH_VARIABLE"));
    let failure = bench.call("pull", json!([app]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert_eq!(
        failure.message,
        format!("no password for the registry `{address}`: the environment variable `NO_SUCH_VARIABLE` is not set")
    );
}

#[test]
fn a_registry_that_is_down_or_lacks_the_image_is_told_apart() {
    let (Some(bench), Some(mut registry)) = (Bench::start(), Registry::start()) else { return };
    let missing = bench.call("pull", json!([registry.reference("none:1")]), login(&registry)).unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound, "{missing:?}");
    let unknown = bench.call("push", json!([registry.reference("none:1")]), login(&registry)).unwrap_err();
    assert_eq!(unknown.kind, FailureKind::NotFound, "{unknown:?}");
    registry.stop();
    let down = bench.call("pull", json!([registry.reference("app:1")]), login(&registry)).unwrap_err();
    assert_eq!(down.kind, FailureKind::Unreachable, "{down:?}");
    let malformed = bench.call("pull", json!(["not a name"]), json!({})).unwrap_err();
    assert_eq!(malformed.kind, FailureKind::Argument);
}

#[test]
fn a_cancelled_pull_ends_at_once() {
    let Some(bench) = Bench::start() else { return };
    // Accepts and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let image = format!("{}/app:1", listener.local_addr().unwrap());
    bench.direct.cancel_after(Duration::from_millis(300));
    let begun = Instant::now();
    let failure = bench.call("pull", json!([image]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_millis(2_300), "{:?}", begun.elapsed());
}
