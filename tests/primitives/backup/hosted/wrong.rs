//! What goes wrong on a host, or on the way there.

use std::time::{Duration, Instant};

use runbook::primitive::FailureKind;
use serde_json::json;

use super::{backup, folder, host_with, known, listing, restore, shell, site, snapshots};
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::Sshd;

/// Runs the real one, then does something else.
fn tar_and(then: &str) -> String {
    format!("case \"$*\" in *--version*) exec $REAL/tar \"$@\";; esac\n{then}")
}

#[test]
fn whatever_a_host_gets_wrong_is_no_snapshot() {
    for (program, text, wanted) in [
        (
            "tar",
            tar_and("$REAL/tar \"$@\"; echo 'tar: ./a: Cannot open: Permission denied' >&2; exit 2"),
            "Cannot open: Permission denied",
        ),
        (
            "tar",
            tar_and("$REAL/tar \"$@\"; echo 'tar: ./a: File shrank by 9 bytes; padding with zeros' >&2; exit 1"),
            "File shrank by 9 bytes",
        ),
        ("tar", tar_and("$REAL/tar \"$@\"; exit 1"), "was not read to its end"),
        ("tar", tar_and("$REAL/tar \"$@\" | head -c 300000"), "cannot be read"),
        ("tar", tar_and("$REAL/tar \"$@\" | head -c 300000; kill -9 $$"), "terminated by signal 9"),
        ("tar", tar_and("exit 0"), "did not come"),
        // A file that is listed and left out without a word.
        (
            "tar",
            tar_and("n=$#; for a; do [ \"$a\" = ./b ] || set -- \"$@\" \"$a\"; done; shift $n; $REAL/tar \"$@\""),
            "`b` in",
        ),
        ("tar", tar_and("head -c 100000 /dev/zero | tr '\\0' x"), "cannot be read"),
        ("tar", tar_and("kill -9 $PPID"), "Killed"),
        (
            "find",
            "$REAL/find \"$@\"; echo 'find: ./deep: Permission denied' >&2; exit 1".to_owned(),
            "find: ./deep: Permission denied",
        ),
        ("find", "$REAL/find \"$@\"; kill -9 $$".to_owned(), "Killed"),
        ("xargs", "exit 127".to_owned(), "was not read to its end"),
        ("xargs", "kill -9 $PPID".to_owned(), "was killed by SIGKILL"),
    ] {
        let Some(server) = host_with(&[(program, &text)]) else { return };
        let direct = site(&server);
        shell(&server.file("data"), "mkdir deep; echo a > a; echo b > b; head -c 900000 /dev/urandom > deep/c");
        let began = Instant::now();
        let failure = backup(&direct, folder(&server, "data"), json!({})).expect_err(&text);
        assert!(failure.message.contains(wanted), "{text}: {failure:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{text}: {:?}", began.elapsed());
        assert!(snapshots(&direct).is_empty(), "{text}");
    }
}

#[test]
fn what_vanishes_or_grows_meanwhile_is_left_out_or_as_long_as_it_was() {
    for (text, wanted) in [
        ("rm -f b; $REAL/tar \"$@\"", vec!["a", "c"]),
        ("$REAL/tar \"$@\"; echo 'tar: ./a: file changed as we read it' >&2; exit 1", vec!["a", "b", "c"]),
    ] {
        let Some(server) = host_with(&[("tar", &tar_and(text))]) else { return };
        let direct = site(&server);
        shell(&server.file("data"), "for n in a b c; do echo $n > $n; done");
        let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
        restore(&direct, made, json!("back"), json!({})).unwrap();
        let found = listing(&direct.path().join("back"));
        let names: Vec<&str> = found.lines().filter_map(|line| line.strip_prefix("./")?.split(' ').next()).collect();
        assert_eq!(names, wanted);
        let told = direct.lines().iter().any(|line| line.contains("1 files of `web:") && line.contains("vanished"));
        assert_eq!(told, wanted.len() == 2, "{:?}", direct.lines());
    }
    // A folder that is replaced by another in between.
    let text = tar_and("rm -rf deep; $REAL/tar \"$@\"");
    let Some(server) = host_with(&[("tar", &text)]) else { return };
    let direct = site(&server);
    shell(&server.file("data"), "mkdir deep; echo c > deep/c; echo a > a");
    let made = backup(&direct, folder(&server, "data"), json!({})).unwrap().value;
    assert_eq!(made["files"].as_u64(), Some(2), "the manifest and what was left: {made}");
}

