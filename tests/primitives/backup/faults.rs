//! Faults of a source, of the repository and of the disk: each is said, none leaves a snapshot, and none takes long.

use std::process::Command;
use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{backup, open, restic, restore, site, snapshots};
use crate::harness::skip;

fn command(script: &str) -> Value {
    json!({ "command": ["sh", "-c", script], "name": "dump" })
}

#[test]
fn no_fault_of_a_source_leaves_a_snapshot() {
    let direct = site();
    direct.write("uploads/a", "a").write("odd/file", "x");
    assert!(Command::new("mkfifo").arg(direct.path().join("odd/pipe")).status().unwrap().success());
    let big = "head -c 3000000 /dev/urandom";
    let faults = [
        ("at once", json!([command("exit 3")]), "`sh -c exit 3` exited with code 3"),
        ("after data", json!([command(&format!("{big}; exit 3"))]), "exited with code 3"),
        ("killed", json!([command(&format!("{big}; kill -9 $$"))]), "exited with code 137"),
        ("not there", json!([{ "command": ["no-such-program"], "name": "dump" }]), "no-such-program"),
        ("beside a good one", json!(["uploads", command("exit 1")]), "exited with code 1"),
        (
            "while another goes on",
            json!([command("exit 1"), { "command": ["sleep", "60"], "name": "slow" }]),
            "exited with code 1",
        ),
        ("no folder", json!(["uploads", "nowhere"]), "nowhere"),
        ("a file for a folder", json!(["uploads/a"]), "it is not a folder"),
        ("a pipe among files", json!(["odd"]), "is neither a file nor a folder nor a link"),
        ("a pattern", json!([{ "folder": "uploads", "exclude": ["a{b"] }]), "cannot be excluded"),
        ("its output held", json!([command("sleep 60 & exit 0")]), "still holds its output"),
        ("too long", json!([command("sleep 60")]), "15s"),
    ];
    for (name, source, wanted) in faults {
        let start = Instant::now();
        let failure = backup(&direct, source, json!({ "within": "15s" })).expect_err(name);
        assert!(failure.message.contains(wanted), "{name}: {failure:?}");
        assert!(start.elapsed() < Duration::from_secs(20), "{name} took {:?}", start.elapsed());
        assert!(snapshots(&direct).is_empty(), "{name}");
    }
    backup(&direct, json!({ "folder": "odd", "exclude": ["pipe"] }), json!({})).unwrap();
    assert!(open(&direct).check(true).unwrap().errors.is_empty());
    let _ = restic(&direct, &["check", "--read-data"]);
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_a_fault() {
    let direct = site();
    direct.write("uploads/a", "");
    let path = direct.path().join("uploads/a");
    std::fs::File::create(&path).unwrap().set_len(3 << 30).unwrap();
    std::thread::spawn(move || {
        // Once it is open in this very process, it is being read.
        let is_open = || {
            let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            files.filter_map(|file| file.path().read_link().ok()).any(|open| open.ends_with("uploads/a"))
        };
        while !is_open() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::fs::File::options().write(true).open(path).unwrap().set_len(1 << 20).unwrap();
    });
    let failure = backup(&direct, json!("uploads"), json!({})).unwrap_err();
    assert!(failure.message.contains("became shorter while it was read"), "{failure:?}");
    assert!(snapshots(&direct).is_empty());
}

#[test]
fn what_cannot_be_right_is_refused_before_anything_is_read() {
    let direct = site();
    direct.write("uploads/a", "a").write("more/uploads/a", "a");
    let refused = |source: Value, options: Value| backup(&direct, source, options).unwrap_err().message;
    assert_eq!(refused(json!([]), json!({})), "there is nothing to save");
    assert_eq!(
        refused(json!(["uploads", "more/uploads"]), json!({})),
        "two parts of the snapshot are named `uploads`: give one of them another `name`"
    );
    assert_eq!(
        refused(json!({ "command": ["true"] }), json!({})),
        "argument `source`: what a command prints needs a name"
    );
    assert_eq!(
        refused(json!({ "name": "x" }), json!({})),
        "argument `source`: a map has one of `folder`, `volume`, `bucket`, `sqlite`, `postgres`, `redis`, `deployment` and `command`"
    );
    assert_eq!(refused(json!({ "folders": "x" }), json!({})), "argument `source`: unknown option `folders`");
    assert_eq!(refused(json!("."), json!({})), "the folder `.` needs a name in the snapshot");
    let tag = refused(json!("uploads"), json!({ "tags": ["a b"] }));
    assert_eq!(tag, "`a b` cannot be a tag: it must have no commas and no blanks");
    assert_eq!(refused(json!("uploads"), json!({ "to": "x" })), "there is no [backup.x] in runbook.toml");
    direct.write("secrets.env", "STORE='another password'\n");
    let failure = backup(&direct, json!("uploads"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.message.ends_with("the password is not that of the repository"), "{}", failure.message);
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full_makes_no_snapshot_and_the_next_one_is_good() {
    let direct = site();
    let store = direct.path().join("store");
    std::fs::rename(&store, direct.path().join("moved")).unwrap();
    std::fs::create_dir(&store).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(&store).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return skip("the right to mount a small file system");
    }
    let _mounted = Mounted(store);
    let copied = Command::new("cp").args(["-a", "moved/.", "store"]).current_dir(direct.path()).status();
    assert!(copied.unwrap().success());
    let failure = backup(&direct, command("head -c 16000000 /dev/urandom"), json!({})).unwrap_err();
    assert!(failure.message.contains("no space left on device"), "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    let left = Command::new("sh").args(["-c", "rm -f store/data/*/*"]).current_dir(direct.path()).status();
    assert!(left.unwrap().success(), "room is made by hand: nothing needs what is there");
    backup(&direct, command("echo small"), json!({})).unwrap();
    assert!(open(&direct).check(true).unwrap().errors.is_empty());
}

#[test]
fn damage_is_found_by_check_and_never_restored() {
    let direct = site();
    direct.at_end(None);
    direct.write("uploads/a", &"some text that is longer than a few bytes\n".repeat(1000));
    let made = backup(&direct, json!("uploads"), json!({})).unwrap().value;
    // Every byte in the middle of every pack is another one.
    let mut packs = 0;
    for folder in std::fs::read_dir(direct.path().join("store/data")).unwrap() {
        for pack in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = pack.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            for byte in bytes.iter_mut().skip(20).take(40) {
                *byte ^= 0x55;
            }
            std::fs::write(path, bytes).unwrap();
            packs += 1;
        }
    }
    assert!(packs > 0);
    assert!(!open(&direct).check(true).map_or(vec![String::new()], |checked| checked.errors).is_empty());
    restore(&direct, made, json!("back"), json!({})).unwrap_err();
    assert!(!direct.path().join("back").exists());
}

#[test]
fn a_command_that_does_not_take_everything_did_not_restore() {
    let direct = site();
    let made = backup(&direct, command("head -c 3000000 /dev/zero"), json!({})).unwrap().value;
    let failure = restore(&direct, made.clone(), json!({ "command": ["head", "-c", "10"] }), json!({})).unwrap_err();
    assert_eq!(failure.message, "`head -c 10` did not read all of `data/dump`");
    let failing = json!({ "command": ["sh", "-c", "cat >/dev/null; echo no such table >&2; exit 4"] });
    let failure = restore(&direct, made, failing, json!({})).unwrap_err();
    assert!(failure.message.ends_with("exited with code 4"), "{failure:?}");
    assert_eq!(failure.evidence[0].text, "no such table");
}

#[test]
fn a_cancelled_run_leaves_no_snapshot() {
    let direct = site();
    direct.cancel_after(Duration::from_millis(800));
    let start = Instant::now();
    let failure = backup(&direct, command("sleep 60"), json!({})).unwrap_err();
    assert_eq!(
        (failure.kind, start.elapsed() < Duration::from_secs(10)),
        (FailureKind::Cancelled, true),
        "{failure:?}"
    );
    assert!(snapshots(&direct).is_empty());
}
