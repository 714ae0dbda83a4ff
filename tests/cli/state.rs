use runbook::journal::{Journal, RunState};
use runbook::primitive::LogStream;
use serde_json::Value;

use crate::harness::Project;
use crate::journal::{ended, line, new_run};

/// A project with one run that ended.
fn with_a_run() -> Project {
    let project = Project::new();
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    journal.record(run, &crate::harness::fit(&line("", LogStream::Info, "hello"))).unwrap();
    journal.record(run, &crate::harness::fit(&ended(run, RunState::Ok, None))).unwrap();
    project
}

fn alter(project: &Project) {
    let connection = rusqlite::Connection::open(project.path().join(".runbook/journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET started_by = 'eve@desk'", []).unwrap();
}

#[test]
fn a_run_is_verified_by_show() {
    let project = with_a_run();
    let shown = project.runbook(&["show", "1", "--verify"]).success().stdout;
    assert!(shown.starts_with("run 1 is as it was recorded\n2 entries, the last with hash "), "{shown}");
    alter(&project);
    let shown = project.runbook(&["show", "last", "--verify"]).code(1).stdout;
    assert_eq!(shown, "run 1 is not as it was recorded\n  entry 1, run 1: the recorded `started_by` was altered\n");
    let shown = project.runbook(&["show", "1", "--verify", "--json"]).code(1).stdout;
    let verdict: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(verdict["problems"][0]["entry"], 1);
}

#[test]
fn the_bytes_of_the_run_log_are_noted_at_the_end_of_the_first_run() {
    let project = Project::script("file(\"a\").write(\"1\");");
    project.run().success();
    let file = project.path().join(".runbook/journal.sqlite").metadata().unwrap();
    let written = file.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let noted = project.read(".runbook/bytes");
    assert!(noted.starts_with(&format!("{written} {} ", file.len())), "{noted}");
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn the_whole_run_log_is_verified() {
    let project = with_a_run();
    let shown = project.runbook(&["state", "verify"]).success().stdout;
    assert_eq!(shown, "1 run with 2 entries: everything is as it was recorded\n");
    alter(&project);
    let shown = project.runbook(&["state", "verify"]).code(1).stdout;
    assert!(shown.contains("the recorded `started_by` was altered"), "{shown}");
}

#[test]
fn a_copy_says_what_it_holds_and_can_be_read_like_the_original() {
    let project = with_a_run();
    let to = project.path().join("copy");
    let shown = project.runbook(&["state", "copy", "copy"]).success().stdout;
    assert!(shown.contains("journal.sqlite ") && shown.contains("logs-20"), "{shown}");
    assert!(shown.ends_with("everything is as it was recorded\n"), "{shown}");
    let copied = project.env("RUNBOOK_STATE", to.to_str().unwrap());
    assert!(copied.runbook(&["show", "1"]).success().stdout.starts_with("run 1: deploy.rhai on prod\n"));
    copied.runbook(&["state", "copy", "copy"]).code(2);
}

#[test]
fn months_are_dropped_as_the_project_file_says() {
    let project = with_a_run().file("runbook.toml", "[logs]\nkeep = \"30d\"\n");
    let shown = project.runbook(&["state", "prune"]).success().stdout;
    assert!(shown.ends_with(" of log lines left\n") && !shown.contains("dropped"), "{shown}");
    let old = project.path().join(".runbook/logs-2020-01.sqlite");
    std::fs::write(&old, "").unwrap();
    let shown = project.runbook(&["state", "prune"]).success().stdout;
    assert!(shown.starts_with("dropped 2020-01, 0 B\n"), "{shown}");
    assert!(!old.exists());
}

#[test]
fn a_retention_that_cannot_be_read_is_shown_with_line_and_column() {
    let project = with_a_run().file("runbook.toml", "[project]\n\n[logs]\nkeep = \"90\"\n");
    let ran = project.runbook(&["state", "prune"]).code(2);
    assert!(ran.stderr.contains("runbook.toml:4:8: "), "{}", ran.stderr);
    assert!(ran.stderr.contains("`90` is not a duration"), "{}", ran.stderr);
}

#[test]
fn without_a_run_log_there_is_nothing_to_copy() {
    let ran = Project::new().runbook(&["state", "verify"]).code(2);
    assert!(ran.stderr.contains("there is no run log in"), "{}", ran.stderr);
}
