use std::time::{Duration, Instant};

use runbook::primitive::{Effect, FailureKind};
use serde_json::json;

use super::Bench;

#[test]
fn the_result_has_code_and_both_streams() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "sleep 600");
    let options = json!({
        "env": { "COLOUR": "blue" }, "working_dir": "/tmp", "user": "1000", "stdin": "in\n", "check": false,
    });
    let command = ["/bin/sh", "-c", "cat; echo $COLOUR; pwd; id -u >&2; exit 3"];
    let outcome = bench.call("exec", json!([name, command]), options).unwrap();
    let expected = json!({ "code": 3, "ok": false, "truncated": false, "stdout": "in\nblue\n/tmp", "stderr": "1000" });
    assert_eq!(outcome.value, expected);
    assert!(bench.direct.lines().contains(&"stderr: 1000".to_owned()));
}

#[test]
fn a_code_other_than_zero_fails_with_the_last_lines() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "sleep 600");
    let command = ["/bin/sh", "-c", "echo working; echo no such table >&2; exit 4"];
    let failure = bench.call("exec", json!([name, command]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit);
    assert!(failure.message.ends_with(&format!("in container `{name}` exited with code 4")), "{failure}");
    assert_eq!(failure.evidence[0].text, "no such table");
    assert_eq!(failure.evidence[1].text, "working");
}

#[test]
fn a_program_the_image_lacks_is_named() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("app", "sleep 600");
    let failure = bench.call("exec", json!([name, ["psql", "-l"]]), json!({ "check": false })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert_eq!(
        failure.message,
        format!("cannot run `psql -l` in container `{name}`: `psql`: executable file not found in $PATH")
    );
    let empty = bench.call("exec", json!([name, []]), json!({})).unwrap_err();
    assert_eq!(empty.kind, FailureKind::Argument);
    let gone = bench.call("exec", json!(["no-such-container", ["true"]]), json!({})).unwrap_err();
    assert_eq!(gone.kind, FailureKind::NotFound);
}

#[test]
fn a_late_command_is_killed_and_shows_what_it_said() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("slow", "sleep 600");
    let command = ["/bin/sh", "-c", "echo begun; sleep 501"];
    let failure = bench.call("exec", json!([name, command]), json!({ "timeout": "700ms" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert_eq!(failure.evidence[0].text, "begun");
    assert!(!bench.lab.exec(&name, &["ps", "-o", "args"]).1.contains("sleep 501"));
}

#[test]
fn a_cancelled_command_is_killed_at_once() {
    let Some(bench) = Bench::start() else { return };
    let name = bench.lab.script("cancelled", "sleep 600");
    bench.direct.cancel_after(Duration::from_millis(500));
    let begun = Instant::now();
    let failure = bench.call("exec", json!([name, ["sleep", "502"]]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
    assert!(!bench.lab.exec(&name, &["ps", "-o", "args"]).1.contains("sleep 502"));
}

#[test]
fn a_command_that_only_looks_is_a_read() {
    let exec = crate::harness::primitive("docker.exec");
    let call = |options| runbook::primitive::Call {
        receiver: json!({}),
        args: vec![],
        options,
        blocks: vec![],
        site: runbook::primitive::Site::default(),
    };
    assert_eq!(exec.effect(&call(json!({}))), Effect::Change);
    assert_eq!(exec.effect(&call(json!({ "read_only": true }))), Effect::Read);
}
