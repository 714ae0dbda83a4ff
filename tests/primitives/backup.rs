//! `backup` and `restore`: what is saved is what is restored, and `restic` says so too; what goes wrong is never "ok".

mod bucket;
mod bucket_target;
mod container;
mod damage;
mod deployment;
mod far;
mod faults;
mod host;
mod hosted;
mod killed;
mod lies;
mod objects;
mod paced;
mod partial;
mod postgres;
mod redis;
mod sqlite;
mod struck;
mod volume;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use runbook::drivers::backup::{Access, Placing, Repository, Snapshot, inside};
use runbook::primitive::{Catalogue, Failure, FailureKind, Outcome, Probe, ProofKind};
use serde_json::{Value, json};

use crate::harness::{Direct, at_night, primitive, skip};

pub const PASSWORD: &str = "correct horse battery";

/// A project with an empty repository.
pub fn site() -> Direct {
    let direct = Direct::new();
    direct.write(
        "runbook.toml",
        "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'STORE'\n\
         [secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n",
    );
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\n"));
    Repository::init(direct.path().join("store"), PASSWORD).unwrap();
    if at_night() {
        direct.at_end(Some(Box::new(is_proven)));
    }
    direct
}

/// Whatever a test left in its repository: `restic` finds it whole, and restores the newest snapshot as it has to be.
fn is_proven(direct: &Direct) {
    if !direct.path().join("store/config").is_file() || restic(direct, &["check", "--read-data"]).is_none() {
        return;
    }
    let repository = open(direct);
    let Some(newest) = repository.snapshots().unwrap().pop() else { return };
    let Some(manifest) = repository.manifest(&newest).unwrap() else { return };
    restic(direct, &["restore", &newest.id, "--target", "by-restic"]);
    for part in &manifest.parts {
        let key = "proven".to_owned();
        let placing = Placing { target: direct.path().join("by-us"), key, owners: true, replace: false };
        repository.restore(&newest, &inside(&part.name), Some(part), &placing).unwrap();
        let theirs = direct.path().join("by-restic/data").join(&part.name);
        if placing.target.is_dir() {
            assert_eq!(listing(&placing.target), listing(&theirs), "{}", part.name);
            std::fs::remove_dir_all(&placing.target).unwrap();
        } else {
            let bytes = |path: &Path| std::fs::read(path).unwrap();
            assert!(bytes(&placing.target) == bytes(&theirs), "{} is the same", part.name);
            std::fs::remove_file(&placing.target).unwrap();
        }
    }
}

pub fn open(direct: &Direct) -> Repository {
    Repository::open(direct.path().join("store"), PASSWORD, Access::Shared, Arc::new(|| Ok(()))).unwrap()
}

pub fn snapshots(direct: &Direct) -> Vec<Snapshot> {
    open(direct).snapshots().unwrap()
}

pub fn backup(direct: &Direct, source: Value, options: Value) -> Result<Outcome, Failure> {
    direct.call(primitive("backup"), json!([source]), options)
}

pub fn restore(direct: &Direct, snapshot: Value, target: Value, options: Value) -> Result<Value, Failure> {
    direct.call(primitive("restore"), json!([snapshot, target]), options).map(|outcome| outcome.value)
}

/// What a dry run found to differ, and where.
pub fn differences(dry: &Value) -> Vec<String> {
    let all = dry["differences"].as_array().unwrap().iter();
    all.map(|one| format!("{} {}", one["what"].as_str().unwrap(), one["path"].as_str().unwrap())).collect()
}

/// What `restic` prints, or `None`, said aloud, without it.
pub fn restic(direct: &Direct, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("restic");
    command.args(["--no-cache", "-r", "store"]).args(arguments).current_dir(direct.path());
    let Ok(output) = command.env("RESTIC_PASSWORD", PASSWORD).output() else {
        skip("restic (apt-get install restic)");
        return None;
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "restic {arguments:?}: {out}{err}");
    Some(out.into_owned())
}

