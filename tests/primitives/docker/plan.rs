//! What a plan says of a call before it is made, and what the call then did; and what a call made again after a crash
//! tells: both the same as the call itself.

use runbook::primitive::{Failure, Outcome, Prediction, handle, unknown_of};
use serde_json::{Value, json};

use super::Bench;
use crate::harness::Project;

impl Bench {
    fn predict(&self, method: &str, args: Value, options: Value) -> Result<Prediction, Failure> {
        self.direct.predict(&format!("docker.{method}"), handle("docker", json!({})), args, options)
    }

    /// Predicts a call, makes it, dies, and goes on with it: all three tell the same. Returns what was changed.
    #[track_caller]
    fn comes_true(&self, method: &str, args: Value, options: Value) -> Vec<String> {
        let predicted = self.predict(method, args.clone(), options.clone()).unwrap();
        let (name, docker) = (format!("docker.{method}"), handle("docker", json!({})));
        // Right before the effect …
        self.direct.dies(&name, docker.clone(), args.clone(), options.clone());
        let first = self.direct.again(&name, docker.clone(), args.clone(), options.clone()).unwrap();
        // … and right after it.
        let second = self.direct.resume(&name, docker, args, options).unwrap();
        let told = |outcome: &Outcome| (outcome.value.clone(), outcome.changed, outcome.changes.clone());
        assert_eq!(told(&first), told(&second), "{method}");
        assert_eq!(predicted.changes, first.changes, "{method}");
        if unknown_of(&predicted.value).is_none() {
            assert_eq!(predicted.value, first.value, "{method}");
        }
        first.changes.iter().map(|change| format!("{} {}", change.action.symbol(), change.what)).collect()
    }
}

#[test]
fn containers() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "exec sleep 600");
    let args = json!([name]);
    let update = [format!("~ container {name}")];
    let grace = json!({ "grace": "0s" });
    assert_eq!(bench.comes_true("stop", args.clone(), grace.clone()), update);
    assert!(bench.comes_true("stop", args.clone(), grace.clone()).is_empty());
    assert_eq!(bench.comes_true("start", args.clone(), json!({})), update);
    assert!(bench.comes_true("start", args.clone(), json!({})).is_empty());
    assert_eq!(bench.comes_true("restart", args.clone(), grace), update);
    let other = bench.lab.name("other");
    assert_eq!(bench.comes_true("rename", json!([name, other]), json!({})), update);
    assert!(bench.comes_true("rename", json!([other, other]), json!({})).is_empty());
    assert_eq!(bench.comes_true("remove", json!([other]), json!({})), [format!("- container {other}")]);
    assert!(bench.comes_true("remove", json!([other]), json!({})).is_empty());
    assert!(bench.predict("start", json!([other]), json!({})).is_err());
}

#[test]
fn restarting_is_done_once() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "exec sleep 600");
    let started = || bench.lab.run(bench.lab.engine.inspect(&name)).unwrap().started;
    let before = started();
    let docker = handle("docker", json!({}));
    bench.direct.method("docker.restart", docker.clone(), json!([name]), json!({ "grace": "0s" })).unwrap();
    let after = started();
    assert_ne!(before, after);
    bench.direct.resume("docker.restart", docker, json!([name]), json!({ "grace": "0s" })).unwrap();
    assert_eq!(started(), after);
}

#[test]
fn copies() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "exec sleep 600");
    bench.direct.write("conf/a.txt", "a\n");
    // A folder that is there the second time must not receive itself.
    let changed = bench.comes_true("copy_in", json!([name, "conf", "/etc/app"]), json!({}));
    assert_eq!(changed, [format!("~ /etc/app in container {name}")]);
    assert_eq!(bench.lab.exec(&name, &["ls", "/etc/app"]).1, "a.txt\n");
    assert_eq!(bench.comes_true("copy_out", json!([name, "/etc/app", "back"]), json!({})), ["+ folder back"]);
    assert_eq!(std::fs::read_dir(bench.direct.path().join("back")).unwrap().count(), 1);
    assert_eq!(bench.comes_true("copy_out", json!([name, "/etc/app/a.txt", "b.txt"]), json!({})), ["+ file b.txt"]);
    assert_eq!(bench.comes_true("copy_out", json!([name, "/etc/app/a.txt", "b.txt"]), json!({})), ["~ file b.txt"]);
}

