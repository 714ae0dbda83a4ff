use runbook::journal::Journal;
use serde_json::Value;

use crate::harness::{Lab, Project};
use crate::journal::new_run;

/// The lines about one thing, without the summary.
fn about<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| !line.contains(name));
    let first = lines.next();
    first.into_iter().chain(lines.take_while(|line| line.trim_start().starts_with("->"))).collect()
}

const NO_ENGINE: (&str, &str) = ("DOCKER_HOST", "unix:///nowhere/docker.sock");

#[test]
fn without_an_engine_it_says_how_to_get_one_and_exits_with_1() {
    let ran = Project::new().env(NO_ENGINE.0, NO_ENGINE.1).runbook(&["doctor"]).code(1);
    let lines = about(&ran.stdout, "Docker engine");
    assert!(lines[0].starts_with("missing  Docker engine"), "{}", ran.stdout);
    assert!(lines.iter().any(|line| line.contains("-> start it: sudo systemctl start docker")), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n1 missing"), "{}", ran.stdout);
}

#[test]
fn an_engine_is_shown_with_its_version_and_room() {
    let Some(lab) = Lab::start() else { return };
    let info = lab.run(lab.engine.info()).unwrap();
    let ran = Project::new().runbook(&["doctor"]).prints(&format!("{}, API {}", info.version, info.api_version));
    assert!(about(&ran.stdout, "room for images")[0].contains(&format!("free in {}", info.root)), "{}", ran.stdout);
}

#[test]
fn a_folder_without_a_project_is_sent_to_init() {
    let ran = Project::new().runbook(&["doctor"]);
    let lines = about(&ran.stdout, "project file");
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>().join(" "), "warn project file none here or above");
    assert_eq!(lines[1].trim(), "-> runbook init");
}

#[test]
fn files_that_an_environment_names_and_that_are_missing_are_named_with_the_cure() {
    let toml = "[env.demo]\ncompose_files = [\"compose.yaml\", \"extra.yaml\"]\nenv_file = \".env\"\n";
    let project = Project::new().file("runbook.toml", toml).file("compose.yaml", "").file(".env.example", "A=1\n");
    let ran = project.runbook(&["doctor"]).code(1);
    let lines = about(&ran.stdout, "files of demo");
    assert!(lines[0].ends_with("extra.yaml, .env not found"), "{}", ran.stdout);
    assert_eq!(lines[1].trim(), "-> put extra.yaml there, or correct [env.demo] in runbook.toml");
    assert_eq!(lines[2].trim(), "-> cp .env.example .env, and fill it in");
}

#[test]
fn a_project_file_that_does_not_parse_is_shown_with_its_line() {
    let ran = Project::new().file("runbook.toml", "[env.demo\n").runbook(&["doctor"]).code(1);
    assert!(!about(&ran.stdout, "missing  project file").is_empty(), "{}", ran.stdout);
    assert!(ran.stdout.contains("line 1"), "{}", ran.stdout);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_missing() {
    let ran = Project::new().env("RUNBOOK_STATE", "/proc/runbook").runbook(&["doctor"]).code(1);
    let lines = about(&ran.stdout, "state folder");
    assert!(lines[0].starts_with("missing"), "{}", ran.stdout);
    assert!(lines[2].contains("export RUNBOOK_STATE="), "{}", ran.stdout);
}

#[test]
fn a_run_whose_process_died_is_reported_once() {
    let project = Project::new();
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    drop(journal);
    let ran = project.runbook(&["doctor"]);
    let lines = about(&ran.stdout, &format!("run {run} "));
    assert!(lines[0].contains("its process died without saying how it ended"), "{}", ran.stdout);
    assert_eq!(lines[1].trim(), format!("-> runbook show {run}"));
    let again = project.runbook(&["doctor"]).prints("no dead runs, no locks held");
    assert!(!again.stdout.contains("process died"), "{}", again.stdout);
}

#[test]
fn json_holds_the_same_for_programs() {
    let ran = Project::new().env(NO_ENGINE.0, NO_ENGINE.1).runbook(&["doctor", "--json"]).code(1);
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(all[0]["name"], "Docker engine");
    assert_eq!(all[0]["state"], "missing");
    assert!(all[0]["fix"].as_array().is_some_and(|fixes| !fixes.is_empty()));
}
