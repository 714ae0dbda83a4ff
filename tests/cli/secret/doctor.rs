//! What `runbook secret doctor` finds.

use super::{PROD, Vault};

#[test]
fn weak_shared_and_old_values_are_named_and_not_shown() {
    let vault = Vault::begun();
    vault.fed("alice", &["set", "SHORT", "--env", "demo"], "hunter2").success();
    vault.fed("alice", &["set", "EMPTY", "--env", "demo"], "changeme").success();
    vault.fed("alice", &["set", "SHARED", "--env", "demo"], "one and the same").success();
    vault.set("SHARED_TOO", "one and the same");
    let ran = vault.as_alice(&["doctor", "--stale", "1ms"]).code(1);
    ran.stdout.lines().for_each(|line| assert!(!line.contains("hunter2") && !line.contains("one and the"), "{line}"));
    let ran = ran
        .prints("SHORT of demo")
        .prints("is shorter than 8 characters")
        .prints("is a placeholder, not a value")
        .prints("SHARED of demo, SHARED_TOO of prod have the same value")
        .prints("not changed for 0 days: SHARED_TOO")
        .prints("secrets/prod.toml")
        .prints("1 secret, serial 1, sealed to alice, recovery");
    assert!(ran.stdout.contains("-> runbook secret set SHORT --env demo"), "{}", ran.stdout);
    let json = vault.as_alice(&["doctor", "--json"]).code(1).stdout;
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert!(json.iter().any(|found| found["name"] == "EMPTY of demo" && found["state"] == "missing"));
    assert!(
        !json.iter().any(|found| found["found"].as_str().unwrap().contains("not changed for")),
        "a year has not passed"
    );
}

#[test]
fn plain_files_in_git_are_found_and_examples_are_not() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.git(&["init", "-q"]);
    vault.write(".env", "POSTGRES_PASSWORD=correct-horse\nPORT=80\n");
    vault.write(".env.example", "POSTGRES_PASSWORD=filled-in-here\n");
    vault.write("prod.env", "API_TOKEN=changeme\n");
    vault.git(&["add", "-A", "-f"]);
    let ran = vault
        .as_alice(&["doctor"])
        .code(1)
        .prints("is in git, unsealed, with POSTGRES_PASSWORD")
        .prints("git rm --cached .env");
    assert!(
        !ran.stdout.contains("correct-horse") && !ran.stdout.contains("example") && !ran.stdout.contains("prod.env"),
        "{}",
        ran.stdout
    );
    vault.git(&["rm", "-q", "--cached", ".env"]);
    vault.as_alice(&["doctor"]).success();
}

#[test]
fn a_refused_file_and_a_missing_key_are_told() {
    let vault = Vault::begun();
    vault.set("ALPHA", "the first value");
    vault.as_person("visitor", &["doctor"]).success().prints("none here: values are not looked at");
    vault.card("eve");
    vault.as_person("eve", &["doctor"]).code(1).prints("is not on the list of people");
    vault.write(PROD, &vault.read(PROD).replacen("serial = 1", "serial = 2", 1));
    vault.as_alice(&["doctor"]).code(1).prints("secrets/prod.toml is refused: it is not as `alice` signed it");
}
