//! `runbook backup`: the story of a repository, from the command line.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Project, skip};

const FILE: &str = "[project]
name = 'shop'

[backup.main]
path = 'store'
password = 'STORE_PASSWORD'
keep = { last = 1, tags = ['pinned'] }
max_age = '26h'
";

fn project() -> Project {
    Project::new()
        .file("runbook.toml", FILE)
        .file("uploads/a.txt", "hello\n")
        .file("save.rhai", "//! Save.\ninfo(backup(\"uploads\").parts[0]);\n")
        .file("pinned.rhai", "//! Save.\nbackup(\"uploads\", #{ tags: [\"pinned\"] });\n")
        .env("STORE_PASSWORD", "correct horse")
}

#[test]
fn a_repository_is_made_filled_looked_at_thinned_out_and_restored_from() {
    let project = project();
    let ran = project.runbook(&["run", "save.rhai"]).code(1);
    ran.says("there is no repository in").says("runbook backup init");

    let ran = project.runbook(&["backup", "init"]).success();
    ran.says("made the repository main in").says("restic -r").says("check --read-data").never_says("correct horse");
    project.runbook(&["backup", "init"]).code(2).says("there is a repository in");
    for runbook in ["pinned.rhai", "save.rhai", "save.rhai"] {
        project.runbook(&["run", runbook]).success();
    }
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let names: Vec<&str> =
        listed["snapshots"].as_array().unwrap().iter().map(|snapshot| snapshot["id"].as_str().unwrap()).collect();
    assert_eq!((names.len(), &listed["findings"]), (3, &serde_json::json!([])));
    project.runbook(&["backup", "list"]).success().prints("shop  #pinned");
    project.runbook(&["backup", "show", "latest"]).success().prints("uploads").prints("folder");
    project.runbook(&["backup", "check", "--read-data"]).success().prints("the repository main is whole");

    let ran = project.runbook(&["backup", "forget", "--dry-run"]).success();
    ran.says("1 of 3 snapshots would be forgotten");
    let ran = project.runbook(&["backup", "forget"]).success();
    ran.says("1 of 3 snapshots forgotten").prints("the newest, last").prints("tag pinned").prints("- forgotten");
    project.runbook(&["backup", "prune"]).success().says("checked");
    project.runbook(&["backup", "show", names[1]]).code(2).says("there is no snapshot");

    let ran = project.runbook(&["backup", "restore", names[0], "back"]).success();
    ran.says("restored 1 files, 0 folders, 0 links, 6 B to back; read again from the disk: as it was saved");
    assert_eq!(project.read("back/a.txt"), "hello\n");
    project.runbook(&["backup", "restore", names[0], "back"]).code(2).says("is there already");
}

#[test]
fn a_newest_snapshot_that_is_old_or_small_is_said() {
    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let project = project();
    project.runbook(&["backup", "init"]).success();
    project.file_now("uploads/big", &"x".repeat(100_000));
    let mut command = Command::new("restic");
    command.args(["-q", "-r", "store", "backup", "--host", "web-1", "--time", "2026-01-01 10:00:00", "uploads"]);
    command.current_dir(project.path()).env("RESTIC_PASSWORD", "correct horse");
    assert!(command.status().unwrap().success());
    project.runbook(&["run", "save.rhai"]).success();
    std::fs::remove_file(project.path().join("uploads/big")).unwrap();
    project.runbook(&["run", "save.rhai"]).success();
    let ran = project.runbook(&["backup", "list"]).success();
    ran.says("h old, and 26h are allowed").says("the newest snapshot of shop has").says(", the one before had");
    // What `restic` saved is restored, too: by its path.
    let listed = project.runbook(&["backup", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let id = listed["snapshots"][0]["id"].as_str().unwrap();
    project.runbook(&["backup", "restore", id, "back", "--part", "uploads"]).success().says("restored 2 files");
    assert_eq!(project.read("back/big").len(), 100_000);
}

#[test]
fn what_the_project_file_lacks_is_said() {
    let project = Project::new();
    let ran = project.runbook(&["backup", "list"]).code(2);
    ran.says("there is no repository of backups in runbook.toml").says("[backup.main]");
    let project =
        project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\nkeep = { daily = 7, wekly = 1 }\n");
    project.runbook(&["backup", "list"]).code(2).says("unknown field `wekly`");
    let project = project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\nkeep = { within = '7' }\n");
    project.runbook(&["backup", "list"]).code(2).says("`7` is not a stretch of time");
    let project = project.file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\n").env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["backup", "forget"]).code(2).says("has no rules of what to keep");
    let project = project
        .file("runbook.toml", "[backup.a]\npath = 'a'\npassword = 'P'\n[backup.b]\npath = 'b'\npassword = 'P'\n");
    project.runbook(&["backup", "list"]).code(2).says("which repository of backups?").says("runbook.toml has a, b");
}
