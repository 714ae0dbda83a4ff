use runbook::primitive::FailureKind;
use serde_json::json;

use super::backup::{backup, site};
use crate::harness::{Project, primitive};

#[test]
fn a_runbook_backs_up_thins_out_and_checks() {
    let project = Project::new()
        .file("runbook.toml", "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nkeep = { last = 2 }\n")
        .file(
            "nightly.rhai",
            "//! Nightly.\nfor round in 0..4 { backup(\"uploads\"); }\nlet thinned = backup_forget();\nbackup_prune();\n\
             backup_check();\ninfo(`${thinned.forgotten.len()} forgotten`);\n",
        )
        .file("uploads/a", "a")
        .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["plan", "nightly.rhai"]).success().prints("that no rule keeps");
    project.runbook(&["run", "nightly.rhai"]).success().says("2 forgotten");
    project.runbook(&["backup", "list"]).success().never_says("gone");
}

#[test]
fn what_is_pruned_although_it_is_needed_is_said() {
    let direct = site();
    direct.write("uploads/a", "a");
    backup(&direct, json!("uploads"), json!({})).unwrap();
    for folder in std::fs::read_dir(direct.path().join("store/data")).unwrap() {
        for pack in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            std::fs::remove_file(pack.unwrap().path()).unwrap();
        }
    }
    let failure = direct.call(primitive("backup_prune"), json!([]), json!({})).unwrap_err();
    assert!(failure.message.contains("the repository"), "{failure}");
    let failure = direct.call(primitive("backup_prune"), json!([]), json!({ "repository": "other" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
