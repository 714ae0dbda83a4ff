//! Protected environments: a person approves, within the hours that are allowed, and no data goes by itself.

use crate::harness::{Project, at_terminal, has_script};

fn project(policy: &str) -> Project {
    let project = Project::script("//! @needs write out/**\nfile(\"out/one\").write(\"x\");\n").file("out/kept", "");
    let project = project.file("runbook.toml", "[env.prod]\nprotected = true\n");
    if policy.is_empty() { project } else { project.file("policy.toml", policy) }
}

#[test]
fn a_run_waits_until_it_is_approved() {
    let project = project("");
    project.runbook(&["run", "test.rhai"]).code(3);
    assert!(!project.path().join("out/one").exists());
    project.runbook(&["runs"]).success().prints("waiting");
    project.runbook(&["approve", "1"]).success();
    assert_eq!(project.read("out/one"), "x");
}

#[test]
fn yes_to_every_question_is_no_approval() {
    let project = project("");
    project.runbook(&["run", "test.rhai", "--yes"]).code(3);
    assert!(!project.path().join("out/one").exists());
}

#[test]
fn a_run_that_is_rejected_does_nothing() {
    let project = project("");
    project.runbook(&["run", "test.rhai"]).code(3);
    project.runbook(&["reject", "1", "--reason", "not on a Friday"]).code(1).says("not on a Friday");
    assert!(!project.path().join("out/one").exists());
}

#[test]
fn a_runbook_that_is_let_through_needs_no_approval() {
    project("[env.prod]\nallow = [\"write out/**\"]\nunattended = [\"test.rhai\"]\n")
        .runbook(&["run", "test.rhai"])
        .success();
    project("[env.prod]\nallow = [\"write out/**\"]\nunattended = [\"other.rhai\"]\n")
        .runbook(&["run", "test.rhai"])
        .code(3);
    project("[env.prod]\nallow = [\"write out/**\"]\napproval = false\n").runbook(&["run", "test.rhai"]).success();
}

#[test]
fn outside_of_the_hours_nothing_begins() {
    let rules =
        |window: &str| format!("[env.prod]\nallow = [\"write out/**\"]\napproval = false\nwindows = [\"{window}\"]\n");
    project(&rules("00:00-24:00")).runbook(&["run", "test.rhai"]).success();
    // A minute that is half a day away.
    let hour = (jiff::Timestamp::now().as_second() / 3600 + 12) % 24;
    let closed = project(&rules(&format!("{hour:02}:00-{hour:02}:01 UTC")));
    closed.runbook(&["run", "test.rhai"]).code(2).says("lets runs on `prod` begin only").says("the next time is");
    assert!(!closed.path().join("out/one").exists());
}

#[test]
fn what_counted_is_in_the_run_log() {
    let project = project("[env.prod]\nallow = [\"write out/**\"]\napproval = false\n");
    let ran = project.runbook(&["run", "test.rhai", "--json", "--deny", "docker *"]).success();
    let applied = ran.stdout.lines().find(|line| line.contains("policy_applied")).unwrap().to_owned();
    let event: serde_json::Value = serde_json::from_str(&applied).unwrap();
    assert_eq!(event["policy"]["declared"], "write out/**");
    assert_eq!(event["policy"]["allowed"], "write out/**");
    assert_eq!(event["policy"]["narrowing"]["deny"][0], "docker *");
    assert_eq!(event["policy"]["file"].as_str().unwrap().len(), 64);
    project.runbook(&["state", "verify"]).success();
    let deeds = |project: &Project| -> Vec<serde_json::Value> {
        serde_json::from_str(&project.runbook(&["audit", "--json"]).success().stdout).unwrap()
    };
    let first = deeds(&project);
    assert_eq!((first.len(), &first[0]["deed"], &first[0]["before"]), (1, &"policy_changed".into(), &().into()));
    project.runbook(&["run", "test.rhai"]).success();
    assert_eq!(deeds(&project).len(), 1, "nothing was changed since");
    project.file_now("policy.toml", "[env.prod]\nallow = [\"write **\"]\napproval = false\n");
    project.runbook(&["run", "test.rhai"]).success();
    let all = deeds(&project);
    assert_eq!((all.len(), &all[1]["run"], &all[1]["before"]), (2, &3.into(), &first[0]["now"]));
    assert!(all[1]["by"].as_str().unwrap().starts_with("tester@"));
    project.runbook(&["audit"]).success().prints("first run with another policy.toml: ");
}

#[test]
fn at_a_terminal_the_name_of_the_environment_approves_and_nothing_else_does() {
    if !has_script() {
        return;
    }
    for (answer, approves) in [("prod\r", true), ("y\r", false), ("yes\r", false), ("PROD\r", false), ("\r", false)] {
        let project = project("");
        let answers = [("prod", answer.as_bytes())];
        let (shown, is_ok) = at_terminal(&project, &[], &["run", "test.rhai"], &answers);
        assert_eq!((is_ok, project.path().join("out/one").exists()), (approves, approves), "{answer:?}: {shown}");
    }
}
