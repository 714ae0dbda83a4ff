//! Calls whose process died: what is found out about them, and that nothing is done twice.

use std::time::Duration;

use runbook::primitive::{Failure, FailureKind, Outcome, Probe};
use serde_json::{Value, json};

use super::Shop;
use crate::harness::primitive;

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
    depends_on: [db]
    volumes: [ 'data:/data' ]
volumes: { data: }
";

impl Shop {
    fn die_after(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.direct.method(&format!("compose.{method}"), self.handle(json!({})), args, options)
    }

    fn recover(&self, method: &str, args: Value, options: Value) -> Probe {
        self.direct.recover(&format!("compose.{method}"), self.handle(json!({})), args, options).unwrap()
    }

    fn resume(&self, method: &str, args: Value, options: Value) -> Result<Outcome, Failure> {
        self.direct.resume(&format!("compose.{method}"), self.handle(json!({})), args, options)
    }

    fn wait_for(&self, line: &str) {
        while !self.direct.lines().contains(&line.to_owned()) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

const ONCE: &str = "echo x >> /data/n; echo begun; sleep 1; echo trouble >&2; echo done; exit ";

#[test]
fn a_migration_is_not_run_again_when_its_end_was_not_recorded() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let args = json!(["api", ["sh", "-c", format!("{ONCE} 0")]]);
    let first = shop.die_after("run", args.clone(), json!({})).unwrap();
    // Whatever was written into the files since does not matter.
    shop.write("services: {}");
    let second = shop.resume("run", args, json!({})).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    let made: Vec<&str> = second.changes.iter().map(|change| change.what.split(' ').next().unwrap()).collect();
    assert_eq!(made, ["network", "volume", "container", "`sh"]);
    shop.write(COMPOSE);
    assert_eq!(shop.containers(), ["db-1 running"]);
    shop.up();
    assert_eq!(shop.exec("api", &["cat", "/data/n"]).1, "x\n");
}

#[test]
fn a_migration_that_still_runs_is_waited_for() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let args = json!(["api", ["sh", "-c", format!("{ONCE} 4")]]);
    std::thread::scope(|scope| {
        scope.spawn(|| shop.die_after("run", args.clone(), json!({})));
        shop.wait_for("stdout: begun");
        let failure = shop.resume("run", args.clone(), json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Exit);
        assert_eq!(failure.evidence[0].text.lines().count(), 3, "{failure:?}");
    });
    assert_eq!(shop.containers(), ["db-1 running"]);
    shop.up();
    assert_eq!(shop.exec("api", &["cat", "/data/n"]).1, "x\n");
}

#[test]
fn a_command_whose_input_was_cut_off_is_a_question() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let args = json!(["api", ["sh", "-c", "cat >> /data/n"]]);
    let options = json!({ "stdin": "one\n" });
    shop.die_after("run", args.clone(), options.clone()).unwrap();
    let marker = shop.direct.marker().unwrap();
    assert_eq!(marker["fed"], true);
    assert!(matches!(shop.recover("run", args.clone(), options.clone()), Probe::Done(_)));
    shop.direct.set_marker(json!({}));
    assert!(matches!(shop.recover("run", args.clone(), options.clone()), Probe::Unknown));
    let presumed = |method: &str| {
        let mut value = Value::Null;
        let primitive = primitive(method);
        shop.direct
            .look_on(primitive, shop.handle(json!({})), args.clone(), |_, call| value = primitive.presumed(call));
        value
    };
    let mut silent = json!({ "code": 0, "ok": true, "truncated": false, "stdout": "", "stderr": "" });
    assert_eq!(presumed("compose.exec"), silent, "somebody says that it happened");
    silent["container"] = Value::Null;
    assert_eq!(presumed("compose.run"), silent);
    let again = shop.resume("run", args, json!({ "stdin": "one\n", "idempotent": true })).unwrap();
    assert_eq!(again.value["code"], 0);
    assert_eq!(shop.containers(), ["db-1 running"]);
}

#[test]
fn a_command_in_a_service_is_not_run_again() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    shop.up();
    let args = json!(["api", ["sh", "-c", format!("{ONCE} 0")]]);
    let first = shop.die_after("exec", args.clone(), json!({})).unwrap();
    let second = shop.resume("exec", args, json!({})).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    assert_eq!(shop.exec("api", &["cat", "/data/n"]).1, "x\n");
    assert_eq!(shop.exec("api", &["ls", "-A", "/tmp"]).1, "");
}

#[test]
fn bringing_up_tells_what_it_had_done_before_its_process_died() {
    let Some(shop) = Shop::new(COMPOSE) else { return };
    let options = json!({ "wait": "30s" });
    let first = shop.die_after("up", json!([]), options.clone()).unwrap();
    let api = shop.container("api").id;
    let second = shop.resume("up", json!([]), options.clone()).unwrap();
    assert_eq!((&first.value, &first.changes, first.changed), (&second.value, &second.changes, second.changed));
    assert_eq!(
        (Shop::actions(&second), shop.container("api").id),
        (vec!["api created".into(), "db created".into()], api)
    );

    shop.write(&COMPOSE.replace("depends_on: [db]", "environment: { A: b }"));
    let first = shop.die_after("up", json!([]), options.clone()).unwrap();
    let second = shop.resume("up", json!([]), options.clone()).unwrap();
    assert_eq!((&first.value, &first.changes, first.changed), (&second.value, &second.changes, second.changed));
    assert_eq!(Shop::actions(&second), ["api recreated", "db unchanged"]);

    let without = COMPOSE.split("  api:").next().unwrap();
    shop.write(without);
    let options = json!({ "wait": "30s", "remove_orphans": true });
    let first = shop.die_after("up", json!([]), options.clone()).unwrap();
    let second = shop.resume("up", json!([]), options).unwrap();
    assert_eq!((&first.value, &first.changes), (&second.value, &second.changes));
    assert_eq!(Shop::actions(&second), ["api removed", "db unchanged"]);
}

#[test]
fn a_job_that_failed_is_not_done_again() {
    let Some(shop) = Shop::new(
        "
services:
  job: { image: BASE, command: \"sh -c 'echo x >> /data/n; exit 3'\", volumes: ['data:/data'] }
  api:
    image: BASE
    command: sleep 600
    stop_grace_period: 0s
    volumes: ['data:/data']
    depends_on: { job: { condition: service_completed_successfully } }
volumes: { data: }
",
    ) else {
        return;
    };
    let first = shop.die_after("up", json!([]), json!({ "wait": "20s" })).unwrap_err();
    let second = shop.resume("up", json!([]), json!({ "wait": "20s" })).unwrap_err();
    assert_eq!(first.message, second.message);
    let command = json!(["api", ["cat", "/data/n"]]);
    assert_eq!(shop.call("run", command, json!({ "deps": false })).value["stdout"], "x");
}