#[test]
fn networks_and_volumes() {
    let Some(bench) = Bench::start() else { return };
    let (network, volume) = (bench.lab.name("net"), bench.lab.name("data"));
    let changes = |sign: &str, what: &str| vec![format!("{sign} {what}")];
    let options = json!({ "internal": true });
    let made = bench.comes_true("create_network", json!([network]), options.clone());
    assert_eq!(made, changes("+", &format!("network {network}")));
    assert!(bench.comes_true("create_network", json!([network]), options).is_empty());
    assert_eq!(
        bench.comes_true("remove_network", json!([network]), json!({})),
        changes("-", &format!("network {network}"))
    );
    assert!(bench.comes_true("remove_network", json!([network]), json!({})).is_empty());
    assert_eq!(
        bench.comes_true("create_volume", json!([volume]), json!({})),
        changes("+", &format!("volume {volume}"))
    );
    assert!(bench.comes_true("create_volume", json!([volume]), json!({})).is_empty());
    assert_eq!(
        bench.comes_true("remove_volume", json!([volume]), json!({})),
        changes("-", &format!("volume {volume}"))
    );
    assert!(bench.comes_true("remove_volume", json!([volume]), json!({})).is_empty());
}

#[test]
fn images() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("app", "1", "");
    let tag = image.replace(":1", ":live");
    assert_eq!(bench.comes_true("tag", json!([image, tag]), json!({})), [format!("+ image {tag}")]);
    assert!(bench.comes_true("tag", json!([image, tag]), json!({})).is_empty());
    let budget = json!({ "keep": 0, "repository": image.replace(":1", "") });
    let mut pruned = bench.comes_true("prune_images", json!([]), budget);
    pruned.sort();
    assert_eq!(pruned, [format!("- image {image}"), format!("- image {tag}")]);
    let image = bench.lab.image("app", "2", "");
    assert_eq!(bench.comes_true("remove_image", json!([image]), json!({})), [format!("- image {image}")]);
    assert!(bench.comes_true("remove_image", json!([image]), json!({})).is_empty());
}

#[test]
fn a_build_made_again_tells_that_the_image_was_new() {
    let Some(bench) = Bench::start() else { return };
    let tag = format!("runbook-test/{}:1", bench.lab.name("built"));
    bench.direct.write("app/Dockerfile", &format!("{}\nENV A=1\n", bench.lab.from()));
    let (args, options) = (json!(["app"]), json!({ "tags": [tag] }));
    let predicted = bench.predict("build", args.clone(), options.clone()).unwrap();
    let docker = handle("docker", json!({}));
    let first = bench.direct.method("docker.build", docker.clone(), args.clone(), options.clone()).unwrap();
    let second = bench.direct.resume("docker.build", docker, args.clone(), options.clone()).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    assert_eq!((&first.value["changed"], first.changes[0].what.as_str()), (&json!(true), &*format!("image {tag}")));
    assert_eq!(predicted.changes[0].what, first.changes[0].what);
    let again = bench.predict("build", args.clone(), options.clone()).unwrap();
    assert!(again.changes[0].condition.is_some());
    assert_eq!(bench.call("build", args, options).unwrap().changes, []);
}

#[test]
fn commands() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "exec sleep 600");
    let image = bench.lab.image("job", "1", "");
    for (method, args, options, change) in [
        ("exec", json!([name, ["true"]]), json!({}), format!("> `true` in container {name}")),
        ("run", json!([image, ["true"]]), json!({}), format!("> `true` in a container of {image}")),
        (
            "run",
            json!([image, ["sleep", "600"]]),
            json!({ "detach": true, "name": bench.lab.name("web") }),
            format!("+ container {}", bench.lab.name("web")),
        ),
    ] {
        let predicted = bench.predict(method, args.clone(), options.clone()).unwrap();
        let outcome = bench.call(method, args, options).unwrap();
        assert_eq!(predicted.changes, outcome.changes);
        let signs = outcome.changes.iter().map(|made| format!("{} {}", made.action.symbol(), made.what));
        assert_eq!(signs.collect::<Vec<_>>(), [change]);
    }
    let looks = bench.predict("exec", json!([name, ["true"]]), json!({ "read_only": true })).unwrap();
    assert_eq!(looks.changes, []);
}

#[test]
fn a_folder_that_the_run_will_make_can_be_mounted() {
    let Some(bench) = Bench::start() else { return };
    let (image, name) = (bench.lab.image("mount", "1", ""), bench.lab.name("mount"));
    let script = format!(
        "folder(\"data\").create();
        docker().run(\"{image}\", [\"true\"], #{{ name: \"{name}\", pull: \"never\", detach: true, volumes: [\"./data:/x\"] }});"
    );
    let plan = Project::script(&script).runbook(&["plan", "test.rhai"]).success();
    plan.prints("+ folder data").prints(&format!("+ container {name}"));
    let other = script.replace("./data:", "./other:");
    Project::script(&other).runbook(&["plan", "test.rhai"]).code(1).prints("names `./other`, which does not exist");
}
