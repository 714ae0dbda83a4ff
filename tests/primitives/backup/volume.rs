//! Docker volumes: saved and restored through a container that never runs.

use std::time::Duration;

use runbook::drivers::docker::{ContainerSpec, ContainerState, Mount, MountKind};
use runbook::primitive::FailureKind;
use serde_json::json;

use super::{backup, differences, open, restic, restore, site, snapshots};
use crate::harness::cut::{Blow, Way};
use crate::harness::{Direct, Lab};

/// Something of everything, owned by others, in `/data`.
const FURNISH: &str = "cd /data; mkdir -p deep/er empty; echo hello > a.txt; chmod 0640 a.txt; chown 1001:1002 a.txt; \
    dd if=/dev/urandom of=deep/er/b.bin bs=1000 count=3000 2>/dev/null; chmod 4755 deep/er/b.bin; ln -s ../a.txt deep/link; \
    ln -s /nowhere gone; ln deep/er/b.bin deep/second; printf x > 'a name with blanks'; : > nothing; \
    n=$(printf 'long%.0s' $(seq 40)); mkdir $n; echo far > $n/$n; chmod 1777 empty; chown 7:8 deep; chmod 0700 /data; chown 70:70 /data; \
    touch -d '2001-02-03 04:05:06' a.txt";

/// Names, kinds, modes, owners, targets, sizes and content.
const LIST: &str = "cd /data; stat -c '%n %F %a %u %g' .; \
    find . -mindepth 1 | sort | while read -r path; do stat -c '%n %F %a %u %g' \"$path\"; \
    if [ -h \"$path\" ]; then readlink \"$path\"; elif [ -f \"$path\" ]; then md5sum \"$path\"; stat -c '%Y' \"$path\"; fi; done";

fn with(lab: &Lab, name: &str, volume: &str, script: &str) -> ContainerSpec {
    let mount =
        Mount { kind: MountKind::Volume, source: volume.to_owned(), target: "/data".into(), ..Mount::default() };
    ContainerSpec { mounts: vec![mount], ..lab.spec(name, script) }
}

/// What a script in a container with the volume prints. The container is gone afterwards.
fn inside(lab: &Lab, volume: &str, script: &str) -> String {
    let name = lab.up(&with(lab, &format!("inside-{}", volume.len()), volume, "exec sleep 600"));
    let (code, text) = lab.exec(&name, &["sh", "-c", script]);
    assert_eq!(code, 0, "{text}");
    lab.run(lab.engine.remove(&name, false)).unwrap();
    text
}

fn no_shelves(lab: &Lab, direct: &Direct) {
    let made = lab.run(lab.engine.containers(&[])).unwrap();
    let key = direct.key();
    let run = key.split('/').next().unwrap();
    let left = made.iter().find(|one| one.labels.get("dev.runbook.key").is_some_and(|key| key.starts_with(run)));
    assert!(left.is_none(), "{left:?}");
}

#[test]
fn a_volume_comes_back_with_owners_modes_links_and_names() {
    let Some(lab) = Lab::start() else { return };
    let direct = site();
    let volume = lab.volume("files");
    inside(&lab, &volume, FURNISH);
    let wanted = inside(&lab, &volume, LIST);
    assert!(wanted.contains("./a.txt regular file 640 1001 1002"), "{wanted}");
    let made = backup(&direct, json!({ "volume": volume, "name": "files" }), json!({})).unwrap().value;
    no_shelves(&lab, &direct);
    let manifest = open(&direct).manifest(&snapshots(&direct)[0]).unwrap().unwrap();
    let part = &manifest.parts[0];
    assert_eq!((part.kind.as_str(), part.tally.files, part.tally.links), ("folder", 6, 2));
    assert_eq!(part.facts["volume"]["volume"]["name"], json!(volume));
    assert_eq!(part.facts["volume"]["paused"], json!([]));

    // Into a new one, which is made.
    let other = lab.name("new-files");
    let restored = restore(&direct, made.clone(), json!({ "volume": other }), json!({})).unwrap();
    assert_eq!(restored["files"], 6);
    assert_eq!(inside(&lab, &other, LIST), wanted);
    lab.run(lab.engine.remove_volume(&other)).unwrap();
    // Saved once more: nothing is stored again.
    let again = backup(&direct, json!({ "volume": volume, "name": "files" }), json!({})).unwrap().value;
    assert!(again["added"].as_u64().unwrap() < 20_000, "{again}");
    // And a folder of this machine, by us and by restic.
    restore(&direct, again.clone(), json!("here"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("here/a.txt")).unwrap(), "hello\n");
    if restic(&direct, &["restore", again["id"].as_str().unwrap(), "--target", "theirs"]).is_some() {
        let here = super::listing(&direct.path().join("here"));
        assert_eq!(super::listing(&direct.path().join("theirs/data/files")), here);
        assert!(restic(&direct, &["check", "--read-data"]).unwrap().contains("no errors were found"));
    }
}

