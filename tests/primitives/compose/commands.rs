use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{SLACK, Shop, evidence};

const COMPOSE: &str = "
services:
  db:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    environment: { WHO: db }
  api:
    image: BASE
    command: sh -c 'echo started; exec sleep 600'
    stop_grace_period: 0s
    environment: { WHO: api, COLOUR: blue }
    depends_on: [db]
    volumes: [ 'data:/data' ]
volumes: { data: }
";

#[test]
fn exec_gives_both_streams_and_the_exit_code() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let command = json!(["api", ["sh", "-c", "cat; echo $WHO $MORE; pwd; id -u >&2"]]);
    let options = json!({ "stdin": "typed\n", "env": { "MORE": 7 }, "workdir": "/tmp", "user": "1000" });
    let outcome = shop.call("exec", command, options);
    assert_eq!(
        outcome.value,
        json!({ "code": 0, "ok": true, "truncated": false, "stdout": "typed\napi 7\n/tmp", "stderr": "1000" })
    );
    assert!(shop.direct.lines().contains(&"stdout: api 7".to_owned()));
}

#[test]
fn exec_fails_with_the_code_and_the_last_lines_unless_told_not_to() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let command = json!(["api", ["sh", "-c", "echo no revision; exit 3"]]);
    let failure = shop.fails("exec", command.clone(), json!({}));
    assert_eq!(failure.kind, FailureKind::Exit);
    let name = shop.container("api").name;
    assert_eq!(
        failure.message,
        format!("`sh -c echo no revision; exit 3` in container `{name}` ended with exit code 3")
    );
    assert_eq!(evidence(&failure), "[last lines of output]\nno revision\n");
    assert_eq!(shop.call("exec", command, json!({ "check": false })).value["code"], 3);
    let failure = shop.fails("exec", json!(["api", ["nope"]]), json!({}));
    assert!(failure.message.contains("`nope`: executable file not found"), "{failure:?}");
    let failure = shop.fails("exec", json!(["api", ["sleep", "60"]]), json!({ "timeout": "500ms" }));
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure:?}");
    let failure = shop.fails("exec", json!(["api", []]), json!({}));
    assert_eq!(failure.message, "argument `argv` names no program");
}

#[test]
fn exec_where_nothing_runs_says_what_to_do() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let failure = shop.fails("exec", json!(["api", ["true"]]), json!({}));
    assert_eq!(failure.message, "service `api` has no container");
    assert_eq!(failure.hints, ["start it with `up`, or use `run`, which makes a container of its own"]);
    shop.up();
    shop.call("stop", json!(["api"]), json!({}));
    let failure = shop.fails("exec", json!(["api", ["true"]]), json!({}));
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.contains("is not running: exited"), "{failure:?}");
}

#[test]
fn run_makes_a_container_of_its_own_and_removes_it() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let command = json!([
        "api",
        ["sh", "-c", "cat > /data/x; echo $WHO $COLOUR $MORE; nslookup db >/dev/null 2>&1 && echo sees db"]
    ]);
    let options = json!({ "stdin": "from stdin", "env": { "MORE": "extra" } });
    let outcome = shop.call("run", command, options);
    assert_eq!(outcome.value["code"], 0);
    let stdout = outcome.value["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("api blue extra"), "{stdout}");
    let name = outcome.value["container"].as_str().unwrap();
    let unique = name.strip_prefix(&format!("{}-api-run-", shop.project)).unwrap();
    assert!(unique.len() == 12 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    // What it depends on was started, the service itself was not.
    assert_eq!(shop.containers(), ["db-1 running"]);
    shop.up();
    assert_eq!(shop.exec("api", &["cat", "/data/x"]), (0, "from stdin\n".into()));
}

#[test]
fn run_leaves_what_runs_as_it_is_even_when_the_files_changed() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let db = shop.container("db").id;
    shop.write(&COMPOSE.replace("WHO: db", "WHO: other"));
    shop.call("run", json!(["api", ["true"]]), json!({}));
    assert_eq!(shop.container("db").id, db);
}

#[test]
fn what_a_service_depends_on_is_started_and_nothing_else() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let started = shop.call("start_dependencies", json!(["api"]), json!({}));
    assert_eq!((shop.containers(), started.changed), (vec!["db-1 running".to_owned()], Some(true)));
    assert_eq!(started.value["services"]["db"]["action"], "created");
    let made: Vec<&str> = started.changes.iter().map(|change| change.what.as_str()).collect();
    let name = &shop.project;
    let expected = ["container {}-db-1", "network {}_default", "volume {}_data"].map(|what| what.replace("{}", name));
    assert!(expected.iter().all(|what| made.contains(&what.as_str())), "{made:?}");
    // Again, and with other files: what runs is left as it is.
    let db = shop.container("db").id;
    shop.write(&COMPOSE.replace("WHO: db", "WHO: other"));
    let again = shop.call("start_dependencies", json!(["api"]), json!({}));
    assert_eq!((again.changed, &again.value["changed"], shop.container("db").id), (Some(false), &json!(false), db));
    // Stopped, it is started as it is.
    shop.call("stop", json!(["db"]), json!({}));
    let started = shop.call("start_dependencies", json!(["api"]), json!({}));
    assert_eq!((&started.value["services"]["db"]["action"], started.changed), (&json!("started"), Some(true)));
    assert_eq!(shop.call("start_dependencies", json!(["db"]), json!({})).changed, Some(false));
    let failure = shop.fails("start_dependencies", json!(["none"]), json!({}));
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
}