/// Names, kinds, modes, owners, times, targets and content of everything in a folder.
pub fn listing(folder: &Path) -> String {
    let script = "find . -mindepth 1 -printf '%p %y %m %U %G %T@ %s %l\\n' | sed 's/ d \\(.*\\) [0-9]* $/ d \\1/' | sort; \
                  find . -type f -print0 | sort -z | xargs -0 -r sha256sum";
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder with a bit of everything.
pub fn furnish(direct: &Direct) {
    direct.write("uploads/a.txt", "hello\n").write("uploads/deep/er/b.bin", &"0123456789abcdef".repeat(400_000));
    direct.write("uploads/empty", "").write("uploads/cache/x.tmp", "left out").write("uploads/deep/y.tmp", "left out");
    let script = "chmod 0600 a.txt; chmod 2751 deep; mkdir -p -m 0700 nothing; ln -s ../a.txt deep/link; ln -s /nowhere 'gone'; \
                  printf x > 'a name with blanks'; printf y > \"$(printf 'not-utf8-\\377')\"; touch -d '2001-02-03 04:05:06.789' a.txt deep";
    let done = Command::new("sh").args(["-c", script]).current_dir(direct.path().join("uploads")).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_folder_comes_back_as_it_was_by_us_and_by_restic() {
    let direct = site();
    furnish(&direct);
    let exclude = json!({ "exclude": ["*.tmp"], "tags": ["nightly"] });
    let made = backup(&direct, json!("uploads"), exclude).unwrap();
    assert_eq!(
        (made.changed, &made.value["job"], &made.value["parts"]),
        (Some(true), &json!("shop"), &json!(["uploads"]))
    );
    assert_eq!(made.changes[0].what, "snapshot of shop in main");
    let there = snapshots(&direct);
    assert_eq!((there.len(), &there[0].tags, there[0].group()), (1, &vec!["nightly".to_owned()], "shop".to_owned()));

    std::fs::remove_file(direct.path().join("uploads/cache/x.tmp")).unwrap();
    std::fs::remove_file(direct.path().join("uploads/deep/y.tmp")).unwrap();
    // Removing it changed the folder's time; what is saved is the time before.
    let again = backup(&direct, json!("uploads"), json!({})).unwrap();
    assert!(again.value["added"].as_u64().unwrap() < 100_000, "the rest is there already: {}", again.value);
    let wanted = listing(&direct.path().join("uploads"));
    let restored = restore(&direct, again.value.clone(), json!("back"), json!({})).unwrap();
    assert_eq!(restored["files"], 5);
    assert_eq!(listing(&direct.path().join("back")), wanted);

    let id = again.value["id"].as_str().unwrap();
    if restic(&direct, &["restore", id, "--target", "theirs"]).is_none() {
        return;
    }
    assert_eq!(listing(&direct.path().join("theirs/data/uploads")), wanted);
    assert!(restic(&direct, &["check", "--read-data"]).unwrap().contains("no errors were found"));
}

#[test]
fn a_repository_that_restic_made_is_restored() {
    let direct = Direct::new();
    furnish(&direct);
    let (toml, store) = (site(), direct.path().join("store"));
    std::fs::copy(toml.path().join("runbook.toml"), direct.path().join("runbook.toml")).unwrap();
    std::fs::copy(toml.path().join("secrets.env"), direct.path().join("secrets.env")).unwrap();
    if restic(&direct, &["init"]).is_none() {
        return;
    }
    restic(&direct, &["backup", "--host", "web-1", "uploads"]).unwrap();
    let wanted = listing(&direct.path().join("uploads"));
    direct.write("uploads/later", "more");
    restic(&direct, &["backup", "--host", "web-1", "uploads"]).unwrap();
    let newest = listing(&direct.path().join("uploads"));
    let repository = Repository::open(store, PASSWORD, Access::Shared, Arc::new(|| Ok(()))).unwrap();
    let ids: Vec<String> = repository.snapshots().unwrap().into_iter().map(|snapshot| snapshot.id).collect();
    assert!(repository.check(true).unwrap().errors.is_empty());
    drop(repository);
    for (id, wanted) in ids.iter().zip([&wanted, &newest]) {
        let _ = std::fs::remove_dir_all(direct.path().join("back"));
        restore(&direct, json!(id), json!("back"), json!({ "part": "uploads" })).unwrap();
        assert_eq!(listing(&direct.path().join("back")), *wanted);
    }
    // And what is added to it, and pruned in it, is read by both.
    backup(&direct, json!("uploads"), json!({})).unwrap();
    let alone = Repository::open(direct.path().join("store"), PASSWORD, Access::Alone, Arc::new(|| Ok(()))).unwrap();
    alone.forget(&ids[..1]).unwrap();
    alone.prune().unwrap();
    drop(alone);
    assert!(restic(&direct, &["check", "--read-data"]).unwrap().contains("no errors were found"));
}

#[test]
fn several_sources_are_one_snapshot_with_one_manifest() {
    let direct = site();
    direct.write("uploads/a", "a").write("conf/b", "b");
    let source = json!([
        "uploads",
        { "$kind": "folder", "path": "conf" },
        { "command": ["sh", "-c", "printf 'insert into t values (1);\\n'; echo said >&2"], "name": "shop.sql" },
    ]);
    let made = backup(&direct, source, json!({ "job": "nightly" })).unwrap();
    assert_eq!(made.value["parts"], json!(["conf", "shop.sql", "uploads"]));
    assert_eq!(direct.lines(), ["stderr: said"]);
    let there = snapshots(&direct);
    let manifest = open(&direct).manifest(&there[0]).unwrap().unwrap();
    let parts: Vec<(&str, &str, u64)> =
        manifest.parts.iter().map(|part| (part.name.as_str(), part.kind.as_str(), part.tally.bytes)).collect();
    assert_eq!(parts, [("conf", "folder", 1), ("shop.sql", "stream", 26), ("uploads", "folder", 1)]);
    if let Some(listed) = restic(&direct, &["ls", "latest"]) {
        for path in ["/data/conf/b", "/data/shop.sql", "/data/uploads/a", "/manifest.json"] {
            assert!(listed.lines().any(|line| line == path), "{path} in {listed}");
        }
    }
    // A part that is not named is not guessed.
    let failure = restore(&direct, made.value.clone(), json!("back"), json!({})).unwrap_err();
    assert_eq!(failure.message, "which part? the option `part` names it");
    restore(&direct, json!("latest"), json!("b.sql"), json!({ "part": "shop.sql", "job": "nightly" })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("b.sql")).unwrap(), "insert into t values (1);\n");
    let into = json!({ "command": ["sh", "-c", "cat > fed.sql"] });
    restore(&direct, made.value.clone(), into, json!({ "part": "shop.sql" })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("fed.sql")).unwrap(), "insert into t values (1);\n");
}