#[test]
fn what_a_volume_holds_is_told_refused_saved_and_replaced() {
    let Some(lab) = Lab::start() else { return };
    let direct = site();
    let volume = lab.volume("live");
    inside(&lab, &volume, "cd /data; echo one > one; echo two > two; mkdir d");
    let source = json!({ "volume": volume, "name": "live" });
    let made = backup(&direct, source.clone(), json!({})).unwrap().value;
    inside(&lab, &volume, "cd /data; echo changed > one; rm two; echo three > three; chmod 0700 d");

    let dry = restore(&direct, made.clone(), json!({ "volume": volume }), json!({ "dry_run": true })).unwrap();
    assert_eq!(differences(&dry), ["mode d", "content one", "extra three", "missing two"]);
    assert!(direct.lines().contains(&"stdout: extra three".to_owned()));

    let refused = restore(&direct, made.clone(), json!({ "volume": volume }), json!({})).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Refused);
    assert!(refused.message.contains("would be lost"), "{refused:?}");
    // Somebody has it: it is not taken from under them.
    let user = lab.up(&with(&lab, "user", &volume, "exec sleep 600"));
    let replace = json!({ "replace": true });
    let refused = restore(&direct, made.clone(), json!({ "volume": volume }), replace.clone()).unwrap_err();
    assert_eq!(
        (refused.kind, refused.message),
        (FailureKind::Conflict, format!("volume `{volume}` belongs to {user}"))
    );
    lab.run(lab.engine.remove(&user, false)).unwrap();
    assert_eq!(snapshots(&direct).len(), 1, "nothing was done, and nothing saved");

    restore(&direct, made.clone(), json!({ "volume": volume }), replace).unwrap();
    assert_eq!(inside(&lab, &volume, "cd /data; cat one two; ls"), "one\ntwo\nd\none\ntwo\n");
    let there = snapshots(&direct);
    let before = there.iter().find(|one| one.job.as_deref() == Some("shop.before-restore")).unwrap();
    // What was there is in the snapshot that was made before.
    restore(&direct, json!(before.id), json!("before"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("before/one")).unwrap(), "changed\n");
    assert!(direct.path().join("before/three").exists());
    // It is the same volume: its labels are those it had.
    let now = lab.run(lab.engine.volume(&volume)).unwrap().unwrap();
    assert_eq!(now.labels.get("runbook-test"), Some(&"1".to_owned()));
    let same = restore(&direct, made, json!({ "volume": volume }), json!({ "dry_run": true })).unwrap();
    assert_eq!(same["differences"], json!([]));
    no_shelves(&lab, &direct);
}