#[test]
fn a_dependency_that_does_not_become_healthy_fails_with_its_name() {
    let compose = COMPOSE.replace(
        "    command: sleep 600\n    stop_grace_period: 0s\n    environment: { WHO: db }",
        "    command: sh -c 'echo no disk; exit 4'\n    restart: 'no'\n    environment: { WHO: db }",
    );
    assert_ne!(compose, COMPOSE);
    let Some(shop) = Shop::new(&compose) else { return };
    let failure = shop.fails("start_dependencies", json!(["api"]), json!({ "wait": "10s" }));
    assert!(failure.message.contains("`db`"), "{failure:?}");
    assert!(evidence(&failure).contains("no disk"), "{failure:?}");
}

#[test]
fn run_fails_with_the_exit_code_and_leaves_nothing() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let failure = shop.fails("run", json!(["api", ["sh", "-c", "echo boom >&2; exit 9"]]), json!({ "deps": false }));
    assert_eq!(failure.kind, FailureKind::Exit);
    assert_eq!(failure.message, "service `api`: `sh -c echo boom >&2; exit 9` ended with exit code 9");
    assert_eq!(evidence(&failure), "[last lines of output]\nboom\n");
    assert_eq!(shop.containers(), Vec::<String>::new());
    let failure = shop.fails("run", json!(["api", ["nope"]]), json!({ "deps": false }));
    assert!(failure.message.contains("nope"), "{failure:?}");
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn a_run_past_its_time_or_cancelled_leaves_nothing() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let options = json!({ "deps": false, "timeout": "1s" });
    let failure = shop.fails("run", json!(["api", ["sleep", "600"]]), options);
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(shop.containers(), Vec::<String>::new());

    shop.direct.cancel_after(Duration::from_secs(2));
    let begun = Instant::now();
    let failure = shop.fails("run", json!(["api", ["sleep", "600"]]), json!({ "deps": false }));
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(2) + SLACK);
    assert_eq!(shop.containers(), Vec::<String>::new());
}

/// Whoever asks for the log besides gets a line twice that is printed before the engine has looked there: seldom, and on busy
/// machines only, so what is asked is looked at.
#[test]
fn what_a_one_off_prints_is_asked_for_once() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let handle = shop.handle(json!({ "engine": shop.lab.overheard(Arc::clone(&asked)) }));
    let ran = shop.direct.method("compose.run", handle, json!(["api", ["echo", "once"]]), json!({ "deps": false }));
    assert_eq!(ran.unwrap().value["stdout"], "once");
    let asked = asked.lock().unwrap();
    let attached: Vec<&String> = asked.iter().filter(|line| line.contains("/attach?")).collect();
    assert!(
        attached.len() == 1 && !attached[0].contains("logs=true") && !attached[0].contains("logs=1"),
        "{attached:?}"
    );
}

#[test]
fn a_one_off_carries_the_labels_of_one() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let label = format!("com.docker.compose.project={}", shop.project);
    std::thread::scope(|scope| {
        scope.spawn(|| shop.call("run", json!(["api", ["sleep", "3"]]), json!({ "deps": false })));
        let begun = Instant::now();
        let found = loop {
            let found = shop.lab.run(shop.lab.engine.containers(std::slice::from_ref(&label))).unwrap();
            if let Some(found) = found.into_iter().next() {
                break found;
            }
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(found.labels["com.docker.compose.oneoff"], "True");
        assert_eq!(found.labels["com.docker.compose.service"], "api");
    });
    assert_eq!(shop.containers(), Vec::<String>::new());
}

#[test]
fn logs_and_ps_tell_what_runs() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    assert_eq!(shop.call("logs", json!(["api"]), json!({ "tail": 10, "since": "10m" })).value, "started");
    let ps = shop.call("ps", json!([]), json!({}));
    assert_eq!(ps.note.as_deref(), Some("2 of 2 containers running"));
    let states: Vec<(&str, &str)> = ps
        .value
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (found["service"].as_str().unwrap(), found["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("api", "running"), ("db", "running")]);
    shop.call("stop", json!(["db"]), json!({}));
    let running = shop.call("ps", json!([]), json!({ "running": true })).value;
    assert_eq!(running.as_array().map(Vec::len), Some(1));
    let failure = shop.fails("logs", json!(["nobody"]), Value::Null);
    assert_eq!(failure.message, "there is no service `nobody` in `compose.yaml`");
}
