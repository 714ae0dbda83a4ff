//! `runbook` is killed while a command runs; the command is not.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::harness::http::{Reply, Server};
use crate::harness::{Direct, Project, primitive};
use runbook::primitive::Probe;
use serde_json::{Value, json};

const WAIT_FOR_GO: &str = "while [ ! -e go ]; do sleep 0.02; done";

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs `test.rhai` and kills it once its command has made the file `ready`.
fn killed(script: &str) -> Project {
    let project = Project::script(script).env("PROBE_KEY", "correct-horse-battery");
    let mut child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("ready", || project.path().join("ready").exists());
    // The lines that were read reach the run log.
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    child.wait().unwrap();
    project
}

/// What commands of a project left to be found.
fn places(project: &Project) -> Vec<std::path::PathBuf> {
    let below = |folder: std::path::PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let runs = below(project.path().join(".runbook/calls")).map(|entry| entry.path());
    runs.flat_map(|run| below(run).map(|entry| entry.path())).collect()
}

/// Ends the command, and first the process that keeps watch over it, as a power cut would.
fn end_unseen(project: &Project) {
    let started = std::fs::read_to_string(places(project)[0].join("started")).unwrap();
    let program = started.split(' ').next().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{program}/status")).unwrap();
    let keeper = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    let pid = |text: &str| Pid::from_raw(text.trim().parse().unwrap()).unwrap();
    kill_process(pid(keeper), Signal::KILL).unwrap();
    kill_process_group(pid(program), Signal::KILL).unwrap();
}

