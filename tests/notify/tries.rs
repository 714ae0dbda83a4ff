//! Schedules that try again: people are told when the last try failed, and once.

use runbook::journal::{FireChange, FireState, Journal};
use serde_json::Value;

use crate::harness::Project;

/// Fails so often as the file `failures` has lines, and takes one away each time.
const FLAKY: &str = "sh([\"sh\", \"-c\", \"test -s failures || exit 0; sed -i 1d failures; exit 3\"]);\n";

/// A project whose schedule is tried three times; everything that is told comes into a file, a line each.
fn project(failures: usize, schedule: &str) -> Project {
    let text = format!(
        "[project]\nname = 'shop'\n[env.prod]\n[notify.channel.file]\nkind = 'command'\n\
         argv = ['sh', '-c', 'cat >> told.jsonl; echo >> told.jsonl']\n[[notify.rule]]\nto = ['file']\n{schedule}"
    );
    Project::new().file("flaky.rhai", FLAKY).file("failures", &"x\n".repeat(failures)).file("runbook.toml", &text)
}

const NIGHTLY: &str = "[schedule.nightly]\nrunbook = 'flaky.rhai'\nenv = 'prod'\nevery = '1d'\n";

fn told(project: &Project) -> Vec<Value> {
    let text = std::fs::read_to_string(project.path().join("told.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn journal(project: &Project) -> Journal {
    Journal::open(&project.path().join(".runbook")).unwrap()
}

/// Has its schedule fire now.
fn fire(project: &Project) {
    let at = jiff::Timestamp::now().as_second();
    let change = FireChange::Expect { schedule: "nightly".into(), at, due: at, late: false, skip: None };
    journal(project).change_fires(&[change]).unwrap();
}

/// Serves until no fire is left that waits for another try.
fn serve(project: &Project) {
    for _ in 0..40 {
        project.runbook(&["serve", "--once"]).success();
        if journal(project).open_fires().unwrap().is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("it is still open: {:?}", journal(project).open_fires().unwrap());
}

#[test]
fn what_fails_each_time_is_told_when_the_last_try_failed() {
    let project = project(3, &format!("{NIGHTLY}retries = 2\nbackoff = '1s'\n"));
    project.runbook(&["schedule", "list"]).success();
    fire(&project);
    project.runbook(&["serve", "--once"]).success();
    assert_eq!(journal(&project).open_fires().unwrap()[0].attempt, 2);
    assert!(told(&project).is_empty(), "another try is still to come: {:?}", told(&project));
    serve(&project);
    let messages = told(&project);
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0];
    assert_eq!(message["event"], "failed");
    assert_eq!(message["summary"], "flaky.rhai failed 3 times on prod");
    assert_eq!((&message["schedule"], &message["tries"]), (&"nightly".into(), &3.into()));
    assert_eq!(message["command"], "runbook show 3");

    project.runbook(&["run", "flaky.rhai"]).success();
    let messages = told(&project);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[1]["event"], "recovered");
}

#[test]
fn what_another_try_mended_is_no_news() {
    let project = project(1, &format!("{NIGHTLY}retries = 2\nbackoff = '1s'\n"));
    project.runbook(&["schedule", "list"]).success();
    fire(&project);
    serve(&project);
    assert_eq!(journal(&project).fire_of(1).unwrap().unwrap().run, Some(2), "the fire is found by each of its tries");
    project.runbook(&["run", "flaky.rhai"]).success();
    assert!(told(&project).is_empty(), "{:?}", told(&project));
}

#[test]
fn a_failure_is_told_though_the_schedule_was_removed_before_the_next_try() {
    let project = project(9, &format!("{NIGHTLY}retries = 2\nbackoff = '1s'\n"));
    project.runbook(&["schedule", "list"]).success();
    fire(&project);
    project.runbook(&["serve", "--once"]).success();
    assert!(told(&project).is_empty(), "{:?}", told(&project));
    let without = project.read("runbook.toml").split("[schedule").next().unwrap().to_owned();
    project.file_now("runbook.toml", &without);
    serve(&project);
    let messages = told(&project);
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!((&messages[0]["event"], &messages[0]["tries"]), (&"failed".into(), &1.into()));
    assert_eq!(messages[0]["summary"], "flaky.rhai failed on prod");
}

#[test]
fn without_another_try_a_failure_is_told_at_once_and_once() {
    let project = project(1, NIGHTLY);
    project.runbook(&["schedule", "list"]).success();
    project.runbook(&["schedule", "run", "nightly"]).code(1);
    assert_eq!(told(&project).len(), 1, "{:?}", told(&project));
    let fires = journal(&project).fires(&runbook::journal::FireFilter::default()).unwrap();
    assert_eq!(fires[0].state, FireState::Ran);
    project.runbook(&["serve", "--once"]).success();
    let messages = told(&project);
    assert_eq!(messages.len(), 1, "the end of the fire is the same news: {messages:?}");
    assert_eq!((&messages[0]["summary"], &messages[0]["tries"]), (&"flaky.rhai failed on prod".into(), &1.into()));
}
