//! What was saved, put into its place on a host.

use std::time::{Duration, Instant};

use runbook::primitive::{FailureKind, Probe};
use serde_json::json;

use super::super::differences;
use super::{backup, folder, host_with, known, listing, place, restore, shell, site, snapshots};
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::Sshd;

#[test]
fn what_is_there_is_told_refused_saved_and_replaced() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let data = server.file("data");
    shell(&data, "echo one > one; echo two > two; mkdir d");
    let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
    let wanted = listing(&data);
    shell(&data, "echo changed > one; rm two; echo three > three; chmod 0700 d");

    let dry = restore(&direct, made.clone(), place(&server, "data"), json!({ "dry_run": true })).unwrap();
    assert_eq!(differences(&dry), ["mode d", "content one", "extra three", "missing two"]);
    let dry = restore(&direct, made.clone(), place(&server, "nothing"), json!({ "dry_run": true })).unwrap();
    assert_eq!(dry["differences"].as_array().unwrap().len(), 3);

    let refused = restore(&direct, made.clone(), place(&server, "data"), json!({})).unwrap_err();
    assert!(refused.kind == FailureKind::Refused && refused.message.contains("would be lost"), "{refused:?}");
    assert_eq!(snapshots(&direct).len(), 1, "nothing was done, and nothing saved");
    restore(&direct, made.clone(), place(&server, "data"), json!({ "replace": true })).unwrap();
    assert_eq!(listing(&data), wanted);
    let there = snapshots(&direct);
    let before = there.iter().find(|one| one.job.as_deref() == Some("shop.before-restore")).unwrap();
    restore(&direct, json!(before.id), json!("before"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("before/one")).unwrap(), "changed\n");
    assert!(direct.path().join("before/three").exists());
    let same = restore(&direct, made.clone(), place(&server, "data"), json!({ "dry_run": true })).unwrap();
    assert_eq!(same["differences"], json!([]));
    // An empty folder is in nobody's way; whatever else came into it is.
    shell(&server.file("empty"), ":");
    restore(&direct, made.clone(), place(&server, "empty"), json!({})).unwrap();
    assert_eq!(listing(&server.file("empty")), wanted);
    let failure = restore(&direct, made, json!({ "path": "/x", "host": "web", "engine": 1 }), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Option, "{failure:?}");
    nothing_is_left(&server);
}

fn nothing_is_left(server: &Sshd) {
    let left: Vec<_> = std::fs::read_dir(server.file(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let left: Vec<_> = left.iter().filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_restore_that_breaks_off_touches_nothing_and_can_be_made_again() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    shell(&server.file("data"), "echo a > a; head -c 3000000 /dev/urandom > b");
    let wanted = listing(&server.file("data"));
    let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
    shell(&server.file("live"), "echo precious > a");
    for bytes in [9_000, 40_000, 1_000_000] {
        let way = Way::until(server.port(), bytes, Blow::Cut, true);
        let other = super::super::site();
        std::fs::remove_dir_all(other.path().join("store")).unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-aT")
            .arg(direct.path().join("store"))
            .arg(other.path().join("store"))
            .status();
        assert!(copied.unwrap().success());
        known(&other, &server, way.port(), "");
        let began = Instant::now();
        // What is restored is read back, which is where the last of them breaks off.
        let failure = restore(&other, made.clone(), place(&server, "live"), json!({ "replace": true })).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{bytes}: {failure:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{bytes}: {:?}", began.elapsed());
        assert_eq!(std::fs::read_to_string(server.file("live/a")).unwrap(), "precious\n", "{bytes}");
        assert!(!server.file("live/b").exists());
        let args = json!([made, place(&server, "live")]);
        let options = json!({ "replace": true });
        assert!(matches!(
            other.recover("restore", json!(null), args.clone(), options.clone()).unwrap(),
            Probe::NotDone
        ));
        other.resume("restore", json!(null), args, options).unwrap();
        assert_eq!(listing(&server.file("live")), wanted);
        nothing_is_left(&server);
        shell(&server.file("live"), "rm b; echo precious > a");
    }
    // Made to its end by a process that could not say so.
    let args = json!([made, place(&server, "new")]);
    restore(&direct, args[0].clone(), args[1].clone(), json!({})).unwrap();
    assert!(matches!(direct.recover("restore", json!(null), args.clone(), json!({})).unwrap(), Probe::Done(_)));
    shell(&server.file("new"), "echo other > a");
    assert!(matches!(direct.recover("restore", json!(null), args, json!({})).unwrap(), Probe::NotDone));
}

#[test]
fn a_host_that_unpacks_something_else_is_found_out() {
    for (program, text, wanted) in [
        (
            "tar",
            "$REAL/tar \"$@\"; r=$?; case \"$*\" in *-xpf*) for f in .*restoring/a ../*/.*restoring/a; do echo more >> $f; done 2>/dev/null; find / -xdev -path '*restoring/a' -exec sh -c 'echo more >> \"$1\"' sh {} ';' 2>/dev/null;; esac; exit $r",
            "bytes instead of",
        ),
        ("tar", "case \"$*\" in *-xpf*) cat > /dev/null; exit 0;; esac; exec $REAL/tar \"$@\"", "instead of"),
        (
            "tar",
            "case \"$*\" in *-xpf*) echo 'tar: No space left on device' >&2; exit 2;; esac; exec $REAL/tar \"$@\"",
            "No space left on device",
        ),
        ("mv", "echo 'mv: busy' >&2; exit 1", "mv: busy"),
    ] {
        let Some(server) = host_with(&[(program, text)]) else { return };
        let direct = site(&server);
        shell(&server.file("data"), "echo a > a; head -c 300000 /dev/urandom > b");
        let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
        shell(&server.file("live"), "echo precious > a");
        let failure = restore(&direct, made, place(&server, "live"), json!({ "replace": true })).expect_err(text);
        assert!(failure.message.contains(wanted), "{text}: {failure:?}");
        assert_eq!(std::fs::read_to_string(server.file("live/a")).unwrap(), "precious\n", "{text}");
    }
}
