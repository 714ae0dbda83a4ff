//! Buckets as sources: saved as folders, and only what changed is read.

use std::collections::BTreeMap;

use runbook::drivers::backup::Repository;
use runbook::primitive::{Failure, FailureKind};
use serde_json::{Value, json};

use super::{PASSWORD, backup, open, restic, restore, snapshots};
use crate::harness::Direct;
use crate::harness::bucket::{Bucket, KEY, REGION};

pub fn site() -> Direct {
    let direct = Direct::new();
    direct.write(
        "runbook.toml",
        "[project]\nname = 'vista'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
         [secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n",
    );
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1));
    Repository::init(direct.path().join("store"), PASSWORD).unwrap();
    direct
}

pub fn source(bucket: &Bucket) -> Value {
    json!({
        "bucket": bucket.url(), "access_key": "ACCESS", "secret_key": "SECRET", "region": REGION, "name": "media",
        "exclude": ["*.tmp"],
    })
}

fn facts(direct: &Direct) -> Value {
    let there = snapshots(direct);
    let manifest = open(direct).manifest(there.last().unwrap()).unwrap().unwrap();
    manifest.parts.iter().find(|part| part.name == "media").unwrap().facts["bucket"].clone()
}

#[test]
fn only_what_changed_is_read_and_all_of_it_comes_back() {
    let Some(bucket) = Bucket::new("source-changes") else { return };
    let direct = site();
    let mut wanted = BTreeMap::new();
    for number in 0..30 {
        wanted.insert(format!("recordings/{}/r-{number}", number % 3), format!("recording {number}").repeat(1000));
    }
    wanted.insert("recordings-old/x".into(), "x".into());
    wanted.insert("large".into(), "0123456789".repeat(2_000_000));
    wanted.insert("empty".into(), String::new());
    for (name, content) in &wanted {
        bucket.put(name, content.as_bytes());
    }
    bucket.put("half.tmp", b"left out");
    direct.write("notes/a", "a");
    let both = json!([source(&bucket), "notes"]);
    let first = backup(&direct, both.clone(), json!({})).unwrap().value;
    assert_eq!(facts(&direct)["read"], json!(33));
    assert_eq!(facts(&direct)["objects"]["large"]["size"], json!(20_000_000));

    // Nothing changed: nothing is read, and the snapshot has it all.
    backup(&direct, both.clone(), json!({})).unwrap();
    assert_eq!(facts(&direct)["read"], json!(0));
    // One of the same length within the same second, one that is new, one that is gone; a folder's file with the same time and size.
    bucket.put("recordings/0/r-0", "Recording 0".repeat(1000).as_bytes());
    wanted.insert("recordings/0/r-0".into(), "Recording 0".repeat(1000));
    bucket.put("new", b"new");
    wanted.insert("new".into(), "new".into());
    bucket.client().remove("empty").unwrap();
    wanted.remove("empty");
    let time = std::fs::metadata(direct.path().join("notes/a")).unwrap().modified().unwrap();
    direct.write("notes/a", "b");
    std::fs::File::options().write(true).open(direct.path().join("notes/a")).unwrap().set_modified(time).unwrap();
    let last = backup(&direct, both, json!({})).unwrap().value;
    assert_eq!(facts(&direct)["read"], json!(2));
    assert!(last["added"].as_u64().unwrap() < 200_000, "{last}");

    restore(&direct, last.clone(), json!("back"), json!({ "part": "media" })).unwrap();
    restore(&direct, last.clone(), json!("notes-back"), json!({ "part": "notes" })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("notes-back/a")).unwrap(), "b");
    for (name, content) in &wanted {
        assert!(std::fs::read(direct.path().join("back").join(name)).unwrap() == content.as_bytes(), "{name}");
    }
    assert!(!direct.path().join("back/empty").exists() && !direct.path().join("back/half.tmp").exists());
    // The first one is what it was.
    restore(&direct, first, json!("first"), json!({ "part": "media" })).unwrap();
    assert_eq!(std::fs::read(direct.path().join("first/empty")).unwrap(), b"");
    if let Some(checked) = restic(&direct, &["check", "--read-data"]) {
        assert!(checked.contains("no errors were found"), "{checked}");
        restic(&direct, &["restore", last["id"].as_str().unwrap(), "--target", "theirs"]);
        let theirs = std::fs::read(direct.path().join("theirs/data/media/large")).unwrap();
        assert!(theirs == wanted["large"].as_bytes());
    }
}

#[test]
fn a_bucket_that_fails_is_no_snapshot() {
    let Some(bucket) = Bucket::new("source-faults") else { return };
    let direct = site();
    for number in 0..5 {
        bucket.put(&format!("d/{number}"), &[7; 1000]);
    }
    bucket.put("large", &vec![9; 20_000_000]);
    let refused = |what: &str| -> Failure {
        let failure = backup(&direct, source(&bucket), json!({ "within": "60s" })).unwrap_err();
        assert!(snapshots(&direct).is_empty(), "{what}: {failure:?}");
        failure
    };
    bucket.rule("GET", "list-type=2", "403", 1, 100);
    refused("a listing whose second page is forbidden");
    bucket.heal();
    bucket.rule("GET", "large", "short", 1, 100);
    assert_eq!(refused("an object that ends early").kind, FailureKind::System);
    bucket.heal();
    bucket.rule("GET", "d/3", "403", 0, 100);
    assert_eq!(refused("an object that may not be read").kind, FailureKind::Unauthorized);
    bucket.heal();
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='wrong'\n", KEY.0));
    assert_eq!(refused("a wrong key").kind, FailureKind::Unauthorized);
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1));
    // A file and a folder of one name cannot come back.
    bucket.put("d", b"both");
    assert!(refused("both").message.contains("would be a file"));
    for wrong in ["https://x", "ftp://host/bucket"] {
        let source = json!({ "bucket": wrong, "access_key": "A", "secret_key": "B" });
        assert_eq!(backup(&direct, source, json!({})).unwrap_err().kind, FailureKind::Argument);
    }
    let failure = backup(&direct, json!({ "bucket": bucket.url() }), json!({})).unwrap_err();
    assert!(failure.message.contains("access_key"), "{failure:?}");
}
