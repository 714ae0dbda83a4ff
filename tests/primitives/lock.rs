//! Locks keep two runs apart.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::Project;

const HOLDER: &str = "//! @lock deploy/{env}\nstep(\"long work\", || { file(\"ready\").write(\"yes\"); wait_until(\"go\", || file(\"go\").exists(), #{ every: \"20ms\" }) });";

fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_second_run_is_told_who_holds_the_lock_and_where() {
    let project = Project::script(HOLDER).file("other.rhai", "//! @lock deploy/{env}\ninfo(\"mine\");");
    let holder = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("the holder is ready", || project.path().join("ready").exists());
    let refused = project.runbook(&["run", "other.rhai"]).code(1);
    refused
        .says("`deploy/default` is locked by run 1 of tester@")
        .says("now at step `long work`")
        .never_says("info: mine");
    std::fs::write(project.path().join("go"), "").unwrap();
    assert!(holder.wait_with_output().unwrap().status.success());
    project.runbook(&["run", "other.rhai"]).success().says("info: mine");
}

#[test]
fn a_run_can_wait_for_the_lock() {
    let project = Project::script(HOLDER).file("other.rhai", "//! @lock deploy/{env}\ninfo(\"mine\");");
    let mut holder = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("the holder is ready", || project.path().join("ready").exists());
    let waiting = project.command(&["run", "other.rhai", "--wait", "30s"]).stderr(Stdio::piped()).spawn().unwrap();
    std::fs::write(project.path().join("go"), "").unwrap();
    assert!(holder.wait().unwrap().success());
    let output = waiting.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("info: mine"));
}

#[test]
fn a_killed_holder_is_replaced_and_shown_as_killed() {
    let project = Project::script(HOLDER).file("other.rhai", "//! @lock deploy/{env}\ninfo(\"mine\");");
    let mut holder = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("the holder is ready", || project.path().join("ready").exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    project.runbook(&["run", "other.rhai"]).success().says("info: mine");
    let ran = project.runbook(&["runs", "--json"]).success();
    assert!(ran.stdout.contains("\"killed\""), "{}", ran.stdout);
}

#[test]
fn a_resumed_run_takes_its_locks_again_and_stays_as_it_is_while_another_has_one() {
    let script = HOLDER
        .replace("//! @lock deploy/{env}", "let held = lock(\"deploy\"); info(held.name); file(\"b\").write(\"\");");
    let other = "lock(\"deploy\"); file(\"theirs\").write(\"\"); wait_until(\"end\", || file(\"end\").exists(), #{ every: \"20ms\" });";
    let project = Project::script(&script).file("other.rhai", other);
    let mut holder = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("the holder is ready", || project.path().join("ready").exists());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let another = project.command(&["run", "other.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("another run has the lock", || project.path().join("theirs").exists());
    std::fs::write(project.path().join("go"), "").unwrap();
    let refused = project.runbook(&["resume", "1"]);
    assert_ne!(refused.code, 0);
    refused.says("run 1 stopped where it was").says("`deploy` is locked by run 2");
    std::fs::write(project.path().join("end"), "").unwrap();
    assert!(another.wait_with_output().unwrap().status.success());
    project.runbook(&["resume", "1"]).success();
    project.runbook(&["show", "1"]).success().prints("lock deploy");
    assert!(!project.runbook(&["show", "1", "--json"]).stdout.contains("fence"));
}
