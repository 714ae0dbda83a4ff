//! What a plan says of a call before it is made, and what the call then did: the same, in both directions.

use jiff::Timestamp;
use runbook::drivers::docker::Reference;
use runbook::primitive::{Action, Change, Outcome, Prediction, unknown_of};
use serde_json::{Value, json};

use super::Shop;
use crate::harness::Registry;

const COMPOSE: &str = "
services:
  db:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    environment: { A: one }
    depends_on: [db]
    volumes: [ 'data:/data' ]
volumes: { data: }
";

/// The changes, each in a line: what the plan and the run are compared by.
fn lines(shop: &Shop, changes: &[Change]) -> Vec<String> {
    let lead = format!("{}-", shop.project);
    let under = format!("{}_", shop.project);
    let line = |change: &Change| {
        format!("{} {}", change.action.symbol(), change.what)
            .replace(&lead, "")
            .replace(&under, "")
            .replace(&shop.project, "shop")
    };
    let mut lines: Vec<String> = changes.iter().map(line).collect();
    lines.sort();
    lines
}

impl Shop {
    #[track_caller]
    fn predict(&self, method: &str, args: Value, options: Value) -> Prediction {
        let predicted = self.direct.predict(&format!("compose.{method}"), self.handle(json!({})), args, options);
        predicted.unwrap_or_else(|failure| panic!("{method}: {failure:?}"))
    }

    /// Predicts a call, makes it, and holds both against each other; returns the changes.
    #[track_caller]
    fn comes_true(&self, method: &str, args: Value, options: Value) -> (Vec<String>, Outcome) {
        let predicted = self.predict(method, args.clone(), options.clone());
        let outcome = self.call(method, args, options);
        assert_eq!(lines(self, &predicted.changes), lines(self, &outcome.changes), "{method}");
        // What an image is made of is known only then; what differs of a container is known before.
        let details = |changes: &[Change]| -> Vec<Vec<String>> {
            let containers = changes.iter().filter(|change| change.what.starts_with("container "));
            containers.map(|change| change.detail.clone()).collect()
        };
        assert_eq!(details(&predicted.changes), details(&outcome.changes), "{method}");
        agrees(&predicted.value, &outcome.value);
        (lines(self, &outcome.changes), outcome)
    }
}

/// Everything that was known beforehand is as it was said.
#[track_caller]
fn agrees(predicted: &Value, value: &Value) {
    match (predicted, value) {
        _ if unknown_of(predicted).is_some() => {}
        (Value::Object(predicted), Value::Object(value)) => {
            assert_eq!(predicted.keys().collect::<Vec<_>>(), value.keys().collect::<Vec<_>>());
            predicted.iter().for_each(|(key, predicted)| agrees(predicted, &value[key]));
        }
        (Value::Array(predicted), Value::Array(value)) => {
            assert_eq!(predicted.len(), value.len());
            predicted.iter().zip(value).for_each(|(predicted, value)| agrees(predicted, value));
        }
        _ => assert_eq!(predicted, value),
    }
}

fn quick() -> Value {
    json!({ "wait": "30s" })
}

#[test]
fn bringing_up_comes_true() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let (first, outcome) = shop.comes_true("up", json!([]), quick());
    assert_eq!(first, ["+ container api-1", "+ container db-1", "+ network default", "+ volume data"]);
    assert_eq!(outcome.value["changed"], true);
    let (nothing, outcome) = shop.comes_true("up", json!([]), quick());
    assert_eq!((nothing, &outcome.value["changed"]), (vec![], &json!(false)));

    shop.write(&COMPOSE.replace("A: one", "A: two"));
    let (environment, outcome) = shop.comes_true("up", json!([]), quick());
    assert_eq!(environment, ["± container api-1"]);
    assert_eq!(outcome.changes[0].detail, ["environment.A: one → two"]);

    let image = shop.lab.image("api", "2", "");
    let with_image = COMPOSE.replace("api:\n    image: BASE", &format!("api:\n    image: {image}"));
    shop.write(&with_image);
    let (replaced, outcome) = shop.comes_true("up", json!([]), quick());
    assert_eq!(replaced, ["± container api-1"]);
    assert_eq!(outcome.changes[0].detail[0], format!("image: runbook-test/busybox:1 → {image}"));

    let scaled = with_image.replace("db:\n    image: BASE", "db:\n    image: BASE\n    scale: 3");
    shop.write(&scaled);
    assert_eq!(shop.comes_true("up", json!([]), quick()).0, ["+ container db-2", "+ container db-3"]);
    shop.write(&with_image);
    assert_eq!(shop.comes_true("up", json!([]), quick()).0, ["- container db-2", "- container db-3"]);

    let more = with_image
        .replace("volumes: [ 'data:/data' ]", "volumes: [ 'more:/data' ]\n    networks: [other]")
        .replace("volumes: { data: }", "volumes: { data: , more: }\nnetworks: { other: }");
    shop.write(&more);
    assert_eq!(shop.comes_true("up", json!([]), quick()).0, ["+ network other", "+ volume more", "± container api-1"]);

    shop.write(more.split("  api:").next().unwrap());
    assert_eq!(shop.comes_true("up", json!([]), quick()).0, Vec::<String>::new());
    let orphan = json!({ "wait": "30s", "remove_orphans": true });
    assert_eq!(shop.comes_true("up", json!([]), orphan).0, ["- container api-1"]);
    assert_eq!(
        shop.comes_true("down", json!([]), json!({ "volumes": true })).0,
        ["- container db-1", "- network default", "- network other", "- volume data", "- volume more"]
    );
    assert_eq!(shop.comes_true("down", json!([]), json!({})).0, Vec::<String>::new());
}

