//! `backup_copy`: what is missing is copied, and nothing that is not whole.

use std::sync::Arc;

use runbook::drivers::backup::{Access, Repository, Snapshot};
use runbook::primitive::{Failure, FailureKind, Outcome};
use serde_json::{Value, json};

use super::backup::{PASSWORD, backup, furnish, listing, restore};
use crate::harness::bucket::{Bucket, KEY};
use crate::harness::{Direct, primitive};

const OTHER: &str = "the password of the other";

/// A project with a repository here, and an empty one elsewhere; the lines say where.
fn site(lines: &str) -> Direct {
    let direct = Direct::new();
    direct.write(
        "runbook.toml",
        &format!(
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
             [backup.offsite]\n{lines}\npassword = 'OTHER'\n\
             [secrets]\nsources = [{{ from = 'dotenv', file = 'secrets.env' }}]\n"
        ),
    );
    let keys = format!("ACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1);
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nOTHER='{OTHER}'\n{keys}"));
    Repository::init(direct.path().join("store"), PASSWORD).unwrap();
    direct
}

fn here() -> Direct {
    let direct = site("path = 'offsite'");
    Repository::init(direct.path().join("offsite"), OTHER).unwrap();
    direct
}

fn copy(direct: &Direct, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("backup_copy"), json!(["offsite"]), options)
}

fn there(direct: &Direct) -> Vec<Snapshot> {
    let path = direct.path().join("offsite");
    let repository = Repository::open(path, OTHER, Access::Shared, Arc::new(|| Ok(()))).unwrap();
    assert!(repository.check(true).unwrap().errors.is_empty());
    repository.snapshots().unwrap()
}

#[test]
fn what_is_missing_is_copied_and_comes_back_from_there() {
    let direct = here();
    furnish(&direct);
    let to = json!({ "to": "main" });
    backup(&direct, json!("uploads"), to.clone()).unwrap();
    direct.write("small/a", "a");
    backup(&direct, json!("small"), json!({ "to": "main", "job": "small", "tags": ["pinned"] })).unwrap();
    let only = copy(&direct, json!({ "from": "main", "job": "small" })).unwrap();
    assert_eq!((only.changed, &only.value["there"]), (Some(true), &json!(0)));
    assert_eq!(only.changes[0].what, "snapshots of main in offsite");
    assert_eq!((there(&direct).len(), &there(&direct)[0].tags), (1, &vec!["pinned".to_owned()]));

    let rest = copy(&direct, json!({ "from": "main" })).unwrap().value;
    assert_eq!((rest["copied"].as_array().unwrap().len(), &rest["there"]), (1, &json!(1)));
    let again = copy(&direct, json!({ "from": "main" })).unwrap();
    assert_eq!((again.changed, &again.value["there"]), (Some(false), &json!(2)));
    assert_eq!(there(&direct).len(), 2);

    // What is there already in another snapshot does not travel again.
    let size = || {
        let script = "cat offsite/data/*/* | wc -c";
        let output = std::process::Command::new("sh").args(["-c", script]).current_dir(direct.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap()
    };
    let before = size();
    direct.write("uploads/one-more", "x");
    backup(&direct, json!("uploads"), to).unwrap();
    copy(&direct, json!({ "from": "main", "snapshots": ["latest"] })).unwrap();
    assert!(size() - before < 50_000, "{before} and then {}", size());
    std::fs::remove_dir_all(direct.path().join("store")).unwrap();
    restore(&direct, json!("latest"), json!("back"), json!({ "from": "offsite" })).unwrap();
    assert_eq!(listing(&direct.path().join("back")), listing(&direct.path().join("uploads")));
}

#[test]
fn a_snapshot_that_is_not_whole_is_not_copied() {
    let direct = here();
    // What does not get much smaller is in the largest pack.
    let noise: String = (0..20_000_u64)
        .fold(String::new(), |text, n| text + format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).as_str());
    direct.write("uploads/a", &noise);
    backup(&direct, json!("uploads"), json!({ "to": "main" })).unwrap();
    // First its end is missing, then all of it.
    let script = "ls -S store/data/*/* | head -n1";
    let output = std::process::Command::new("sh").args(["-c", script]).current_dir(direct.path()).output().unwrap();
    let pack = direct.path().join(String::from_utf8(output.stdout).unwrap().trim());
    let bytes = std::fs::read(&pack).unwrap();
    std::fs::write(&pack, &bytes[..20]).unwrap();
    let failure = copy(&direct, json!({ "from": "main" })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check, "{failure:?}");
    assert!(failure.message.contains("is not whole"), "{failure:?}");
    std::fs::remove_file(&pack).unwrap();
    copy(&direct, json!({ "from": "main" })).unwrap_err();
    // Its length is right, and its content is not.
    let mut wrong = bytes;
    for byte in wrong.iter_mut().skip(20).take(40) {
        *byte ^= 0x55;
    }
    std::fs::write(&pack, wrong).unwrap();
    copy(&direct, json!({ "from": "main" })).unwrap_err();
    assert!(there(&direct).is_empty());
}

#[test]
fn where_from_and_where_to_is_said() {
    let direct = here();
    let failure = copy(&direct, json!({})).unwrap_err();
    assert_eq!(failure.message, "copied from where? the option `from` names the repository");
    let failure = copy(&direct, json!({ "from": "offsite" })).unwrap_err();
    assert_eq!(failure.message, "the snapshots of offsite are there already: the option `from` names another one");
    let failure = copy(&direct, json!({ "from": "main", "snapshots": ["latest"] })).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
    let planned = direct.predict("backup_copy", Value::Null, json!(["offsite"]), json!({ "from": "main" })).unwrap();
    assert_eq!(planned.changes[0].what, "snapshots of main in offsite");
}

#[test]
fn copies_go_to_a_bucket_and_a_fault_there_leaves_none() {
    let Some(bucket) = Bucket::new("copies") else { return };
    let direct = site(&bucket.lines());
    Repository::init(bucket.location(), OTHER).unwrap();
    direct.write("uploads/a", &"text\n".repeat(1000));
    backup(&direct, json!("uploads"), json!({ "to": "main" })).unwrap();
    let open = || Repository::open(bucket.location(), OTHER, Access::Shared, Arc::new(|| Ok(()))).unwrap();
    for (method, path, kind) in [("PUT", "/data/", "403"), ("PUT", "/index/", "403"), ("PUT", "/snapshots/", "403")] {
        bucket.rule(method, path, kind, 0, 1_000_000);
        let failure = copy(&direct, json!({ "from": "main" })).unwrap_err();
        assert!(failure.message.contains("answered 403"), "{path}: {failure:?}");
        bucket.heal();
        assert!(open().snapshots().unwrap().is_empty(), "{path}");
    }
    copy(&direct, json!({ "from": "main" })).unwrap();
    restore(&direct, json!("latest"), json!("back"), json!({ "from": "offsite" })).unwrap();
    assert_eq!(listing(&direct.path().join("back")), listing(&direct.path().join("uploads")));
    assert!(open().check(true).unwrap().errors.is_empty());
}
