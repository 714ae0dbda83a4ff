use std::process::Command;

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::backup::{PASSWORD, backup, site, snapshots};
use crate::harness::{Direct, primitive, skip};

/// A site whose repository keeps the newest snapshot of each job.
fn thrifty() -> Direct {
    let direct = site();
    let file = std::fs::read_to_string(direct.path().join("runbook.toml")).unwrap();
    direct.write("runbook.toml", &file.replace("password = 'STORE'\n", "password = 'STORE'\nkeep = { last = 1 }\n"));
    direct.write("uploads/a", "a");
    direct
}

#[test]
fn what_no_rule_keeps_is_forgotten_and_what_it_had_is_pruned() {
    let direct = thrifty();
    for job in ["shop", "shop", "other", "shop"] {
        backup(&direct, json!("uploads"), json!({ "job": job })).unwrap();
    }
    let all = snapshots(&direct);
    let planned = direct.predict("backup_forget", Value::Null, json!([]), json!({ "job": "shop" })).unwrap();
    assert_eq!(planned.changes[0].what, "snapshots of shop in main that no rule keeps");
    assert_eq!(snapshots(&direct).len(), 4);

    let done = direct.call(primitive("backup_forget"), json!([]), json!({ "job": "shop" })).unwrap();
    let wanted = json!([all[0].id, all[1].id]);
    assert_eq!((done.changed, &done.value["forgotten"], &done.value["kept"]), (Some(true), &wanted, &json!(1)));
    assert_eq!(done.value["decisions"][0]["dropped_by"], json!(["last: 1 newer ones are kept"]));
    assert_eq!(done.value["decisions"][2]["kept_by"], json!(["the newest", "last"]));
    let again = direct.call(primitive("backup_forget"), json!([]), json!({})).unwrap();
    assert_eq!((again.changed, &again.value["kept"]), (Some(false), &json!(2)));
    let pruned = direct.call(primitive("backup_prune"), json!([]), json!({})).unwrap();
    assert!(pruned.value["marked"].as_u64().unwrap() > 0, "{}", pruned.value);
    let checked = direct.call(primitive("backup_check"), json!([]), json!({ "all": true })).unwrap();
    assert_eq!(checked.value, json!({ "repository": "main", "snapshots": 2, "parts_read": 30 }));
    assert_eq!(direct.call(primitive("backup_check"), json!([]), json!({})).unwrap().value["parts_read"], 1);
}

#[test]
fn nothing_is_forgotten_without_rules_or_by_a_wrong_clock() {
    let direct = site();
    let failure = direct.call(primitive("backup_forget"), json!([]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert!(failure.message.contains("has no rules of what to keep"), "{failure}");
    if Command::new("restic").arg("version").output().is_err() {
        return skip("restic (apt-get install restic)");
    }
    let direct = thrifty();
    for time in ["2026-01-01 10:00:00", "2199-01-01 10:00:00"] {
        let mut command = Command::new("restic");
        command.args(["-q", "-r", "store", "backup", "--host", "web-1", "--time", time, "uploads"]);
        command.current_dir(direct.path()).env("RESTIC_PASSWORD", PASSWORD);
        assert!(command.status().unwrap().success());
    }
    let failure = direct.call(primitive("backup_forget"), json!([]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("is from the future (2199-01-01"), "{failure}");
    assert_eq!(snapshots(&direct).len(), 2);
}
