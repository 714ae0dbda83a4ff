use runbook::drivers::docker::{HolderProcess, LockHolder, LockRequest};
use runbook::journal::{Journal, RunState};
use runbook::primitive::LogStream;
use serde_json::Value;

use crate::harness::{Lab, Project};
use crate::journal::chain::parked;
use crate::journal::{ended, line, new_run};

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
fn applications_that_are_locked_are_shown_with_their_holders() {
    let Some(lab) = Lab::start() else { return };
    let lock = |name: &str, run: i64, pid: i32| {
        let process = HolderProcess { pid, ..HolderProcess::current() };
        let (owner, project, run_uid) = ("ann@desk".into(), "/srv/shop".into(), run.to_string());
        let holder = LockHolder { owner, project, run, run_uid, process };
        let mut request = LockRequest::new(&lab.name(name), holder);
        lab.run(lab.engine.acquire_lock(&mut request, "migrate")).unwrap().unwrap()
    };
    let living = HolderProcess::current().pid;
    lock("busy", 1, living);
    lock("dead", 2, i32::MAX);
    lab.run(lab.engine.park_lock(&lock("asks", 3, living))).unwrap();
    let ran = Project::new().runbook(&["doctor"]);
    let lines = |name: &str| about(&ran.stdout, &format!("application {}", lab.name(name)));
    assert!(lines("busy")[0].starts_with("ok ") && lines("busy")[0].ends_with(", at `migrate`"), "{}", ran.stdout);
    assert!(lines("dead")[0].starts_with("warn") && lines("dead")[0].contains("its process is gone"), "{}", ran.stdout);
    assert_eq!(lines("dead")[1].trim(), "-> runbook resume 2, in /srv/shop");
    assert!(lines("asks")[0].ends_with("; the run waits for a person"), "{}", ran.stdout);
    assert_eq!(lines("asks")[1].trim(), "-> runbook show 3, in /srv/shop");
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
    assert!(ran.stdout.contains("runbook.toml:1:10: "), "{}", ran.stdout);
}

#[test]
fn a_state_folder_that_cannot_be_written_is_missing() {
    let ran = Project::new().env("RUNBOOK_STATE", "/proc/runbook").runbook(&["doctor"]).code(1);
    let lines = about(&ran.stdout, "state folder");
    assert!(lines[0].starts_with("missing"), "{}", ran.stdout);
    assert!(lines[2].contains("export RUNBOOK_STATE="), "{}", ran.stdout);
}

#[test]
fn a_run_whose_process_died_is_shown_with_what_can_be_done() {
    let project = Project::new();
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    drop(journal);
    let ran = project.runbook(&["doctor"]).prints("whole, the newest run is as it was recorded");
    let lines = about(&ran.stdout, &format!("warn     run {run} "));
    assert!(lines[0].contains("deploy.rhai on prod was interrupted: its process ("), "{}", ran.stdout);
    assert_eq!(lines[1].trim(), "-> runbook resume 1");
    assert_eq!(lines[2].trim(), "-> or undo what it did: runbook cancel 1");
}

#[test]
fn runs_that_wait_for_somebody_are_shown_with_the_command_to_type() {
    let project = Project::new();
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    for state in [RunState::Waiting, RunState::InDoubt] {
        let run = journal.begin(&new_run()).unwrap();
        journal.record(run, &crate::harness::fit(&parked(run, state, "3.1"))).unwrap();
    }
    let shown = project.runbook(&["doctor"]).stdout;
    assert!(
        about(&shown, "warn     run 1 ")[0].ends_with("deploy.rhai on prod waits for an answer to `go on?`"),
        "{shown}"
    );
    assert_eq!(about(&shown, "warn     run 1 ")[1].trim(), "-> runbook approve 1, or runbook reject 1");
    assert!(
        about(&shown, "warn     run 2 ")[0].ends_with("is in doubt about `go on?`: nobody knows whether it happened"),
        "{shown}"
    );
    assert_eq!(about(&shown, "warn     run 2 ")[1].trim(), "-> runbook resolve 2 3.1 with --done, --retry or --fail");
}

#[test]
fn a_run_log_that_was_altered_is_missing_something_and_says_how_to_look() {
    let project = Project::new();
    let state = project.path().join(".runbook");
    let journal = Journal::open(&state).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    journal.record(run, &crate::harness::fit(&ended(run, RunState::Ok, None))).unwrap();
    let connection = rusqlite::Connection::open(state.join("journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET started_by = 'eve@desk'", []).unwrap();
    let ran = project.runbook(&["doctor"]).code(1);
    let lines = about(&ran.stdout, "missing  run log ");
    assert!(
        lines[0].ends_with("run 1 is not as it was recorded: entry 1, run 1: the recorded `started_by` was altered"),
        "{lines:?}"
    );
    assert_eq!(lines[1].trim(), "-> runbook show 1 --verify");
}

#[test]
fn output_beyond_what_is_allowed_is_said() {
    let project = Project::new().file("runbook.toml", "[logs]\nmax_size = \"4kB\"\n");
    let journal = Journal::open(&project.path().join(".runbook")).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    journal.record(run, &crate::harness::fit(&line("", LogStream::Info, "hello"))).unwrap();
    drop(journal);
    let shown = project.runbook(&["doctor"]).stdout;
    assert!(about(&shown, "log lines")[0].contains("of output in 1 month, 3.9 KiB allowed"), "{shown}");
    assert_eq!(about(&shown, "log lines")[1].trim(), "-> runbook state prune");
}

#[test]
fn json_holds_the_same_for_programs() {
    let ran = Project::new().env(NO_ENGINE.0, NO_ENGINE.1).runbook(&["doctor", "--json"]).code(1);
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(all[0]["name"], "Docker engine");
    assert_eq!(all[0]["state"], "missing");
    assert!(all[0]["fix"].as_array().is_some_and(|fixes| !fixes.is_empty()));
}
