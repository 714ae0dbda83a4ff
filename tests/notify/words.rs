//! What each message says: what happened, where, why, what was seen, the last good run, and what to type.

use runbook::journal::{FireChange, Journal, RunState};
use runbook::primitive::Effect;
use rustix::process::Signal;
use serde_json::Value;

use crate::harness::Project;
use crate::journal::{chain::parked, new_run, record, started};

/// Everything that is told comes into a file, a line each.
const EVERYTHING: &str = "[project]\nname = 'shop'\n[env.prod]\n\
    [notify.channel.file]\nkind = 'command'\nargv = ['sh', '-c', 'cat >> told.jsonl; echo >> told.jsonl']\n";

const RULE: &str = "[[notify.rule]]\nto = ['file']\nenv = []\n";

fn project(more: &str) -> Project {
    Project::new().file("deploy.rhai", super::RUNBOOK).file("runbook.toml", &format!("{EVERYTHING}{more}"))
}

fn told(project: &Project) -> Vec<Value> {
    let text = std::fs::read_to_string(project.path().join("told.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The newest message, which is about that.
fn newest(project: &Project, event: &str) -> Value {
    let message = told(project).pop().unwrap();
    assert_eq!(message["event"], event, "{message}");
    assert!(!message["machine"].as_str().unwrap().is_empty() && message["project"] == "shop", "{message}");
    message
}

fn says(message: &Value, key: &str, words: &str) {
    assert!(message[key].as_str().is_some_and(|text| text.contains(words)), "`{key}` lacks {words:?}: {message}");
}

fn journal(project: &Project) -> Journal {
    Journal::open(&project.path().join(".runbook")).unwrap()
}

#[test]
fn of_a_failure_and_of_its_end() {
    let project = project(RULE);
    project.runbook(&["run", "deploy.rhai"]).success();
    project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1);
    let failed = newest(&project, "failed");
    says(&failed, "where", "step `migrate`, deploy.rhai:4:");
    says(&failed, "why", "exited with code 3");
    assert!(failed["evidence"].to_string().contains("the table is locked"), "{failed}");
    assert_eq!((&failed["last_good"]["run"], &failed["command"]), (&1.into(), &"runbook show 2".into()));

    project.runbook(&["run", "deploy.rhai"]).success();
    let recovered = newest(&project, "recovered");
    assert_eq!(recovered["summary"], "deploy.rhai works again on prod");
    assert_eq!((&recovered["last_good"]["run"], &recovered["command"]), (&1.into(), &"runbook show 3".into()));
    assert_eq!(told(&project).len(), 2);
}

#[test]
fn of_a_run_that_waits_and_of_one_that_is_in_doubt() {
    let project =
        project(RULE).file("ask.rhai", "step(\"clean up\", || {\n    confirm(\"remove everything?\");\n});\n");
    project.runbook(&["run", "ask.rhai"]).code(3);
    let waiting = newest(&project, "waiting");
    assert_eq!(waiting["summary"], "ask.rhai waits for somebody on prod");
    says(&waiting, "where", "step `clean up`, ask.rhai:2:");
    says(&waiting, "why", "remove everything?");
    assert_eq!(waiting["command"], "runbook approve 1, or runbook reject 1");
    project.runbook(&["approve", "1"]).success();
    project.runbook(&["run", "ask.rhai"]).code(3);
    assert_eq!(newest(&project, "waiting")["last_good"]["run"], 1);

    project.runbook(&["run", "deploy.rhai"]).success();
    let log = journal(&project);
    let run = log.begin(&new_run()).unwrap();
    let call = started("1", "sh", "sh migrate", Effect::Change);
    record(&log, run, &[call, parked(run, RunState::InDoubt, "1")]);
    drop(log);
    project.runbook(&["serve", "--once"]).success();
    let doubt = newest(&project, "in_doubt");
    assert_eq!(doubt["summary"], "deploy.rhai does not know what became of a call on prod");
    says(&doubt, "where", "deploy.rhai:7:1");
    assert!(doubt["why"].is_string() && doubt["last_good"]["run"] == 3, "{doubt}");
    assert_eq!(doubt["command"], format!("runbook show {run}"));
}

#[test]
fn of_a_run_that_takes_too_long() {
    let script = "//! @param seconds: string = \"0s\"\nstep(\"copy\", || {\n    sleep(param(\"seconds\"));\n});\n";
    let project = project(&format!("{RULE}longer_than = '1s'\n")).file("long.rhai", script);
    project.runbook(&["run", "long.rhai"]).success();
    assert!(told(&project).is_empty());
    project.interrupted(&["run", "long.rhai", "--seconds", "1h"], Signal::INT, || !told(&project).is_empty());
    let long = told(&project).remove(0);
    assert_eq!((&long["event"], &long["summary"]), (&"too_long".into(), &"long.rhai takes too long on prod".into()));
    says(&long, "where", "step `copy`, long.rhai:3:");
    says(&long, "why", "it has run for longer than 1s; the last good one took ");
    assert_eq!((&long["last_good"]["run"], &long["command"]), (&1.into(), &"runbook logs 2 --follow".into()));
    let again = told(&project).iter().filter(|message| message["event"] == "too_long").count();
    assert_eq!(again, 1);
}

#[test]
fn of_what_nobody_was_there_for() {
    let now = jiff::Timestamp::now().as_second();
    let at = |second: i64| jiff::Timestamp::from_second(second).unwrap();
    let project = project(&format!(
        "[schedule.twice]\nrunbook = 'deploy.rhai'\nenv = 'prod'\nat = ['{}', '{}']\n\
         {RULE}events = ['late', 'missed', 'failed']\n",
        at(now - 1_000),
        at(now - 120)
    ));
    project.runbook(&["run", "deploy.rhai"]).success();
    project.runbook(&["schedule", "list"]).success();
    let log = journal(&project);
    let definition = log.schedules().unwrap()[0].definition.clone();
    log.change_fires(&[FireChange::Register { name: "twice".into(), definition, accounted: now - 2_000 }]).unwrap();
    project.runbook(&["serve", "--once"]).success();
    let told = told(&project);
    let of = |event: &str| told.iter().find(|message| message["event"] == event).unwrap_or_else(|| panic!("{told:?}"));
    let missed = of("missed");
    assert_eq!(missed["summary"], "deploy.rhai was missed on prod");
    says(missed, "why", "nobody was there for the run of `twice` at 20");
    let late = of("late");
    assert_eq!((&late["summary"], &late["schedule"]), (&"deploy.rhai begins late on prod".into(), &"twice".into()));
    says(late, "why", "nobody was there at its time: it was due at 20");
    for message in [missed, late] {
        assert_eq!(message["last_good"]["run"], 1, "{message}");
        assert_eq!(message["command"], "runbook schedule history twice");
    }
}

#[test]
fn of_a_scheduled_run_that_could_not_begin() {
    let project = project(&format!("[schedule.wrong]\nrunbook = 'wrong.rhai'\nenv = 'prod'\nevery = '1d'\n{RULE}"))
        .file("wrong.rhai", "no_such_thing();\n");
    project.runbook(&["run", "deploy.rhai"]).success();
    project.runbook(&["schedule", "list"]).success();
    let now = jiff::Timestamp::now().as_second();
    let expect = FireChange::Expect { schedule: "wrong".into(), at: now, due: now, late: false, skip: None };
    journal(&project).change_fires(&[expect]).unwrap();
    project.runbook(&["serve", "--once"]).success();
    let failed = newest(&project, "failed");
    assert_eq!(failed["summary"], "wrong.rhai could not begin on prod");
    says(&failed, "why", "no_such_thing");
    assert_eq!((&failed["schedule"], &failed["command"]), (&"wrong".into(), &"runbook schedule history wrong".into()));
}

#[test]
fn of_backups_and_drills() {
    let project = project(&format!(
        "[backup.main]\npath = 'store'\npassword = 'P'\nmax_age = '1s'\nmax_drill_age = '1s'\n\
         {RULE}events = ['backup_too_old', 'drill_failed', 'drill_overdue']\n"
    ))
    .file("save.rhai", "//! Save.\nbackup(\"uploads\", #{ job: \"shop\" });\n")
    .file("drill.rhai", "//! Try it out.\nlet got = restore(\"latest\", \"drill\");\nstep(\"look\", || sh([\"test\", \"-f\", \"drill/lost\"]));\nbackup_drilled(got);\n")
    .file("uploads/a", "a")
    .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai"]).success();
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    project.runbook(&["run", "drill.rhai"]).code(1);
    let told = told(&project);
    let of = |event: &str| told.iter().find(|message| message["event"] == event).unwrap_or_else(|| panic!("{told:?}"));
    let failed = of("drill_failed");
    assert_eq!(
        (&failed["summary"], &failed["command"]),
        (&"drill.rhai failed on prod".into(), &"runbook show 2".into())
    );
    says(failed, "where", "step `look`, drill.rhai:3:");
    says(failed, "why", "exited with code 1");
    let old = of("backup_too_old");
    says(old, "summary", "backup shop: the newest snapshot of shop is ");
    says(old, "summary", "old, and 1s are allowed");
    says(old, "where", "repository `main`");
    let overdue = of("drill_overdue");
    says(overdue, "summary", "the last restore drill of shop never was, and 1s are allowed");
    for message in [old, overdue] {
        assert_eq!(message["command"], "runbook backup list --repository main");
    }
}