#[test]
fn bringing_a_release_back_comes_true() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let before = shop.call("release", json!([]), json!({})).value;
    assert_eq!(shop.comes_true("up", json!([before]), quick()).0, Vec::<String>::new());
    shop.write(
        &COMPOSE
            .replace("A: one", "A: two")
            .replace("volumes: { data: }", "  new: { image: BASE, command: sleep 600 }\nvolumes: { data: }"),
    );
    shop.up();
    let (back, _) = shop.comes_true("up", json!([before]), quick());
    assert_eq!(back, ["- container new-1", "± container api-1"]);
    shop.call("down", json!([]), json!({ "volumes": true, "remove_orphans": true }));
    let (all, _) = shop.comes_true("up", json!([before]), quick());
    assert_eq!(all, ["+ container api-1", "+ container db-1", "+ network default", "+ volume data"]);
}

#[test]
fn starting_stopping_and_commands_come_true() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let migration = json!(["api", ["sh", "-c", "echo x > /data/n"]]);
    assert_eq!(
        shop.comes_true("run", migration.clone(), json!({})).0,
        [
            "+ container db-1",
            "+ network default",
            "+ volume data",
            "> `sh -c echo x > /data/n` in a container of api of shop"
        ]
    );
    assert_eq!(shop.comes_true("run", migration, json!({})).0.len(), 1);
    assert_eq!(shop.comes_true("up", json!([]), quick()).0, ["+ container api-1"]);
    assert_eq!(shop.comes_true("exec", json!(["api", ["true"]]), json!({})).0, ["> `true` in api of shop"]);
    assert_eq!(shop.comes_true("stop", json!(["api"]), json!({})).0, ["~ container api-1"]);
    assert_eq!(shop.comes_true("stop", json!(["api"]), json!({})).0, Vec::<String>::new());
    assert_eq!(shop.comes_true("start", json!([]), json!({})).0, ["~ container api-1"]);
    assert_eq!(shop.comes_true("restart", json!([]), json!({})).0, ["~ container api-1", "~ container db-1"]);
}

#[test]
fn a_prediction_builds_on_those_before_it() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let plan = |method: &str, args: Value, options: Value| {
        let predicted = shop.predict(method, args, options);
        if !predicted.changes.is_empty() {
            shop.direct.plan(&predicted.changes);
        }
        (lines(&shop, &predicted.changes), predicted.value)
    };
    let migrated = plan("run", json!(["api", ["migrate"]]), json!({})).0;
    assert_eq!(migrated.len(), 4, "{migrated:?}");
    assert_eq!(plan("up", json!([]), quick()).0, ["+ container api-1"]);
    let seen = plan("ps", json!([]), json!({})).1;
    let states: Vec<&Value> = seen.as_array().unwrap().iter().map(|container| &container["state"]).collect();
    assert_eq!(states, ["running", "running"]);
    assert_eq!(plan("stop", json!(["db"]), json!({})).0, ["~ container db-1"]);
    assert_eq!(plan("running_is", json!([{ "$kind": "release" }]), json!({})).1, true);
    let down = plan("down", json!([]), json!({ "volumes": true })).0;
    assert_eq!(down, ["- container api-1", "- container db-1", "- network default", "- volume data"]);
    assert_eq!(plan("up", json!([]), quick()).0.len(), 4);
    shop.direct.plan(&[]);
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn a_plan_changes_nothing_on_the_engine() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let before = shop.call("release", json!([]), json!({})).value;
    shop.write(&COMPOSE.replace("A: one", "A: two").replace("volumes: { data: }", "volumes: { data: , more: }"));
    let since = Timestamp::now();
    for (method, args) in [
        ("up", json!([])),
        ("up", json!([before])),
        ("run", json!(["api", ["true"]])),
        ("exec", json!(["api", ["true"]])),
        ("restart", json!([])),
        ("stop", json!([])),
        ("down", json!([])),
        ("build", json!([])),
        ("ps", json!([])),
    ] {
        shop.predict(method, args, json!({}));
    }
    // Looking is what a plan does for real.
    shop.call("release", json!([]), json!({}));
    shop.call("ps", json!([]), json!({}));
    let label = format!("com.docker.compose.project={}", shop.project);
    let events = shop.lab.run(shop.lab.engine.events_since(since, &[label])).unwrap();
    assert!(events.is_empty(), "{events:?}");
}

