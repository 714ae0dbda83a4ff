//! Buckets as targets: only what differs is written, nothing is lost, and what is there afterwards is what was saved.

use std::collections::BTreeMap;
use std::process::Command;

use bytes::Bytes;
use runbook::primitive::{Failure, FailureKind, Outcome, Probe};
use serde_json::{Value, json};

use super::objects::{site, source};
use super::{backup, open, restore, snapshots};
use crate::harness::bucket::{Bucket, REGION};
use crate::harness::{Direct, primitive};

fn target(bucket: &Bucket) -> Value {
    json!({ "bucket": bucket.url(), "access_key": "ACCESS", "secret_key": "SECRET", "region": REGION })
}

fn into(direct: &Direct, saved: &Value, bucket: &Bucket, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("restore"), json!([saved, target(bucket)]), options)
}

/// A folder with a small file, one in folders, an empty one and one of two parts.
fn furnished(direct: &Direct) -> BTreeMap<String, Bytes> {
    direct.write("files/a", "first").write("files/in/side/b ü.txt", "second").write("files/empty", "");
    let large: Vec<u8> = (0..4_300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    std::fs::write(direct.path().join("files/large"), large).unwrap();
    ["a", "in/side/b ü.txt", "empty", "large"]
        .map(|name| (name.to_owned(), std::fs::read(direct.path().join("files").join(name)).unwrap().into()))
        .into()
}

#[test]
fn a_folder_becomes_objects_and_only_what_differs_is_written() {
    let Some(bucket) = Bucket::new("target-folder") else { return };
    let direct = site();
    let wanted = furnished(&direct);
    let saved = backup(&direct, json!("files"), json!({})).unwrap().value;
    let made = into(&direct, &saved, &bucket, json!({})).unwrap();
    assert_eq!((made.changed, &made.value["written"]), (Some(true), &json!(4)));
    assert!(bucket.held() == wanted);

    // Nothing differs: nothing is written, also of what was written in parts.
    bucket.rule("PUT", "", "403", 0, 1000);
    let same = into(&direct, &saved, &bucket, json!({})).unwrap();
    assert_eq!((same.changed, &same.value["written"]), (Some(false), &json!(0)));
    bucket.heal();

    // What would be lost is refused; a dry run names it, and changes nothing.
    bucket.put("a", b"FIRST");
    bucket.put("in/more", b"more");
    bucket.client().remove("empty").unwrap();
    let before = bucket.held();
    let dry = into(&direct, &saved, &bucket, json!({ "dry_run": true })).unwrap();
    let lines = json!([
        { "path": "a", "what": "content" }, { "path": "empty", "what": "missing" }, { "path": "in/more", "what": "extra" },
    ]);
    assert_eq!((dry.changed, &dry.value["differences"]), (None, &lines));
    let failure = into(&direct, &saved, &bucket, json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused, "{failure:?}");
    assert!(bucket.held() == before && snapshots(&direct).len() == 1);

    // With leave to, it is saved first: that, and nothing else.
    let replaced = into(&direct, &saved, &bucket, json!({ "replace": true })).unwrap().value;
    assert_eq!([&replaced["written"], &replaced["removed"], &replaced["extra"]], [&json!(2), &json!(1), &json!(0)]);
    assert!(bucket.held() == wanted);
    let safe = snapshots(&direct).pop().unwrap();
    assert_eq!((safe.job.as_deref(), safe.files), (Some("vista.before-restore"), 3));
    let part = open(&direct).manifest(&safe).unwrap().unwrap().parts.remove(0);
    restore(&direct, json!(safe.id), json!("lost"), json!({ "part": part.name })).unwrap();
    let lost = |name: &str| std::fs::read_to_string(direct.path().join("lost").join(name)).unwrap();
    assert_eq!([lost("a"), lost("in/more")], ["FIRST", "more"]);

    // What is missing is added beside what does not belong there.
    bucket.put("other", b"other");
    bucket.client().remove("a").unwrap();
    let added = into(&direct, &saved, &bucket, json!({})).unwrap().value;
    assert_eq!([&added["written"], &added["extra"]], [&json!(1), &json!(1)]);
    assert_eq!(bucket.held().len(), wanted.len() + 1);
}

#[test]
fn a_bucket_comes_back_with_what_was_said_of_its_objects() {
    let (Some(from), Some(to)) = (Bucket::new("target-from"), Bucket::new("target-to")) else { return };
    let direct = site();
    let headers = vec![("content-type".into(), "video/mp4".to_owned()), ("x-amz-meta-room".into(), "7".to_owned())];
    let from_client = std::sync::Arc::new(from.client());
    let mut writer = runbook::drivers::bucket::ObjectWriter::new(from_client, "meeting", headers);
    writer.write(b"frames").unwrap();
    writer.finish().unwrap();
    from.put("d/plain", b"plain");
    let saved = backup(&direct, source(&from), json!({})).unwrap().value;
    into(&direct, &saved, &to, json!({})).unwrap();
    assert!(to.held() == from.held());
    let reply = to.client().get("meeting").unwrap().unwrap();
    assert_eq!([reply.header("content-type"), reply.header("x-amz-meta-room")], [Some("video/mp4"), Some("7")]);
}

#[test]
fn whatever_the_server_does_nothing_is_said_to_be_there_that_is_not() {
    let Some(bucket) = Bucket::new("target-faults") else { return };
    let direct = site();
    let wanted = furnished(&direct);
    let saved = backup(&direct, json!("files"), json!({})).unwrap().value;
    for (method, path, kind, skip, times, is_well) in [
        ("PUT", "/a", "403", 0, 1000, false),
        ("PUT", "/a", "503", 0, 2, true),
        ("PUT", "/a", "lost", 0, 1, true),
        ("PUT", "large", "403", 1, 1000, false),
        ("PUT", "large", "cut", 1, 1, true),
        ("POST", "large", "403", 0, 1000, false),
        ("POST", "large", "403", 1, 1000, false),
        ("GET", "list-type=2", "403", 1, 1000, false),
        ("GET", "list-type=2", "short", 0, 1000, false),
    ] {
        let what = format!("{method} {path} {kind} after {skip}");
        for name in bucket.held().keys() {
            bucket.client().remove(name).unwrap();
        }
        bucket.rule(method, path, kind, skip, times);
        let done = into(&direct, &saved, &bucket, json!({ "within": "60s" }));
        assert!(bucket.faults() > 0, "{what}");
        bucket.heal();
        assert_eq!(done.is_ok(), is_well, "{what}: {done:?}");
        if done.is_ok() {
            assert!(bucket.held() == wanted, "{what}");
        }
        // What is there is whole, and going on mends it.
        assert!(bucket.held().iter().all(|(name, content)| wanted[name] == *content), "{what}");
        into(&direct, &saved, &bucket, json!({})).unwrap();
        assert!(bucket.held() == wanted, "{what}");
    }
}

#[test]
fn after_a_crash_the_bucket_tells_whether_it_happened() {
    let Some(bucket) = Bucket::new("target-crash") else { return };
    let direct = site();
    direct.write("files/a", "first").write("files/b", "second");
    let saved = backup(&direct, json!("files"), json!({})).unwrap().value;
    let probe =
        || direct.probe_with(primitive("restore"), Value::Null, json!([saved, target(&bucket)]), json!({})).unwrap();
    assert!(matches!(probe(), Probe::NotDone));
    bucket.put("a", b"first");
    assert!(matches!(probe(), Probe::NotDone));
    bucket.put("b", b"second");
    assert!(matches!(probe(), Probe::Done(outcome) if outcome.value["files"] == json!(2)));
}

#[test]
fn what_no_bucket_can_hold_is_refused() {
    let Some(bucket) = Bucket::new("target-refused") else { return };
    let direct = site();
    direct.write("files/a", "first").write("dump", "x");
    std::os::unix::fs::symlink("a", direct.path().join("files/link")).unwrap();
    let saved = backup(&direct, json!(["files", { "command": ["cat", "dump"], "name": "dump" }]), json!({})).unwrap();
    for (part, why) in [("files", "has links, which a bucket cannot hold"), ("dump", "is no folder")] {
        let failure = into(&direct, &saved.value, &bucket, json!({ "part": part })).unwrap_err();
        assert!(failure.message.contains(why), "{failure:?}");
    }
    assert!(bucket.held().is_empty());
}

#[test]
fn a_link_is_read_by_anybody_for_a_while_and_for_nothing_else() {
    let Some(bucket) = Bucket::new("target-link") else { return };
    let keys = Bucket::keys();
    bucket.put("a b/ü.txt", b"hello");
    let link = bucket.place().link("a b/ü.txt", &keys, std::time::Duration::from_secs(2)).unwrap();
    let curl = |arguments: &[&str], link: &str| {
        let output =
            Command::new("curl").args(["-s", "-w", " %{http_code}"]).args(arguments).arg(link).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(curl(&[], &link), "hello 200");
    assert!(curl(&["-X", "DELETE"], &link).ends_with(" 403"));
    assert!(curl(&["-X", "PUT", "-d", "x"], &link).ends_with(" 403"));
    assert!(curl(&[], &link.replace("a%20b", "other")).ends_with(" 403"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(curl(&[], &link).ends_with(" 403"));
}
