//! SQLite databases of hosts.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runbook::primitive::FailureKind;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::super::sqlite::move_amounts;
use super::{backup, busybox, facts, host_with, known, place, restore, shell, site, snapshots};
use crate::harness::Direct;
use crate::harness::sshd::Sshd;

const OURS: &str = env!("CARGO_BIN_EXE_runbook");

/// Accounts whose sum never changes.
fn bank(file: &Path, mode: &str) -> Connection {
    let connection = Connection::open(file).unwrap();
    let sql = format!(
        "PRAGMA journal_mode = {mode}; PRAGMA synchronous = OFF; CREATE TABLE account (amount INTEGER);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO account SELECT 100 FROM n;"
    );
    connection.execute_batch(&sql).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn sum(file: &Path) -> (i64, i64) {
    let connection = Connection::open(file).unwrap();
    connection.query_row("SELECT count(*), sum(amount) FROM account", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn source(server: &Sshd) -> Value {
    json!({ "sqlite": server.file("app.db").display().to_string(), "host": "web" })
}

/// Saves while somebody writes, and restores.
fn under_writes(direct: &Direct, server: &Sshd, mode: &str) {
    let writer = bank(&server.file("app.db"), mode);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || move_amounts(&writer, done));
        for number in 0..3 {
            let saved = backup(direct, source(server), json!({})).unwrap().value;
            let to = format!("restored-{number}.db");
            restore(direct, saved, json!(to), json!({})).unwrap();
            assert_eq!(sum(&direct.path().join(to)), (2000, 200_000));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(facts(direct), json!({ "sqlite": { "account": 2000 } }));
}

#[test]
fn a_database_of_a_host_is_saved_as_it_is_at_one_moment_by_sqlite3_there() {
    for mode in ["WAL", "DELETE"] {
        let Some(server) = Sshd::start() else { return };
        under_writes(&site(&server), &server, mode);
    }
}

#[test]
fn a_runbook_of_the_same_version_does_without_sqlite3() {
    // One that is found where programs are looked for, and one that the project names.
    let Some(server) = busybox() else { return };
    let direct = site(&server);
    bank(&server.file("app.db"), "WAL");
    let failure = backup(&direct, source(&server), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
    assert!(failure.message.contains("there is no `sqlite3`"), "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains("install `sqlite3` there, or `runbook`")), "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    std::fs::remove_file(server.file("app.db")).unwrap();
    known(&direct, &server, server.port(), &format!("runbook = \"{OURS}\"\n"));
    under_writes(&direct, &server, "WAL");

    let programs = [("sqlite3", "exit 99"), ("runbook", &format!("exec {OURS} \"$@\"")[..])];
    let Some(server) = host_with(&programs) else { return };
    under_writes(&site(&server), &server, "DELETE");
    // One of another version is not asked.
    let programs = [("sqlite3", "exit 99"), ("runbook", "echo runbook 0.0.1")];
    let Some(server) = host_with(&programs) else { return };
    bank(&server.file("app.db"), "DELETE");
    let failure = backup(&site(&server), source(&server), json!({})).unwrap_err();
    assert!(failure.message.contains("the database was not copied"), "{failure:?}");
}

#[test]
fn what_is_no_whole_database_makes_no_snapshot() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let file = server.file("app.db");
    let failure = backup(&direct, source(&server), json!({})).unwrap_err();
    assert!(failure.kind == FailureKind::NotFound && !file.exists(), "{failure:?}");
    std::fs::write(&file, "no database at all, whatever its name says").unwrap();
    let failure = backup(&direct, source(&server), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    std::fs::remove_file(&file).unwrap();
    drop(bank(&file, "DELETE"));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xff);
    std::fs::write(&file, bytes).unwrap();
    let failure = backup(&direct, source(&server), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure:?}");
    assert!(snapshots(&direct).is_empty());
    for (program, text) in [
        ("sqlite3", "exit 0"),
        ("sqlite3", "kill -9 $$"),
        ("sqlite3", "$REAL/sqlite3 \"$@\"; f=$(ls -d /var/tmp/runbook-*/copy); truncate -s 4096 $f"),
        ("cat", "$REAL/cat \"$@\" | head -c 4096; exit 1"),
        ("mktemp", "exit 1"),
    ] {
        let Some(server) = host_with(&[(program, text)]) else { return };
        let direct = site(&server);
        bank(&server.file("app.db"), "DELETE");
        backup(&direct, source(&server), json!({})).expect_err(text);
        assert!(snapshots(&direct).is_empty(), "{text}");
    }
}

#[test]
fn a_database_takes_the_place_of_one_on_the_host_and_of_its_journals() {
    let Some(server) = Sshd::start() else { return };
    let direct = site(&server);
    let file = server.file("app.db");
    let writer = bank(&file, "WAL");
    let saved = backup(&direct, source(&server), json!({})).unwrap().value;
    writer.execute_batch("UPDATE account SET amount = 7").unwrap();
    std::mem::forget(writer);
    assert!(server.file("app.db-wal").metadata().unwrap().len() > 0);
    shell(&server.file("."), "chmod 0640 app.db; chown 1001:1002 app.db");
    let target = place(&server, "app.db");
    let refused = restore(&direct, saved.clone(), target.clone(), json!({})).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Refused, "{refused:?}");
    let dry = restore(&direct, saved.clone(), target.clone(), json!({ "dry_run": true })).unwrap_err();
    assert_eq!(dry.kind, FailureKind::Option, "{dry:?}");
    restore(&direct, saved.clone(), target, json!({ "replace": true })).unwrap();
    assert!(!server.file("app.db-wal").exists());
    assert_eq!(sum(&file), (2000, 200_000));
    let metadata = std::fs::metadata(&file).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.permissions().mode() & 0o7777), (1001, 1002, 0o640));
    // What was in its write-ahead log is in what was saved before.
    let there = snapshots(&direct);
    let before = there.iter().find(|one| one.job.as_deref() == Some("shop.before-restore")).unwrap();
    restore(&direct, json!(before.id), json!("before.db"), json!({})).unwrap();
    assert_eq!(sum(&direct.path().join("before.db")), (2000, 14_000));
    // One that is damaged is saved as the file it is.
    std::fs::write(&file, "damaged").unwrap();
    restore(&direct, saved, place(&server, "app.db"), json!({ "replace": true })).unwrap();
    assert_eq!(sum(&file), (2000, 200_000));
    let newest = snapshots(&direct).pop().unwrap();
    restore(&direct, json!(newest.id), json!("damaged"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("damaged")).unwrap(), "damaged");
}