#[test]
fn after_a_crash_the_snapshot_of_the_call_is_found_or_made() {
    let direct = site();
    direct.write("uploads/a", "a");
    let again = || direct.recover("backup", Value::Null, json!(["uploads"]), Value::Null).unwrap();
    let made = backup(&direct, json!("uploads"), json!({})).unwrap();
    let Probe::Done(found) = again() else { panic!("the snapshot is there") };
    assert_eq!(found.value, made.value);
    direct.anew();
    assert!(matches!(again(), Probe::NotDone), "another call's snapshot is not this one's");
}

#[test]
fn after_a_crash_what_was_restored_is_found_or_restored() {
    let direct = site();
    direct.write("uploads/a", "a");
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    let again = || direct.recover("restore", Value::Null, json!([made, "back"]), Value::Null).unwrap();
    assert!(matches!(again(), Probe::NotDone));
    let restored = restore(&direct, made.clone(), json!("back"), json!({})).unwrap();
    let Probe::Done(found) = again() else { panic!("it is there") };
    assert_eq!(found.value, restored);
    direct.write("back/a", "b");
    assert!(matches!(again(), Probe::NotDone), "it is not what it has to be");
}

/// Whoever died between the restore and the note of it: what finds the restore done notes it.
#[test]
fn a_restore_that_is_found_done_after_a_crash_is_noted_in_the_catalogue() {
    let direct = site();
    direct.write("uploads/a", "a");
    let proofs = || -> Vec<ProofKind> {
        let known = direct.journal().catalogued("main").unwrap();
        known[0].proofs.iter().map(|proof| proof.how).collect()
    };
    direct.journal();
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    assert_eq!(proofs(), []);
    let again = || direct.recover("restore", Value::Null, json!([made, "back"]), Value::Null).unwrap();
    assert!(matches!(again(), Probe::NotDone));
    assert_eq!(proofs(), [], "what was not done proves nothing");
    restore(&direct, made.clone(), json!("back"), json!({})).unwrap();
    assert_eq!(proofs(), [ProofKind::Restored]);
    direct.journal().drop_proofs("main", &[made["id"].as_str().unwrap()]).unwrap();
    assert!(matches!(again(), Probe::Done(_)));
    assert_eq!(proofs(), [ProofKind::Restored]);
}

/// A person knows that the command went well, and nobody how much it was handed.
#[test]
fn a_restore_with_a_command_that_is_said_to_have_happened_returns_the_snapshot() {
    let direct = site();
    let (target, restore) = (json!({ "command": ["cat"] }), primitive("restore"));
    for snapshot in [json!("latest"), json!({ "id": "latest", "parts": [] })] {
        direct.look(restore, json!([snapshot, target]), json!({ "part": "dump" }), |_, call| {
            let expected = json!({ "snapshot": "latest", "part": "dump", "files": null, "bytes": null });
            assert_eq!(restore.presumed(call), expected);
        });
    }
}

#[test]
fn nothing_is_overwritten_unless_that_is_said_and_then_it_is_saved_first() {
    let direct = site();
    direct.write("uploads/a", "old");
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    direct.write("uploads/a", "new").write("uploads/b", "newer");
    let failure = restore(&direct, made.clone(), json!("uploads"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(failure.message, format!("`{}` is not empty, and would be lost", real(&direct, "uploads")));
    assert_eq!(std::fs::read_to_string(direct.path().join("uploads/a")).unwrap(), "new");

    restore(&direct, made.clone(), json!("uploads"), json!({ "replace": true })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("uploads/a")).unwrap(), "old");
    assert!(!direct.path().join("uploads/b").exists());
    let names: Vec<String> = std::fs::read_dir(direct.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("restoring"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    restore(&direct, json!("latest"), json!("before"), json!({ "job": "shop.before-restore" })).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("before/b")).unwrap(), "newer");
}

fn real(direct: &Direct, name: &str) -> String {
    direct.path().canonicalize().unwrap().join(name).display().to_string()
}

#[test]
fn a_plan_tells_of_the_snapshot_and_makes_none() {
    let direct = site();
    direct.write("uploads/a", "a");
    let planned = direct.predict("backup", Value::Null, json!(["uploads"]), json!({ "job": "nightly" })).unwrap();
    assert_eq!(planned.changes[0].what, "snapshot of nightly in main");
    assert_eq!(planned.value["repository"], "main");
    let planned = direct.predict("restore", Value::Null, json!(["latest", "uploads"]), Value::Null).unwrap();
    assert_eq!(planned.changes[0].what, "what `uploads` holds");
    assert!(snapshots(&direct).is_empty());
}