#[test]
fn a_command_that_still_runs_is_waited_for_and_its_result_is_used() {
    let command = format!("echo one; touch ready; {WAIT_FOR_GO}; echo two; echo once >> effects; exit 3");
    let project = killed(&format!(
        r#"let ran = sh(["sh", "-c", "{command}"], #{{ check: false }}); info(`code ${{ran.code}}, whole: ${{ran.stdout == "one\ntwo"}}`);"#
    ));
    let resumed = project.command(&["resume"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    project.file_now("go", "");
    let said = String::from_utf8(resumed.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("code 3, whole: true"), "{said}");
    assert_eq!(project.read("effects"), "once\n");
    let logs = project.runbook(&["logs", "1"]).success().stdout;
    assert_eq!(logs.lines().filter(|line| line.ends_with("one")).count(), 1, "{logs}");
    assert!(places(&project).is_empty(), "nothing is left behind");
}

#[test]
fn a_command_that_ended_badly_in_between_fails_as_ever() {
    let project =
        killed(r#"sh(["sh", "-c", "touch ready; sleep 1; echo no such table >&2; echo once >> effects; exit 4"]);"#);
    until("it ended", || places(&project)[0].join("ended").exists());
    project.runbook(&["resume"]).code(1).says("exited with code 4").says("no such table");
    assert_eq!(project.read("effects"), "once\n");
    assert!(places(&project).is_empty());
}

#[test]
fn the_timeout_counts_from_the_start_of_the_command() {
    let project = killed(r#"sh(["sh", "-c", "touch ready; sleep 32001"], #{ timeout: "1s" });"#);
    std::thread::sleep(Duration::from_secs(1));
    project.runbook(&["resume"]).code(1).says("timed out after 1s while running `sh -c");
    assert!(!super::is_running("32001"));
}

#[test]
fn a_run_that_is_cancelled_after_its_death_ends_the_command() {
    let project = killed(
        r#"sh(["sh", "-c", "echo a >> effects"]); undo("a", || sh(["sh", "-c", "echo undone >> effects"]));
        sh(["sh", "-c", "touch ready; sleep 32002"]);"#,
    );
    assert!(super::is_running("32002"));
    project.runbook(&["cancel", "1"]);
    assert!(!super::is_running("32002"));
    assert_eq!(project.read("effects"), "a\nundone\n");
    project.runbook(&["runs"]).success().prints("cancelled");
    assert!(std::fs::read_dir(project.path().join(".runbook/calls")).unwrap().next().is_none());
}

#[test]
fn a_command_of_which_nothing_is_known_is_a_question() {
    let project =
        killed(r#"let r = sh(["sh", "-c", "touch ready; sleep 300"]); info(`went on ${r.code}${r.stdout}`);"#);
    end_unseen(&project);
    let resumed = project.runbook(&["resume"]).code(3).says("run 1 is in doubt");
    let resumed = resumed.says("ended: the process that kept watch over it was killed");
    resumed.says("  it happened  runbook resolve 1 1 --done\n");
    assert_eq!(places(&project).len(), 1);
    project.runbook(&["resolve", "1", "1", "--done"]).success().says("went on 0");
    assert!(places(&project).is_empty());
}

#[test]
fn what_a_person_leaves_out_of_a_result_is_as_of_one_that_ended_well() {
    let project = killed(
        r#"let r = sh(["sh", "-c", "touch ready; sleep 300"], #{ check: false }); info(`went on ${r.code}, ${r.stdout.len()}`);"#,
    );
    end_unseen(&project);
    project.runbook(&["resume"]).code(3).says("run 1 is in doubt");
    project.runbook(&["resolve", "1", "1", "--done", r#"{"code": 3}"#]).success().says("went on 3, 0");
}

#[test]
fn a_command_whose_traces_were_dropped_is_a_question() {
    let project = killed(r#"sh(["sh", "-c", "echo once >> effects; touch ready; sleep 300"]); info("went on");"#);
    end_unseen(&project);
    project.runbook(&["runs"]).success().prints("killed");
    let connection = rusqlite::Connection::open(project.path().join(".runbook/journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET finished_at = finished_at - 31 * 86400000000", []).unwrap();
    project.runbook(&["state", "prune"]).success();
    project.runbook(&["resume"]).code(3).says("its traces were dropped since").says("run 1 is in doubt");
    assert_eq!(project.read("effects"), "once\n");
    project.runbook(&["resolve", "1", "1", "--done", "null"]).success().says("went on");
    assert!(std::fs::read_dir(project.path().join(".runbook/calls")).unwrap().next().is_none());
}

#[test]
fn an_idempotent_command_of_which_nothing_is_known_is_repeated() {
    let command = "echo run >> effects; if [ ! -e ready ]; then touch ready; sleep 300; fi";
    let project = killed(&format!(r#"sh(["sh", "-c", "{command}"], #{{ idempotent: true }});"#));
    end_unseen(&project);
    project.runbook(&["resume"]).success();
    assert_eq!(project.read("effects"), "run\nrun\n");
}

#[test]
fn a_probe_answers_when_nothing_is_known() {
    let resumed = |probe: &str| {
        let command = "echo run >> effects; if [ ! -e ready ]; then touch ready; sleep 300; fi";
        let project = killed(&format!(
            r#"let ran = sh(["sh", "-c", "{command}"], #{{ probe: || {probe} }}); info(`got ${{ran}}`);"#
        ));
        end_unseen(&project);
        let ran = project.runbook(&["resume"]);
        (ran, project.read("effects").lines().count())
    };
    let (ran, times) = resumed(r#"file("effects").exists()"#);
    ran.success().says(r#""code": 0"#);
    assert_eq!(times, 1);
    let (ran, times) = resumed(r#"file("nowhere").exists()"#);
    ran.success();
    assert_eq!(times, 2);
    let (ran, times) = resumed("#{ version: 7 }");
    ran.success().says(r#"got #{"version": 7}"#);
    assert_eq!(times, 1);
    let (ran, times) = resumed("42");
    ran.code(1).says("option `probe` must return `true`, `false` or a map, and it returned `42`");
    assert_eq!(times, 1);
}

#[test]
fn a_secret_that_a_probe_puts_somewhere_is_told_by_the_audit() {
    let site = Server::start(|_| Reply::text(200, "there"));
    let project = killed(&format!(
        r#"let key = secret("PROBE_KEY");
        sh(["sh", "-c", "touch ready; sleep 300"], #{{
            env: #{{ KEY: key }},
            probe: || http_check("{}", #{{ headers: #{{ "X-Token": key }} }}).status == 200,
        }});"#,
        site.url("/state")
    ));
    end_unseen(&project);
    project.runbook(&["resume"]).success();
    assert_eq!(site.asked().last().unwrap().header("x-token"), Some("correct-horse-battery"));
    let told = project.runbook(&["audit"]).success();
    told.prints("PROBE_KEY to sh, env.KEY").prints("PROBE_KEY to sh, env of sh");
    let told = project.runbook(&["audit"]).success();
    told.prints("PROBE_KEY to sh, headers of http_check").never_says("correct");
    project.runbook(&["show", "1", "--verify"]).success();
}

#[test]
fn what_was_never_started_did_not_happen() {
    let direct = Direct::new();
    let probe = direct.probe(primitive("sh"), Value::Null, json!([["true"]])).unwrap();
    assert!(matches!(probe, Probe::NotDone), "{probe:?}");
}