#[test]
fn a_build_is_conditional_and_so_is_what_follows_from_it() {
    let Some(shop) = Shop::new("services: { api: { build: ., command: sleep 600, stop_grace_period: 0s } }") else {
        return;
    };
    shop.direct.write("Dockerfile", &format!("{}\nENV A=1\n", shop.lab.from()));
    let first = shop.predict("build", json!([]), json!({}));
    shop.direct.plan(&first.changes);
    assert_eq!(lines(&shop, &first.changes), ["+ image api:latest"]);
    assert_eq!(
        lines(&shop, &shop.predict("up", json!([]), quick()).changes),
        ["+ container api-1", "+ network default"]
    );
    shop.direct.plan(&[]);
    assert_eq!(shop.comes_true("build", json!([]), json!({})).0, ["+ image api:latest"]);
    shop.up();

    let second = shop.predict("build", json!([]), json!({}));
    shop.direct.plan(&second.changes);
    let third = shop.predict("up", json!([]), quick());
    let condition = format!("building gives another image {}-api:latest", shop.project);
    for changes in [&second.changes, &third.changes] {
        assert_eq!(changes[0].condition.as_deref(), Some(&*condition), "{changes:?}");
    }
    assert_eq!(unknown_of(&third.value["changed"]), Some(&*format!("whether {condition}")));
    shop.direct.plan(&[]);
    assert_eq!(shop.call("build", json!([]), json!({})).changes, []);
}

#[test]
fn a_pull_is_foreseen_by_its_digest() {
    let Some(registry) = Registry::start() else { return };
    let Some(shop) = Shop::new("") else { return };
    let image = format!("{}/{}:1", registry.address, shop.lab.name("app"));
    let folder = tempfile::tempdir().unwrap();
    let publish = |version: &str| {
        shop.lab.image_from(folder.path(), &image, &format!("ENV VERSION={version}"));
        let reference = Reference::parse(&image).unwrap();
        shop.lab.run(shop.lab.engine.push(&reference, Some(&registry.login), &mut |_| {})).unwrap();
    };
    let login = json!({ "login": { "username": registry.login.username, "password": registry.login.password } });
    publish("1");
    shop.write(&format!("services: {{ api: {{ image: '{image}', command: sleep 600, stop_grace_period: 0s }} }}"));
    assert_eq!(shop.comes_true("pull", json!([]), login.clone()).0, Vec::<String>::new());
    shop.up();
    publish("2");
    shop.lab.run(shop.lab.engine.tag(&shop.container("api").image_id, &Reference::parse(&image).unwrap())).unwrap();
    let pulled = shop.predict("pull", json!([]), login.clone());
    assert_eq!(pulled.value["changed"], true);
    shop.direct.plan(&pulled.changes);
    let mut options = quick();
    options["login"] = login["login"].clone();
    let up = shop.predict("up", json!([]), options);
    shop.direct.plan(&[]);
    let outcome = shop.call("pull", json!([]), login);
    assert_eq!(lines(&shop, &pulled.changes), lines(&shop, &outcome.changes));
    assert_eq!(outcome.changes.len(), 1);
    agrees(&pulled.value, &outcome.value);
    let outcome = shop.up();
    assert_eq!(
        (lines(&shop, &up.changes), vec!["± container api-1".to_owned()]),
        (lines(&shop, &outcome.changes), lines(&shop, &outcome.changes))
    );
    assert_eq!((&up.value["changed"], &up.value["services"]["api"]["action"]), (&json!(true), &json!("recreated")));
}

#[test]
fn what_describes_an_application_may_be_written_first() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let written = Change::new(Action::Update, "file compose.yaml");
    shop.direct.plan(&[written]);
    let predicted = shop.predict("up", json!([]), quick());
    assert!(unknown_of(&predicted.value).is_some(), "{}", predicted.value);
}
