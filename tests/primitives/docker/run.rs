use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook::primitive::FailureKind;
use serde_json::json;

use super::Bench;

impl Bench {
    /// Are there containers left of runs of this image?
    fn left(&self, image: &str) -> Vec<String> {
        let found = self.lab.run(self.lab.engine.containers(&[self.lab.label()])).unwrap();
        found.into_iter().filter(|found| found.image == image).map(|found| found.name).collect()
    }
}

#[test]
fn a_one_off_container_leaves_its_output_and_nothing_else() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("job", "1", "");
    bench.direct.write("conf/a.txt", "from the project\n");
    let network = bench.lab.network("net");
    let options = json!({
        "env": { "COLOUR": "blue" }, "volumes": ["./conf:/conf:ro"], "networks": [network], "user": "1000",
        "working_dir": "/tmp",
    });
    let command = ["/bin/sh", "-c", "cat /conf/a.txt; echo $COLOUR; pwd; id -u >&2"];
    let outcome = bench.call("run", json!([image, command]), options).unwrap();
    assert_eq!(outcome.value["stdout"], "from the project\nblue\n/tmp");
    assert_eq!((&outcome.value["stderr"], &outcome.value["code"]), (&json!("1000"), &json!(0)));
    assert!(bench.direct.lines().contains(&"stdout: blue".to_owned()));
    assert_eq!(bench.left(&image), Vec::<String>::new());
}

#[test]
fn a_one_off_container_that_fails_shows_its_last_lines() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("job", "1", "");
    let command = json!([image, ["/bin/sh", "-c", "echo migrating; echo no database >&2; exit 5"]]);
    let failure = bench.call("run", command.clone(), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.ends_with(&format!("in a container of `{image}` exited with code 5")), "{failure}");
    assert_eq!(failure.evidence[0].text, "no database");
    assert_eq!(bench.left(&image), Vec::<String>::new());
    let unchecked = bench.call("run", command, json!({ "check": false })).unwrap();
    assert_eq!((&unchecked.value["code"], &unchecked.value["ok"]), (&json!(5), &json!(false)));
}

#[test]
fn a_container_left_running_is_labelled_with_its_run() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("web", "1", "");
    let name = bench.lab.name("web");
    let options = json!({ "name": name, "detach": true, "ports": ["localhost:8080:80"] });
    let wrong = bench.call("run", json!([image, ["sleep", "600"]]), options).unwrap_err();
    assert_eq!(wrong.kind, FailureKind::Option);
    assert_eq!(
        wrong.message,
        "option `ports` must be like \"8080:80\" or \"127.0.0.1:8080:80\", got `localhost:8080:80`"
    );
    let options = json!({ "name": name, "detach": true, "ports": ["127.0.0.1::80"], "labels": { "team": "web" } });
    let outcome = bench.call("run", json!([image, ["sleep", "600"]]), options.clone()).unwrap();
    assert_eq!((outcome.changed, outcome.value["name"].as_str()), (Some(true), Some(name.as_str())));
    let found = bench.lab.run(bench.lab.engine.inspect(&name)).unwrap();
    assert!(found.is_running() && found.ports[0].container == 80 && found.ports[0].host_ip == "127.0.0.1");
    let label = |name: &str| found.labels.get(name).map(String::as_str);
    assert_eq!(
        (label("dev.runbook.run"), label("dev.runbook.call"), label("team")),
        (Some("1"), Some("2"), Some("web"))
    );
    let taken = bench.call("run", json!([image, ["sleep", "600"]]), options).unwrap_err();
    assert_eq!(taken.kind, FailureKind::Conflict, "{taken:?}");
}

#[test]
fn a_name_that_is_taken_costs_nobody_their_container() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("job", "1", "");
    let name = bench.lab.script("mine", "sleep 600");
    let failure = bench.call("run", json!([image, ["true"]]), json!({ "name": name })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(bench.lab.run(bench.lab.engine.inspect(&name)).unwrap().is_running());
}

#[test]
fn a_port_that_is_taken_leaves_no_container() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("web", "1", "");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = json!({ "detach": true, "ports": [format!("127.0.0.1:{port}:80")] });
    let failure = bench.call("run", json!([image, ["sleep", "600"]]), options).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.hints, [format!("find out who holds port {port}: ss -ltnp 'sport = :{port}'")]);
    assert_eq!(bench.left(&image), Vec::<String>::new());
}

#[test]
fn a_cancelled_container_is_gone_at_once() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("long", "1", "");
    bench.direct.cancel_after(Duration::from_millis(800));
    let begun = Instant::now();
    let failure = bench.call("run", json!([image, ["sleep", "600"]]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_millis(2_800), "{:?}", begun.elapsed());
    assert_eq!(bench.left(&image), Vec::<String>::new());
}

#[test]
fn a_late_container_is_removed_and_shows_what_it_said() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("late", "1", "");
    let command = ["/bin/sh", "-c", "echo begun; sleep 600"];
    let failure = bench.call("run", json!([image, command]), json!({ "timeout": "4s" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.evidence[0].text, "begun");
    assert_eq!(bench.left(&image), Vec::<String>::new());
}

#[test]
fn what_cannot_work_is_refused_before_anything_happens() {
    let Some(bench) = Bench::start() else { return };
    let image = bench.lab.image("refused", "1", "");
    let since = Timestamp::now();
    for (options, message) in [
        (json!({ "pull": "sometimes" }), "option `pull` must be missing, always or never, got `sometimes`"),
        (
            json!({ "restart": "always" }),
            "option `restart` needs `detach: true`: what ends by itself is not started again",
        ),
        (json!({ "volumes": ["./missing:/x"] }), "option `volumes` names `./missing`, which does not exist"),
        (json!({ "volumes": ["data"] }), "option `volumes` must be like \"data:/var/lib/data\", got `data`"),
    ] {
        let failure = bench.call("run", json!([image, ["true"]]), options).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Option, message));
    }
    let missing = bench.call("run", json!(["runbook-test/none:1"]), json!({ "pull": "never" })).unwrap_err();
    assert_eq!(missing.message, "there is no image `runbook-test/none:1`");
    let failure = bench.call("run", json!([image, ["nope"]]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.message.ends_with("`nope`: executable file not found in $PATH"), "{failure}");
    let kept: Vec<_> = bench.lab.run(bench.lab.engine.events_since(since, &[bench.lab.label()])).unwrap();
    let created = kept.iter().filter(|event| event.action == "create").count();
    assert_eq!(created, 1, "only the container whose program is missing was made: {kept:?}");
    assert_eq!(bench.left(&image), Vec::<String>::new());
}
