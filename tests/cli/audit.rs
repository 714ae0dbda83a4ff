//! `runbook audit`: who had which secret put where, and who decided what.

use serde_json::Value;

use crate::harness::Project;

fn project() -> Project {
    let script = r#"
        let password = secret("DB_PASSWORD");
        sh(["true"], #{ env: #{ PGPASSWORD: password, OTHER: "plain" } });
        file("out").write(password.base64() + "\n", #{ mode: "0600" });
        confirm("Go on?");
        sh(["true"], #{ stdin: `a ${password} b` });"#;
    Project::script(script).env("DB_PASSWORD", "correct-horse-battery")
}

fn deeds(project: &Project, options: &[&str]) -> Vec<Value> {
    let ran = project.runbook(&[&["audit", "--json"], options].concat()).success();
    assert!(!ran.stdout.contains("correct"), "{}", ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn every_use_of_a_secret_and_every_decision_is_told() {
    let project = project();
    project.run().code(3);
    project.runbook(&["approve", "1"]).success();
    let all = deeds(&project, &[]);
    let told: Vec<String> = all
        .iter()
        .map(|deed| match deed["deed"].as_str().unwrap() {
            "secret" => format!("{} {} {}", deed["name"], deed["call"], deed["sink"]).replace('"', ""),
            _ => format!("{} {}", deed["deed"], deed["decision"]).replace('"', ""),
        })
        .collect();
    let wanted = [
        "DB_PASSWORD sh env.PGPASSWORD",
        "base64(DB_PASSWORD) file.write text",
        "decision approve",
        "DB_PASSWORD sh stdin",
    ];
    assert_eq!(told, wanted);
    assert!(all.iter().all(|deed| deed["by"].as_str().unwrap().starts_with("tester") && deed["run"] == 1));
    let shown = project.runbook(&["audit"]).success();
    shown.prints("DB_PASSWORD to sh, env.PGPASSWORD").prints("approve call");
}

#[test]
fn it_is_asked_about_one_secret_person_or_environment() {
    let project = project();
    project.run().code(3);
    assert_eq!(deeds(&project, &["--secret", "DB_PASSWORD"]).len(), 2);
    assert_eq!(deeds(&project, &["--secret", "PASSWORD"]).len(), 0);
    assert_eq!(deeds(&project, &["--by", "tester"]).len(), 2);
    assert_eq!(deeds(&project, &["--by", "somebody"]).len(), 0);
    assert_eq!(deeds(&project, &["--env", "default"]).len(), 2);
    assert_eq!(deeds(&project, &["--env", "prod"]).len(), 0);
    assert_eq!(deeds(&project, &["--since", "1h"]).len(), 2);
    project.runbook(&["audit", "--by", "somebody"]).success().says("nothing of the kind has happened");
    Project::new().runbook(&["audit"]).success().says("no runs yet");
}

#[test]
fn a_run_log_that_was_altered_is_told() {
    let project = project();
    project.run().code(3);
    let connection = rusqlite::Connection::open(project.path().join(".runbook/journal.sqlite")).unwrap();
    let changed = connection
        .execute("UPDATE entry SET body = replace(body, 'PGPASSWORD', 'SOMETHING') WHERE body LIKE '%PGPASSWORD%'", [])
        .unwrap();
    assert_eq!(changed, 1);
    project.runbook(&["audit"]).code(1).says("what the run log says of run 1 was altered");
}
