//! `runbook audit`: who had which secret put where, and who decided what.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::bucket::{Bucket, KEY, REGION};
use crate::harness::{Project, Redis, Registry};

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
fn nothing_of_it_is_cut() {
    let name = format!("DB_PASSWORD_{}", "OF_A_LONG_NAME".repeat(3));
    let script = format!("sh([\"true\"], #{{ env: #{{ PGPASSWORD: secret(\"{name}\") }} }});");
    let project = Project::script(&script).env(&name, "correct-horse-battery");
    project.run().success();
    project.runbook(&["audit"]).success().prints(&format!("{name} to sh, env.PGPASSWORD"));
}

/// The uses of secrets, each once: name, primitive, sink.
fn uses(project: &Project) -> BTreeSet<String> {
    let told = |deed: &Value| format!("{} {}: {}", deed["name"], deed["call"], deed["sink"]).replace('"', "");
    deeds(project, &[]).iter().map(told).collect()
}

#[test]
fn secrets_that_a_call_reads_by_name_are_told_with_what_they_open() {
    let (Some(bucket), Some(server)) = (Bucket::new("audit"), Redis::start(&[])) else { return };
    server.ask(&["config", "set", "requirepass", "correct-cache-word"]);
    let script = format!(
        "backup([\"data\", #{{ redis: \"{}\", password: \"CACHE\" }}], #{{ job: \"shop\" }});\n\
         backup(#{{ bucket: \"{}/media\", region: \"{REGION}\", style: \"path\", access_key: \"MEDIA\", secret_key: \"MEDIA_SECRET\" }}, #{{ job: \"media\" }});",
        server.address(),
        bucket.url(),
    );
    let project = Project::script(&script)
        .file("runbook.toml", &format!("[backup.main]\npassword = 'P'\n{}", bucket.lines()))
        .file("data/a", "a")
        .env("P", "correct-horse-battery")
        .env("CACHE", "correct-cache-word");
    let keys = [("ACCESS", KEY.0), ("SECRET", KEY.1), ("MEDIA", KEY.0), ("MEDIA_SECRET", KEY.1)];
    let project = keys.iter().fold(project, |project, (name, value)| project.env(name, value));
    project.runbook(&["backup", "init"]).success();
    project.run().success();
    let wanted = [
        "ACCESS backup: the bucket's access key",
        "CACHE backup: env.REDISCLI_AUTH",
        "MEDIA backup: the bucket's access key",
        "MEDIA_SECRET backup: the bucket's secret key",
        "P backup: the repository's password",
        "SECRET backup: the bucket's secret key",
    ];
    assert_eq!(uses(&project).into_iter().collect::<Vec<_>>(), wanted);
    // Two calls, each of which opens the repository more than once.
    assert_eq!(deeds(&project, &["--secret", "P"]).len(), 2);
    let all = deeds(&project, &[]).len();
    project.runbook(&["plan", "test.rhai"]).success();
    assert_eq!(deeds(&project, &[]).len(), all, "a plan leaves no trace");
    project.runbook(&["show", "1", "--verify"]).success();
}

#[test]
fn the_password_of_a_registry_is_told_before_the_registry_is_asked() {
    let Some(registry) = Registry::with_password("correct-registry-word") else { return };
    let address = &registry.address;
    let script = format!("docker().pull(\"{address}/none:1\");");
    let toml = format!("[registry.\"{address}\"]\nusername = \"deployer\"\npassword_env = \"REGISTRY_TOKEN\"\n");
    let project = Project::script(&script).file("runbook.toml", &toml).env("REGISTRY_TOKEN", "correct-registry-word");
    project.run().code(1);
    let wanted = format!("REGISTRY_TOKEN docker.pull: the login at {address}");
    assert_eq!(uses(&project), BTreeSet::from([wanted]));
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
