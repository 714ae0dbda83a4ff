use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::history::filled;
use crate::harness::{Project, Ran};

#[test]
fn the_output_of_a_run_is_printed_with_its_steps() {
    let project = filled();
    let printed = project.runbook(&["logs", "2"]).success().stdout;
    assert_eq!(printed, "09:30:01  pull   pulled v2 größe\n09:30:02  pull ! warning: slow\n");
    assert_eq!(project.runbook(&["logs", "last"]).success().stdout, "03:00:00     nothing to back up yet\n");
}

#[test]
fn lines_are_chosen_by_step_stream_words_and_number() {
    let project = filled();
    let count = |arguments: &[&str]| project.runbook(&[&["logs"], arguments].concat()).success().stdout.lines().count();
    assert_eq!(count(&["1", "--step", "pull"]), 2);
    assert_eq!(count(&["1", "--step", "verify"]), 0);
    assert_eq!(count(&["1", "--stream", "stderr"]), 1);
    assert_eq!(count(&["1", "--stream", "stderr,stdout"]), 2);
    assert_eq!(count(&["1", "--search", "größe"]), 1);
    assert_eq!(count(&["1", "-n", "1"]), 1);
    assert_eq!(count(&["--search", "pulled"]), 2);
}

#[test]
fn a_search_across_runs_says_which_run_and_when() {
    let printed = filled().runbook(&["logs", "--search", "pulled"]).success().stdout;
    let expected =
        "   1  2026-11-01 09:00:01  pull   pulled v1 größe\n   2  2026-11-02 09:30:01  pull   pulled v2 größe\n";
    assert_eq!(printed, expected);
    Project::new().runbook(&["logs", "--search", "x"]).success();
}

#[test]
fn json_has_one_line_per_line_with_nothing_taken_out() {
    let printed = filled().runbook(&["logs", "2", "--json", "--stream", "stderr"]).success().stdout;
    let expected = "{\"run\":2,\"path\":\"1.1\",\"step\":\"pull\",\"stream\":\"stderr\",\"at\":\"2026-11-02T09:30:02Z\",\
                    \"line\":\"warning: \\u001b[31mslow\\u001b[0m\"}\n";
    assert_eq!(printed, expected);
}

#[test]
fn a_step_that_is_not_there_is_a_mistake() {
    let project = filled();
    project
        .runbook(&["logs", "1", "--step", "pul"])
        .code(2)
        .says("run 1 has no step `pul`")
        .says("did you mean `pull`?");
    project.runbook(&["logs", "1", "--step", "migrate"]).code(2).says("its steps are pull, verify");
    project.runbook(&["logs", "3", "--step", "pull"]).code(2).says("it has no steps at all");
    project.runbook(&["logs"]).code(2).says("error: which run?").says("`--search WORDS`");
    project.runbook(&["logs", "9"]).code(2).says("there is no run 9");
}

#[test]
fn following_ends_with_the_run_and_misses_no_line() {
    let script =
        "for number in 0..30 { info(`line ${number}`); sleep(\"20ms\"); } sh([\"sh\", \"-c\", \"echo last\"]);";
    let project = Project::script(script);
    let mut run = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until_a_run_exists(&project);
    let followed = project.runbook(&["logs", "last", "--follow"]).success().says("run 1 ok in ");
    run.wait().unwrap();
    let lines: Vec<&str> = followed.stdout.lines().collect();
    assert_eq!(lines.len(), 31, "{}", followed.stdout);
    assert!(lines[30].ends_with("last"));
}

#[test]
fn following_ends_when_the_process_is_gone() {
    let project = Project::script("info(\"here\"); sleep(\"10m\");");
    let mut run = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until_a_run_exists(&project);
    let follow = project.command(&["logs", "1", "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    Ran::from(follow.wait_with_output().unwrap()).success().says("run 1 killed after ");
}

#[test]
fn ctrl_c_ends_following() {
    let project = Project::script("info(\"here\"); sleep(\"10m\");");
    let mut run = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until_a_run_exists(&project);
    let mut follow = project.command(&["logs", "1", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(follow.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.ends_with("here\n"), "{line}");
    kill_process(Pid::from_raw(i32::try_from(follow.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    assert!(!follow.wait().unwrap().success());
    run.kill().unwrap();
    run.wait().unwrap();
}

fn until_a_run_exists(project: &Project) {
    let began = Instant::now();
    loop {
        let listed = project.runbook(&["runs", "--json"]).stdout;
        if serde_json::from_str::<Vec<Value>>(&listed).is_ok_and(|runs| !runs.is_empty()) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the run never began");
        std::thread::sleep(Duration::from_millis(10));
    }
}
