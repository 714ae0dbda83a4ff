use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::Shop;
use super::images::Remote;

fn version(version: &str) -> String {
    format!(
        "services:\n  api:\n    image: BASE\n    command: sleep 600\n    stop_grace_period: 0s\n    environment: {{ VERSION: '{version}' }}\n    volumes: ['data:/data']\nvolumes: {{ data: {{}} }}\n"
    )
}

#[test]
fn the_tag_moves_and_the_release_brings_the_old_digest_back() {
    let Some(remote) = Remote::start() else { return };
    let shop = &remote.shop;
    let login = json!({ "login": remote.login() });
    let old = remote.publish("one");
    shop.call("up", json!([]), login.clone());
    let before = shop.call("release", json!([]), Value::Null);
    let recorded = format!("{}@{old}", remote.image);
    assert_eq!(before.value["services"]["api"]["digest"], recorded);
    assert_eq!(before.note.as_deref(), Some("1 service"));
    assert_eq!(before.changed, None);

    let new = remote.publish("two");
    assert_ne!(new, old);
    shop.call("pull", json!([]), login.clone());
    shop.call("up", json!([]), login.clone());
    assert_eq!(shop.exec("api", &["cat", "/version"]), (0, "two\n".into()));
    let failure = shop.fails("running_is", json!([before.value]), json!({}));
    assert_eq!(failure.kind, FailureKind::Check);
    assert_eq!(shop.call("running_is", json!([before.value]), json!({ "check": false })).value, false);

    let back = shop.call("up", json!([before.value]), json!({ "wait": "30s" }));
    assert_eq!(Shop::actions(&back), ["api recreated"]);
    assert_eq!(shop.exec("api", &["cat", "/version"]), (0, "one\n".into()));
    assert_eq!(shop.container("api").image, recorded, "`docker ps` shows the digest");
    assert_eq!(shop.call("running_is", json!([before.value]), json!({})).value, true);
    let again = shop.call("up", json!([before.value]), json!({}));
    assert_eq!((again.changed, again.note.as_deref()), (Some(false), Some("1 unchanged, verified by digest")));
}

#[test]
fn an_image_that_was_pruned_is_pulled_again_by_its_digest() {
    let Some(remote) = Remote::start() else { return };
    let shop = &remote.shop;
    let login = json!({ "login": remote.login() });
    remote.publish("one");
    shop.call("up", json!([]), login.clone());
    let before = shop.call("release", json!([]), Value::Null).value;
    remote.publish("two");
    shop.call("pull", json!([]), login.clone());
    shop.call("up", json!([]), login.clone());
    let id = before["services"]["api"]["image_id"].as_str().unwrap();
    let names = shop.lab.run(shop.lab.engine.image(id)).unwrap().unwrap().tags;
    assert!(names.iter().all(|name| name.starts_with("runbook/")) && names.len() == 1, "{names:?}");
    shop.lab.run(shop.lab.engine.remove_image(id, true)).unwrap();
    let back = shop.call("up", json!([before]), login);
    assert_eq!(back.note.as_deref(), Some("1 recreated, verified by digest"));
    assert_eq!(shop.exec("api", &["cat", "/version"]), (0, "one\n".into()));
}

#[test]
fn an_image_that_is_gone_for_good_is_told_before_anything_stops() {
    let Some(shop) = Shop::new("services: {}\n") else { return };
    let compose =
        |image: &str| format!("services:\n  api: {{ image: '{image}', command: sleep 600, stop_grace_period: 0s }}\n");
    let one = shop.lab.image("app", "1", "RUN echo one > /version");
    let two = shop.lab.image("app", "2", "RUN echo two > /version");
    shop.write(&compose(&one));
    shop.up();
    let before = shop.call("release", json!([]), Value::Null).value;
    shop.write(&compose(&two));
    shop.up();
    shop.lab.run(shop.lab.engine.remove_image(before["services"]["api"]["image_id"].as_str().unwrap(), true)).unwrap();
    let failure = shop.fails("up", json!([before]), json!({}));
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.message.starts_with("service `api`: its recorded image sha256:"), "{failure:?}");
    assert_eq!(shop.exec("api", &["cat", "/version"]), (0, "two\n".into()));
}