#[test]
fn what_cannot_be_part_of_a_snapshot_is_told_and_can_be_excluded() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let data = server.file("data");
    shell(&data, "echo a > a; mkfifo pipe");
    let failure = backup(&direct, folder(&server, "data"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(failure.message.starts_with("`pipe` is neither a file nor a folder nor a link"), "{failure:?}");
    shell(&data, "rm pipe; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'");
    let failure = backup(&direct, folder(&server, "data"), json!({})).unwrap_err();
    assert!(failure.message.contains("`sock` in"), "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    backup(&direct, folder(&server, "data"), json!({ "exclude": ["sock"] })).unwrap();

    let failure = backup(&direct, folder(&server, "none"), json!({})).unwrap_err();
    assert!(failure.kind == FailureKind::NotFound && failure.message.contains("on `web`"), "{failure:?}");
    shell(&server.file("."), "echo x > file");
    let failure = backup(&direct, folder(&server, "file"), json!({})).unwrap_err();
    assert!(failure.message.contains("is no folder"), "{failure:?}");
    for wrong in [
        json!({ "folder": "/srv", "host": 3 }),
        json!({ "folder": "", "host": "web", "name": "x" }),
        json!({ "command": ["true"], "host": "web", "name": "x" }),
        json!({ "folder": "/srv", "host": "web", "engine": "ssh://web" }),
        json!({ "folder": "/", "host": "web" }),
    ] {
        let failure = backup(&direct, wrong.clone(), json!({})).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Argument, "{wrong}: {failure:?}");
    }
    // With what can be saved, and marked, where the job allows it.
    let sources = json!([folder(&server, "none"), folder(&server, "data")]);
    let mut both = sources.as_array().unwrap().clone();
    both[0]["name"] = json!("none");
    let options = json!({ "partial": true, "exclude": ["sock"] });
    let made = direct.call(crate::harness::primitive("backup"), json!([both]), options).unwrap().value;
    assert_eq!((&made["missing"], &made["parts"]), (&json!(["none"]), &json!(["data"])));
}

#[test]
fn a_file_that_may_not_be_read_makes_no_snapshot() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let data = std::env::temp_dir().join(format!("shared-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    shell(&data, "mkdir deep; echo a > a; echo secret > deep/b; chmod 0600 deep/b; chmod 0755 . deep");
    let host = json!({ "$kind": "ssh", "name": "web", "user": "nobody" });
    let source = json!({ "folder": data.display().to_string(), "host": host, "name": "data" });
    let failure = backup(&direct, source.clone(), json!({})).unwrap_err();
    assert!(failure.message.contains("deep/b") && failure.message.contains("Permission denied"), "{failure:?}");
    shell(&data, "chmod 0700 deep");
    let failure = backup(&direct, source.clone(), json!({})).unwrap_err();
    assert!(failure.message.contains("Permission denied"), "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    shell(&data, "rm -r deep");
    backup(&direct, source, json!({})).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
}

#[test]
fn a_connection_that_is_cut_anywhere_makes_no_snapshot() {
    let Some(server) = Sshd::start() else { return };
    shell(&server.file("data"), "echo a > a; head -c 3000000 /dev/urandom > b; head -c 900000 /dev/urandom > c");
    let (wanted, mut cut) = (listing(&server.file("data")), 0);
    for bytes in [0, 1_500, 3_000, 4_000, 5_500, 7_000, 9_000, 60_000, 1_000_000, 3_500_000] {
        let direct = site(&server);
        let way = Way::until(server.port(), bytes, Blow::Cut, true);
        known(&direct, &server, way.port(), "");
        let began = Instant::now();
        let done = backup(&direct, folder(&server, "data"), json!({}));
        assert!(began.elapsed() < Duration::from_secs(20), "{bytes}: {:?}", began.elapsed());
        match done {
            // Cut while nothing was under way: another connection did all of it.
            Ok(made) => {
                restore(&direct, made.value, json!("back"), json!({})).unwrap();
                assert_eq!(listing(&direct.path().join("back")), wanted, "{bytes}");
            }
            Err(failure) => {
                assert_eq!(failure.kind, FailureKind::Unreachable, "{bytes}: {failure:?}");
                assert!(snapshots(&direct).is_empty());
                cut += 1;
            }
        }
    }
    assert!(cut >= 5, "{cut} of them were cut");
}
