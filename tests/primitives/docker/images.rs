use runbook::primitive::FailureKind;
use serde_json::json;

use super::Bench;

#[test]
fn building_the_same_twice_changes_once() {
    let Some(bench) = Bench::start() else { return };
    bench.direct.write("api/Dockerfile", &format!("{}\nARG V\nRUN echo $V > /version\n", bench.lab.from()));
    let tag = format!("runbook-test/{}:1", bench.lab.name("api"));
    let build = |version: &str| {
        let options = json!({ "tags": [tag], "args": { "V": version }, "labels": { "team": "web" } });
        bench.call("build", json!(["api"]), options).unwrap()
    };
    let first = build("1");
    assert_eq!((first.changed, first.note.as_deref()), (Some(true), Some("new image")));
    assert_eq!((first.value["reference"].as_str(), &first.value["digest"]), (Some(tag.as_str()), &json!(null)));
    assert!(
        bench.direct.lines().contains(&"info: 4/5 RUN echo $V > /version".to_owned()),
        "{:?}",
        bench.direct.lines()
    );
    let again = build("1");
    assert_eq!((again.changed, &again.value["id"]), (Some(false), &first.value["id"]));
    assert_eq!(build("2").changed, Some(true));
}

#[test]
fn a_build_does_not_ask_for_the_password_of_a_registry_it_does_not_use() {
    let Some(bench) = Bench::start() else { return };
    let login = "[registry.\"ghcr.io\"]\nusername = \"deploy\"\npassword_env = \"RUNBOOK_TEST_NO_SUCH_VARIABLE\"\n";
    bench.direct.write("runbook.toml", login).write("api/Dockerfile", &bench.lab.from());
    let tag = format!("runbook-test/{}:1", bench.lab.name("api"));
    assert_eq!(bench.call("build", json!(["api"]), json!({ "tags": [tag] })).unwrap().changed, Some(true));
}

#[test]
fn a_failing_build_shows_where_and_why() {
    let Some(bench) = Bench::start() else { return };
    bench.direct.write("Dockerfile", "FROM runbook-test/busybox:1\nRUN echo no compiler >&2; exit 9\n");
    let failure = bench.call("build", json!(["."]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    let instruction = "RUN echo no compiler >&2; exit 9";
    assert_eq!(failure.message, format!("the build failed at Dockerfile:2: `{instruction}` exited with code 9"));
    assert!(failure.evidence.iter().any(|item| item.text.contains("no compiler")), "{failure:?}");
    let missing = bench.call("build", json!(["no-such-folder"]), json!({})).unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound);
    let wrong = bench.call("build", json!(["."]), json!({ "tags": ["Upper:1"] })).unwrap_err();
    assert_eq!(wrong.kind, FailureKind::Argument);
}

#[test]
fn a_tag_that_is_there_stays_as_it_is() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("app", "1", "");
    let previous = image.replace(":1", ":previous");
    let tag = || bench.call("tag", json!([image, previous]), json!({})).unwrap();
    assert_eq!((tag().changed, tag().changed), (Some(true), Some(false)));
    let found = bench.call("image", json!([previous]), json!({})).unwrap().value;
    assert_eq!(found["tags"].as_array().unwrap().len(), 2);
    let repository = image.trim_end_matches(":1");
    let listed = bench.call("images", json!([]), json!({ "repository": repository })).unwrap().value;
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let remove = || bench.call("remove_image", json!([previous]), json!({})).unwrap();
    assert_eq!((remove().changed, remove().changed), (Some(true), Some(false)));
    assert_eq!(bench.call("image", json!([previous]), json!({})).unwrap().value, json!(null));
    let missing = bench.call("tag", json!(["runbook-test/none:1", previous]), json!({})).unwrap_err();
    assert_eq!(missing.kind, FailureKind::NotFound);
    let digest = format!("app@sha256:{}", "0".repeat(64));
    let wrong = bench.call("tag", json!([image, digest]), json!({})).unwrap_err();
    assert_eq!(wrong.kind, FailureKind::Argument);
}

#[test]
fn an_image_in_use_is_not_removed() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("used", "1", "");
    let spec = bench.lab.spec("used", "sleep 600");
    bench.lab.up(&runbook::drivers::docker::ContainerSpec { image: image.clone(), ..spec });
    let failure = bench.call("remove_image", json!([image]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict, "{failure:?}");
}

#[test]
fn pruning_stays_within_its_budget_and_says_what_went() {
    let Some(bench) = Bench::start() else { return };
    for version in ["1", "2", "3"] {
        bench.lab.image("app", version, &format!("RUN echo {version} > /version"));
    }
    let repository = format!("runbook-test/{}", bench.lab.name("app"));
    let prune = |options| bench.call("prune_images", json!([]), options).unwrap();
    let roomy = prune(json!({ "keep": 1, "max_size": "1GiB", "repository": repository }));
    assert_eq!(roomy.changed, Some(false));
    let pruned = prune(json!({ "keep": 1, "repository": repository, "protect": [format!("{repository}:1")] }));
    assert_eq!(pruned.value["removed"], json!([format!("{repository}:2")]));
    assert_eq!(pruned.changed, Some(true));
}