#[test]
fn a_release_brings_configuration_back_and_takes_what_came_later_away() {
    let Some(shop) = Shop::new(&version("1")) else { return };
    shop.up();
    shop.exec("api", &["sh", "-c", "echo kept > /data/x"]);
    let before = shop.call("release", json!([]), Value::Null).value;
    shop.write(
        &version("2")
            .replace("services:\n", "services:\n  extra: { image: BASE, command: sleep 600, stop_grace_period: 0s }\n"),
    );
    shop.up();
    // The way back does not ask files that may be what is wrong.
    shop.direct.write("compose.yaml", "services: [\n");
    let back = shop.call("up", json!([before]), json!({ "wait": "30s" }));
    assert_eq!(Shop::actions(&back), ["api recreated", "extra removed"]);
    assert_eq!(shop.exec("api", &["sh", "-c", "echo $VERSION; cat /data/x"]), (0, "1\nkept\n".into()));
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn after_a_failed_gate_the_very_container_from_before_comes_back() {
    let Some(shop) = Shop::new(&version("1")) else { return };
    shop.up();
    shop.exec("api", &["sh", "-c", "echo written > /not-in-a-volume"]);
    let (id, before) = (shop.container("api").id, shop.call("release", json!([]), Value::Null).value);
    shop.write(&version("2").replace("sleep 600", "'false'"));
    shop.fails("up", json!([]), json!({ "wait": "10s" }));
    shop.call("up", json!([before]), json!({ "wait": "30s" }));
    assert_eq!(shop.container("api").id, id);
    assert_eq!(shop.exec("api", &["cat", "/not-in-a-volume"]), (0, "written\n".into()));
    assert_eq!(shop.containers(), ["api-1 running"]);
}

#[test]
fn going_back_to_nothing_removes_what_a_first_deployment_left() {
    let Some(shop) = Shop::new(&version("1")) else { return };
    let before = shop.call("release", json!([]), Value::Null);
    assert_eq!(before.note.as_deref(), Some("nothing runs"));
    shop.up();
    let back = shop.call("up", json!([before.value]), json!({}));
    assert_eq!(back.note.as_deref(), Some("1 removed"));
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn releases_are_recorded_and_going_back_twice_goes_back_twice() {
    let Some(shop) = Shop::new(&version("1")) else { return };
    let failure = shop.fails("last_good", json!([]), Value::Null);
    assert_eq!(failure.message, format!("`{}` has no good release to go back to", shop.project));
    for number in ["1", "2", "3"] {
        shop.write(&version(number));
        shop.up();
    }
    // The same again is no new release.
    shop.up();
    let numbers = || -> Vec<i64> {
        let releases = shop.call("releases", json!([]), Value::Null).value;
        releases.as_array().unwrap().iter().map(|release| release["number"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(), [3, 2, 1]);
    let runs = || shop.exec("api", &["sh", "-c", "echo $VERSION"]).1;

    let good = shop.call("last_good", json!([]), Value::Null);
    assert_eq!(good.note.as_deref(), Some("release 2 of run 1"));
    shop.call("up", json!([good.value]), json!({}));
    assert_eq!((runs().as_str(), numbers()), ("2\n", vec![4, 3, 2, 1]));
    let good = shop.call("last_good", json!([]), Value::Null);
    assert_eq!(good.value["number"], 1);
    shop.call("up", json!([good.value]), json!({}));
    assert_eq!(runs(), "1\n");
    shop.fails("last_good", json!([]), Value::Null);

    let third = shop.call("release", json!([3]), Value::Null);
    shop.call("up", json!([third.value]), json!({}));
    assert_eq!(runs(), "3\n");
    let failure = shop.fails("release", json!([99]), Value::Null);
    assert_eq!(failure.message, format!("`{}` has no release 99 in environment `test`", shop.project));
}

#[test]
fn a_release_of_another_project_is_refused() {
    let Some(shop) = Shop::new(&version("1")) else { return };
    let other = json!({ "$kind": "release", "project": "other" });
    let failure = shop.fails("up", json!([other]), json!({}));
    assert_eq!(failure.message, format!("this is a release of `other`, not of `{}`", shop.project));
}

#[test]
fn a_job_that_was_done_is_not_done_again_by_going_back() {
    let compose = |version: &str| {
        format!(
            "
services:
  migrate:
    image: BASE
    command: sh -c 'echo run {version} >> /shared/log'
    volumes: [ 'shared:/shared' ]
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    environment: {{ VERSION: '{version}' }}
    depends_on: {{ migrate: {{ condition: service_completed_successfully }} }}
    volumes: [ 'shared:/shared' ]
volumes: {{ shared: }}
"
        )
    };
    let Some(shop) = Shop::new(&compose("1")) else { return };
    shop.up();
    let before = shop.call("release", json!([]), Value::Null).value;
    shop.write(&compose("2"));
    shop.up();
    shop.call("up", json!([before]), json!({ "wait": "30s" }));
    assert_eq!(shop.exec("api", &["sh", "-c", "echo $VERSION; cat /shared/log"]), (0, "1\nrun 1\nrun 2\n".into()));
}
