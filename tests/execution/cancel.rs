//! Ctrl-C and the time limit.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::Project;

#[test]
fn ctrl_c_stops_a_wait_undoes_and_ends_with_130() {
    let script = "undo(\"tidy up\", || { sleep(\"10ms\"); file(\"undone\").write(\"yes\") });\nfile(\"ready\").write(\"yes\");\nsleep(\"10m\");";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, || ready.exists());
    ran.code(130).says("cancelled");
    assert_eq!(project.read("undone"), "yes");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_script_cannot_catch_its_own_cancellation() {
    let script =
        "file(\"ready\").write(\"yes\");\nloop { try { sleep(\"10m\") } catch (error) { info(\"swallowed\") } }";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, _) = project.interrupted(&["run", "test.rhai"], Signal::TERM, || ready.exists());
    ran.code(130).never_says("swallowed");
}

#[test]
fn a_computation_is_interrupted_too() {
    let script = "file(\"ready\").write(\"yes\");\nloop { }";
    let project = Project::script(script);
    let ready = project.path().join("ready");
    let (ran, took) = project.interrupted(&["run", "test.rhai"], Signal::INT, || ready.exists());
    ran.code(130);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_time_limit_undoes_and_fails() {
    let script = "//! @timeout 200ms\nundo(\"tidy up\", || info(\"undone\"));\nsleep(\"10m\");";
    Project::script(script).run().code(1).says("the run's time limit passed").says("info: undone");
}
