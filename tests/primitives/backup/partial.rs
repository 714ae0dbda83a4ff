//! A job that may be saved without a source that fails: what comes of it is marked, and counts as none.

use std::process::Command;

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{backup, open, restic, restore, site, snapshots};
use crate::harness::{Direct, Project, primitive};

/// Three sources, of which one prints a lot and then fails.
fn sources(code: u32) -> Value {
    let command = json!(["sh", "-c", format!("seq 1 400000; echo why >&2; exit {code}")]);
    json!(["uploads", { "command": command, "name": "dump" }, { "command": ["echo", "3"], "name": "version" }])
}

fn furnished() -> Direct {
    let direct = site();
    direct.write("uploads/a", "hello\n").write("uploads/b", &"0123456789abcdef".repeat(200_000));
    direct
}

fn allowed() -> Value {
    json!({ "partial": true })
}

fn latest(direct: &Direct) -> Result<Value, runbook::primitive::Failure> {
    direct.call(primitive("backup_find"), json!(["latest"]), json!({})).map(|outcome| outcome.value)
}

#[test]
fn a_source_that_fails_is_left_out_where_that_is_allowed_and_the_snapshot_counts_as_none() {
    let direct = furnished();
    backup(&direct, sources(7), json!({})).unwrap_err();
    assert!(snapshots(&direct).is_empty(), "without leave there is none");

    let made = backup(&direct, sources(7), allowed()).unwrap();
    assert!(made.note.unwrap().contains("partial: without dump"));
    assert_eq!((&made.value["missing"], &made.value["parts"]), (&json!(["dump"]), &json!(["uploads", "version"])));
    let lines = direct.lines();
    let told = |line: &String| line.contains("`dump` is left out") && line.contains("exited with code 7");
    assert!(lines.iter().any(told), "{lines:?}");
    let there = snapshots(&direct).remove(0);
    assert!(there.is_partial() && there.tags == ["partial"], "{there:?}");
    let manifest = open(&direct).manifest(&there).unwrap().unwrap();
    assert_eq!((manifest.missing.len(), manifest.missing[0].name.as_str()), (1, "dump"));
    assert!(manifest.missing[0].why.contains("code 7"), "{manifest:?}");
    restic(&direct, &["check", "--read-data"]);

    // It is what nobody gets who does not name it.
    let none = restore(&direct, json!("latest"), json!("here"), json!({ "part": "uploads" })).unwrap_err();
    assert_eq!(
        (none.kind, none.message.as_str()),
        (FailureKind::NotFound, "there is no whole snapshot of the job `shop`")
    );
    assert_eq!(latest(&direct).unwrap_err().kind, FailureKind::NotFound);
    restore(&direct, json!(there.id), json!("here"), json!({ "part": "uploads" })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("here/a")).unwrap(), "hello\n");

    let whole = backup(&direct, sources(0), allowed()).unwrap().value;
    assert_eq!(whole["missing"], json!([]));
    let newer = backup(&direct, sources(7), allowed()).unwrap().value;
    assert_ne!(newer["id"], whole["id"]);
    let found = latest(&direct).unwrap();
    assert_eq!((&found["id"], &found["missing"]), (&whole["id"], &json!([])));
    for _ in 0..12 {
        let any = direct.call(primitive("backup_find"), json!(["random"]), json!({})).unwrap().value;
        assert_eq!(any["id"], whole["id"]);
    }
    let named = direct.call(primitive("backup_find"), json!([newer["id"]]), json!({})).unwrap().value;
    assert_eq!(named["missing"], json!(["dump"]));
}

#[test]
fn a_folder_or_a_database_may_be_the_one_that_fails() {
    let direct = furnished();
    direct.write("bad/x", "x").write("data/app.db", "this is no database, and as long as one: 0123456789");
    assert!(Command::new("mkfifo").arg(direct.path().join("bad/pipe")).status().unwrap().success());
    for (wrong, name) in
        [(json!("bad"), "bad"), (json!({ "sqlite": "data/app.db" }), "app.db"), (json!("nowhere"), "nowhere")]
    {
        let made = backup(&direct, json!(["uploads", wrong]), allowed()).unwrap().value;
        assert_eq!((&made["missing"], &made["parts"]), (&json!([name]), &json!(["uploads"])));
    }
    let three = json!(["bad", "nowhere", "uploads", { "command": ["false"], "name": "dump" }]);
    let made = backup(&direct, three, allowed()).unwrap().value;
    let mut missing: Vec<&str> =
        made["missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    missing.sort_unstable();
    assert_eq!((missing, &made["parts"]), (vec!["bad", "dump", "nowhere"], &json!(["uploads"])));
    assert_eq!(snapshots(&direct).len(), 4);
}

#[test]
fn nothing_is_saved_where_every_source_fails_the_time_is_over_or_the_tag_is_taken() {
    let direct = furnished();
    let none = json!(["nowhere", { "command": ["false"], "name": "dump" }]);
    backup(&direct, none, allowed()).unwrap_err();
    let slow = json!(["uploads", { "command": ["sleep", "60"], "name": "dump" }]);
    let late = backup(&direct, slow, json!({ "partial": true, "within": "2s" })).unwrap_err();
    assert_eq!(late.kind, FailureKind::Timeout, "{late:?}");
    let taken = backup(&direct, json!("uploads"), json!({ "tags": ["partial"] })).unwrap_err();
    assert_eq!(taken.kind, FailureKind::Argument, "{taken:?}");
    // The repository itself is no source.
    let config = direct.path().join("store/config");
    std::fs::rename(&config, direct.path().join("config")).unwrap();
    backup(&direct, json!(["uploads", { "command": ["false"], "name": "dump" }]), allowed()).unwrap_err();
    std::fs::rename(direct.path().join("config"), config).unwrap();
    assert!(snapshots(&direct).is_empty());
}

#[test]
fn what_is_partial_is_shown_keeps_nothing_and_goes_once_something_whole_is_newer() {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nkeep = { last = 1 }\nmax_age = '26h'\n",
        )
        .file(
            "save.rhai",
            "//! Save.\n//! @param code: integer = 0\n\
             backup([\"uploads\", #{ command: [\"sh\", \"-c\", `echo x; exit ${param(\"code\")}`], name: \"dump\" }], #{ partial: true });\n",
        )
        .file("drill.rhai", "//! Drill.\nlet found = param(\"id\");\nbackup_drilled(restore(found, \"here\", #{ part: \"uploads\" }));\n//! @param id: string\n")
        .file("uploads/a", "hello\n")
        .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai", "--code", "3"]).success().says("is left out, and the snapshot is partial");
    let listed = project.runbook(&["backup", "list"]).success();
    listed.prints("shop  #parti").says("is partial, and counts as none").says("there is no snapshot of shop");
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["backup", "list"]).success().never_says("counts as none").never_says("there is no snapshot");
    project.runbook(&["run", "save.rhai", "--code", "3"]).success();
    // It takes the place of none: nothing is forgotten while it is the newest.
    project.runbook(&["backup", "forget"]).code(2).says("is partial");
    project.runbook(&["run", "save.rhai"]).success();
    let forgotten = project.runbook(&["backup", "forget"]).success();
    forgotten.says("3 of 4 snapshots forgotten").prints("forgotten (partial, and a whole one is");
    let left: Value = serde_json::from_str(&project.runbook(&["backup", "list", "--json"]).success().stdout).unwrap();
    let left = left["snapshots"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["tags"]), (1, &json!([])));
}