#[test]
fn containers_stand_still_while_their_volume_is_read_and_wake_whatever_happens() {
    let Some(lab) = Lab::start() else { return };
    let direct = site();
    let volume = lab.volume("busy");
    // Two files that are only right together.
    let script = "i=0; while :; do i=$((i+1)); echo $i > /data/a; echo $i > /data/b; done";
    let writer = lab.up(&with(&lab, "writer", &volume, script));
    let state = || lab.run(lab.engine.inspect(&writer)).unwrap().state;
    let source = json!({ "volume": volume, "name": "busy", "pause": "30s" });
    let made = backup(&direct, source.clone(), json!({})).unwrap().value;
    assert_eq!(state(), ContainerState::Running);
    let manifest = open(&direct).manifest(&snapshots(&direct)[0]).unwrap().unwrap();
    let facts = &manifest.parts[0].facts["volume"];
    assert_eq!(facts["paused"], json!([writer]));
    assert!(facts["paused_for"].as_u64().unwrap() < 30_000, "{facts}");
    restore(&direct, made, json!("here"), json!({})).unwrap();

    // A fault in the middle: a pipe among the files.
    lab.exec(&writer, &["mkfifo", "/data/pipe"]);
    let failure = backup(&direct, source, json!({})).unwrap_err();
    assert!(failure.message.contains("neither a file nor a folder nor a link"), "{failure:?}");
    assert_eq!((state(), snapshots(&direct).len()), (ContainerState::Running, 1));
    let left_out = json!({ "volume": volume, "name": "busy", "exclude": ["pipe"] });
    backup(&direct, left_out, json!({})).unwrap();
    no_shelves(&lab, &direct);
}

#[test]
fn paused_containers_wake_when_the_process_is_killed_and_when_the_time_is_over() {
    let Some(lab) = Lab::start() else { return };
    let volume = lab.volume("frozen");
    let container = lab.up(&with(&lab, "frozen", &volume, "exec sleep 600"));
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_runbook"));
    let state = || lab.run(lab.engine.inspect(&container)).unwrap().state;
    let wakes_within = |seconds: u64| {
        let end = std::time::Instant::now() + Duration::from_secs(seconds);
        while state() == ContainerState::Paused && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(state(), ContainerState::Running);
    };
    let names = [container.clone()];
    let paused = lab.run(lab.engine.pause_all(&names, Duration::from_secs(60), program)).unwrap();
    assert_eq!(state(), ContainerState::Paused);
    // What holds the line is gone, as after a kill.
    drop(paused);
    wakes_within(10);
    let mut paused = lab.run(lab.engine.pause_all(&names, Duration::from_secs(1), program)).unwrap();
    wakes_within(10);
    let late = lab.run(paused.wake(&lab.engine)).unwrap_err();
    assert_eq!(late.kind, FailureKind::Timeout);
}

#[test]
fn a_volume_that_is_not_there_or_an_engine_that_dies_is_no_snapshot() {
    let Some(lab) = Lab::start() else { return };
    let direct = site();
    let failure = backup(&direct, json!({ "volume": lab.name("none") }), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
    for (wrong, kind) in [
        (json!({ "volume": "" }), FailureKind::Argument),
        (json!({ "volume": "a/b" }), FailureKind::Argument),
        (json!({ "volume": "a", "folder": "b" }), FailureKind::Option),
    ] {
        assert_eq!(backup(&direct, wrong.clone(), json!({})).unwrap_err().kind, kind, "{wrong}");
    }
    let paused = json!({ "volume": "a", "engine": "ssh://web", "pause": "1m" });
    assert!(backup(&direct, paused, json!({})).unwrap_err().message.contains("nobody there would wake them"));
    // The connection ends in the middle of the archive.
    let volume = lab.volume("large");
    inside(&lab, &volume, "dd if=/dev/urandom of=/data/x bs=1000000 count=20 2>/dev/null");
    let port = lab.afar().rsplit_once(':').unwrap().1.parse().unwrap();
    let way = Way::until(port, 5_000_000, Blow::Cut, true);
    let engine = format!("tcp://127.0.0.1:{}", way.port());
    let failure = backup(&direct, json!({ "volume": volume, "engine": engine }), json!({})).unwrap_err();
    assert_ne!(failure.kind, FailureKind::Argument, "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    no_shelves(&lab, &direct);
}
