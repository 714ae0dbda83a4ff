//! `runbook backup key`: several passwords for one repository, as `restic` has them.

use std::process::Command;

use serde_json::Value;

use super::project;
use crate::harness::skip;

#[test]
fn keys_are_listed_added_used_and_removed() {
    let project = project().env("NEW", "another password");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["backup", "key", "add", "--new-password", "MISSING"]).code(2).says("MISSING");
    let added = project.runbook(&["backup", "key", "add", "--new-password", "NEW", "--json"]).success();
    added.never_says("another password");
    let keys = || -> Vec<Value> {
        let listed = project.runbook(&["backup", "key", "list", "--json"]).success();
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        listed["keys"].as_array().unwrap().clone()
    };
    let all = keys();
    assert_eq!(all.len(), 2);
    let of = |current: bool| {
        let found = all.iter().find(|key| key["current"] == Value::Bool(current)).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    project.runbook(&["backup", "key", "list"]).success().prints(&of(true)[..8]).prints(&of(false)[..8]);
    let restic = |password: &str| {
        let mut command = Command::new("restic");
        command.args(["--no-cache", "-q", "-r", "store", "snapshots"]).current_dir(project.path());
        command.env("RESTIC_PASSWORD", password).output().ok().map(|output| output.status.success())
    };
    match restic("another password") {
        None => skip("restic (apt-get install restic)"),
        Some(opened) => assert!(opened),
    }
    project.runbook(&["backup", "key", "remove", "zz"]).code(2).says("there is no key `zz`");
    let own = of(true);
    project.runbook(&["backup", "key", "remove", &own[..8]]).code(2).says("it cannot be removed");
    project.runbook(&["backup", "key", "remove", &of(false)[..8]]).success().says("opens main no more");
    assert_eq!(keys().len(), 1);
    assert_ne!(restic("another password"), Some(true));
    assert_ne!(restic("correct horse"), Some(false));
    // The same without a secret of the project.
    project.runbook(&["backup", "key", "add"]).code(2).says("--new-password");
}

#[test]
fn the_commands_that_init_prints_read_the_repository() {
    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let project = project();
    let said = project.runbook(&["backup", "init"]).success().stderr;
    project.runbook(&["run", "save.rhai"]).success();
    let lines = said.lines().map(str::trim).filter(|line| line.starts_with("export ") || line.starts_with("restic "));
    let script: Vec<String> =
        lines.map(|line| line.replace("/tmp/restored", "restored").replace("restic ", "restic --no-cache ")).collect();
    assert_eq!(script.len(), 4, "{said}");
    // `runbook` is the one of this test, and asks the environment that it was given.
    let folder = project.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_runbook"), folder.join("runbook")).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-exc", &script.join("\n")]).current_dir(project.path()).env("PATH", path);
    let ran = command.env("STORE_PASSWORD", "correct horse").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && text.contains("no errors were found"), "{text}");
    assert_eq!(project.read("restored/data/uploads/a.txt"), "hello\n");
}
