//! `rolling`: a canary, batches, and one decision for all hosts.

use std::process::Stdio;

use crate::harness::Project;

/// A fleet of folders: each host is a file with its version.
const DEPLOY: &str = r#"
let hosts = ["a", "b", "c", "d", "e"];
fn deploy(name, bad) {
    let version = file(`${name}.version`);
    undo(`put ${name} back`, || version.write("1"));
    version.write("2");
    if name == bad { throw `${name} is broken`; }
    name
}
"#;

fn project(script: &str) -> Project {
    let hosts = ["a", "b", "c", "d", "e"];
    let project = Project::script(&format!("{DEPLOY}{script}"));
    hosts.iter().fold(project, |project, name| project.file(&format!("{name}.version"), "1"))
}

fn versions(project: &Project) -> String {
    ["a", "b", "c", "d", "e"].iter().map(|name| project.read(&format!("{name}.version"))).collect()
}

#[test]
fn a_canary_goes_first_and_then_batch_by_batch_behind_the_gate() {
    let project = project(
        r#"let done = rolling(hosts, #{ batch: "50%", gate: || file("a.version").exists() }, |name| deploy(name, ()));
        info(done);"#,
    );
    let ran = project.run().success().says(r#"["a","b","c","d","e"]"#).says("a  done").says("e  done");
    assert_eq!(ran.stderr.matches("[gate]").count(), 3, "{}", ran.stderr);
    assert_eq!(versions(&project), "22222");
}

#[test]
fn when_a_batch_fails_the_hosts_that_are_done_are_put_back_the_last_first() {
    let project = project(r#"rolling(hosts, #{ batch: "2" }, |name| deploy(name, "c"));"#);
    let ran = project.run().code(1).says("c is broken");
    ran.says("a  put back").says("b  put back").says("c  failed, put back: c is broken").says("d  not reached");
    assert_eq!(versions(&project), "11111");
}

#[test]
fn what_goes_on_after_a_host_was_put_back_is_told_as_before() {
    let project = project(r#"rolling(hosts, #{ batch: "2", max_failures: 1 }, |name| deploy(name, "c"));"#);
    let ran = project.run().success().says("  [e] ✓ write e.version").says("\n✓ rolling ×5");
    assert!(ran.stderr.contains("  [d] ✓ write d.version"), "{}", ran.stderr);
    let ran = project.run().success();
    assert_eq!(ran.stderr.matches("rolling ×5").count(), 2, "{}", ran.stderr);
}

#[test]
fn a_failed_canary_reaches_nobody_else() {
    let project = project(r#"rolling(hosts, #{ batch: "100%" }, |name| deploy(name, "a"));"#);
    project.run().code(1).says("b  not reached").says("1 of 5 hosts failed, 0 may");
    assert_eq!(versions(&project), "11111");
}

#[test]
fn a_shut_gate_puts_everything_back() {
    let project = project("rolling(hosts, #{ gate: || false }, |name| deploy(name, ()));");
    project.run().code(1).says("the gate of `rolling` did not open").says("a  put back");
    assert_eq!(versions(&project), "11111");
}

#[test]
fn as_many_may_fail_as_the_runbook_says_and_are_put_back_alone() {
    let project = project(r#"rolling(hosts, #{ batch: "1", max_failures: 1 }, |name| deploy(name, "b"));"#);
    project.run().success().says("b  failed, put back: b is broken").says("e  done");
    assert_eq!(versions(&project), "21222");
}

#[test]
fn two_versions_stay_where_the_runbook_says_so() {
    let project = project(r#"rolling(hosts, #{ batch: "1", put_back: false }, |name| deploy(name, "c"));"#);
    project.run().code(1).says("a  done").says("c  failed, put back");
    assert_eq!(versions(&project), "22111");
}

#[test]
fn what_cannot_be_put_back_is_named() {
    let project = project(
        r#"rolling(["a", "b"], #{}, |name| {
            undo("back", || { throw "the disk is gone" });
            if name == "b" { throw "broken"; }
        });"#,
    );
    project.run().code(1).says("warning: a  NOT put back: the disk is gone");
}

#[test]
fn a_handled_failure_leaves_the_fleet_as_it_was() {
    let project =
        project(r#"try { rolling(hosts, #{ batch: "2" }, |name| deploy(name, "e")); } catch { info("went on"); }"#);
    project.run().success().says("went on");
    assert_eq!(versions(&project), "11111");
}

#[test]
fn a_wrong_batch_is_an_option_that_is_wrong() {
    project(r#"rolling(hosts, #{ batch: "some" }, |name| 1);"#)
        .run()
        .code(1)
        .says("option `batch` must be a share or a number");
}

#[test]
fn a_plan_goes_through_all_hosts() {
    let project = project(r#"rolling(hosts, #{ gate: || info("gate") }, |name| deploy(name, ()));"#);
    project.runbook(&["plan", "test.rhai"]).success().prints("a.version").prints("e.version");
    assert_eq!(versions(&project), "11111");
}

#[test]
fn a_run_that_died_in_the_middle_goes_on_and_puts_back_what_an_earlier_process_did() {
    let script = r#"rolling(hosts, #{ batch: "1" }, |name| {
        deploy(name, ());
        if name == "c" {
            sh(["sh", "-c", "if [ -e died ]; then exit 1; fi; touch died; kill -9 $PPID"], #{ read_only: true });
        }
    });"#;
    let project = project(script);
    let child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    assert!(!child.wait_with_output().unwrap().status.success());
    assert_eq!(versions(&project), "22211");
    project.runbook(&["resume"]).code(1).says("a  put back").says("c  failed, put back").says("d  not reached");
    assert_eq!(versions(&project), "11111");
}
