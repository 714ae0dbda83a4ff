//! `backup_import`: files of older backups become a snapshot of their own time, or none.

use runbook::primitive::{Failure, FailureKind, Outcome, Probe};
use serde_json::{Value, json};

use super::backup::{open, restore, site, snapshots};
use crate::harness::{Direct, primitive};

fn import(direct: &Direct, files: Value, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("backup_import"), json!([files]), options)
}

fn shell(direct: &Direct, script: &str) {
    let done = std::process::Command::new("sh").args(["-ec", script]).current_dir(direct.path()).status().unwrap();
    assert!(done.success(), "{script}");
}

#[test]
fn an_archive_becomes_a_snapshot_of_the_time_that_is_said() {
    let direct = site();
    direct.write("site/a", "1").write("site/in/b", "2");
    shell(&direct, "tar -czf old.tar.gz site; cp old.tar.gz other.tgz");
    let options = json!({ "job": "old", "time": "2024-05-01T03:00:00Z", "tags": ["yearly"] });
    let made = import(&direct, json!("old.tar.gz"), options).unwrap();
    assert_eq!((made.changed, &made.value["parts"], &made.value["job"]), (Some(true), &json!(["old"]), &json!("old")));
    assert_eq!(made.changes[0].what, "snapshot of old in main");
    let there = snapshots(&direct).pop().unwrap();
    assert_eq!(
        (there.time.timestamp().to_string().as_str(), there.tags),
        ("2024-05-01T03:00:00Z", vec!["imported".to_owned(), "yearly".into()])
    );
    restore(&direct, made.value, json!("back"), json!({})).unwrap();
    shell(&direct, "diff -r site back/site");
    // Without a time it is that of the newest file; several become several parts.
    shell(&direct, "touch -d '2023-01-02 03:04:05 UTC' old.tar.gz; touch -d '2022-01-02 03:04:05 UTC' other.tgz");
    let made = import(&direct, json!(["old.tar.gz", "other.tgz"]), json!({})).unwrap().value;
    assert_eq!((&made["time"], &made["parts"]), (&json!("2023-01-02T03:04:05Z"), &json!(["old", "other"])));
    assert_eq!(made["job"], "shop");
    assert!(open(&direct).check(true).unwrap().errors.is_empty());
}

#[test]
fn what_is_not_whole_is_not_taken() {
    let direct = site();
    direct.write("site/a", &"1".repeat(9000)).write("text", "no\n");
    shell(&direct, "tar -cf old.tar site; head -c 5120 old.tar > cut.tar; cp old.tar b.tar");
    for (files, options, kind, why) in [
        (json!("cut.tar"), json!({}), FailureKind::Invalid, "archive cannot be read"),
        (json!("text"), json!({}), FailureKind::Invalid, "nothing that can be looked at"),
        (json!("nothing.tar"), json!({}), FailureKind::NotFound, "nothing.tar"),
        (json!([]), json!({}), FailureKind::Argument, "nothing to import"),
        (json!("old.tar"), json!({ "time": "soon" }), FailureKind::Argument, "is no moment"),
        (json!("old.tar"), json!({ "time": "2999-01-01" }), FailureKind::Argument, "from the future"),
        (json!(["old.tar", "b.tar"]), json!({ "name": "x" }), FailureKind::Argument, "is for one file"),
        (json!(["old.tar", "old.tar"]), json!({}), FailureKind::Argument, "two parts of the snapshot"),
        (json!("old.tar"), json!({ "to": "none" }), FailureKind::NotFound, "no [backup.none]"),
    ] {
        let failure = import(&direct, files, options).unwrap_err();
        assert!(failure.kind == kind && failure.message.contains(why), "{why}: {failure:?}");
    }
    assert!(snapshots(&direct).is_empty());
}

#[test]
fn after_a_crash_the_repository_tells_whether_it_happened() {
    let direct = site();
    direct.write("site/a", "1");
    shell(&direct, "tar -cf old.tar site");
    let import = primitive("backup_import");
    assert!(matches!(direct.probe_with(import, Value::Null, json!(["old.tar"]), json!({})).unwrap(), Probe::NotDone));
    let made = direct.call(import, json!(["old.tar"]), json!({})).unwrap().value;
    let Probe::Done(outcome) = direct.probe_with(import, Value::Null, json!(["old.tar"]), json!({})).unwrap() else {
        panic!("it is there");
    };
    assert_eq!(outcome.value, made);
}
