//! SQLite databases: consistent while others write, whole or no backup, and restored without what belonged to another.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runbook::primitive::FailureKind;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{backup, restore, site, snapshots};
use crate::harness::Direct;

/// Accounts whose sum never changes, in a database with a write-ahead log.
fn bank(direct: &Direct) -> Connection {
    let connection = Connection::open(direct.path().join("app.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE account (name TEXT, amount INTEGER); CREATE TABLE \"odd \"\"name\" (x);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO account SELECT 'account ' || i, 100 FROM n;",
        )
        .unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

fn rows(direct: &Direct, file: &str) -> Vec<(i64, String, i64)> {
    let connection = Connection::open(direct.path().join(file)).unwrap();
    let mut statement = connection.prepare("SELECT rowid, name, amount FROM account ORDER BY rowid").unwrap();
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    found.map(Result::unwrap).collect()
}

fn source() -> Value {
    json!({ "sqlite": "app.db" })
}

/// Moves amounts between accounts, until it is done.
pub fn move_amounts(writer: &Connection, done: &AtomicBool) {
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        number += 1;
        let (from, to) = (number % 2000 + 1, number * 7 % 2000 + 1);
        let sql = format!(
            "BEGIN IMMEDIATE; UPDATE account SET amount = amount - 1 WHERE rowid = {from};
             UPDATE account SET amount = amount + 1 WHERE rowid = {to}; COMMIT;"
        );
        writer.execute_batch(&sql).unwrap();
    }
}

#[test]
fn a_database_is_saved_as_it_is_at_one_moment_whoever_writes() {
    let direct = site();
    let writer = bank(&direct);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let done = &done;
        scope.spawn(move || move_amounts(&writer, done));
        for number in 0..3 {
            let saved = backup(&direct, source(), json!({})).unwrap().value;
            let to = format!("restored-{number}.db");
            restore(&direct, saved, json!(to), json!({})).unwrap();
            let found = rows(&direct, &to);
            assert_eq!((found.len(), found.iter().map(|row| row.2).sum::<i64>()), (2000, 200_000));
        }
        done.store(true, Ordering::Relaxed);
    });
    let manifest = super::open(&direct).manifest(&snapshots(&direct)[0]).unwrap().unwrap();
    assert_eq!(manifest.parts[0].facts, json!({ "sqlite": { "account": 2000, "odd \"name": 0 } }));
    assert_eq!(copies(&direct.path().join(".runbook")), 0);
}

/// How many copies of databases are left below a folder.
fn copies(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { copies(&path) } else { usize::from(path.ends_with("copy.sqlite")) }).sum()
}

#[test]
fn what_is_restored_takes_the_place_of_a_database_and_of_its_journals() {
    let direct = site();
    let live = bank(&direct);
    let saved = backup(&direct, source(), json!({})).unwrap().value;
    let before = rows(&direct, "app.db");
    // Newer changes are in the write-ahead log only, and would be taken for some of the restored database.
    live.execute_batch("UPDATE account SET amount = 7; DELETE FROM account WHERE rowid > 1000;").unwrap();
    let newer = rows(&direct, "app.db");
    assert!(std::fs::metadata(direct.path().join("app.db-wal")).unwrap().len() > 0);
    std::mem::forget(live);
    let failure = restore(&direct, saved.clone(), json!("app.db"), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(rows(&direct, "app.db"), newer);
    restore(&direct, saved, json!("app.db"), json!({ "replace": true })).unwrap();
    assert!(!direct.path().join("app.db-wal").exists());
    assert_eq!(rows(&direct, "app.db"), before);
    // What was in the way was saved first, with what was in its write-ahead log.
    let job = json!({ "job": "shop.before-restore" });
    restore(&direct, json!("latest"), json!("was.db"), job).unwrap();
    assert_eq!(rows(&direct, "was.db"), newer);
}

#[test]
fn a_damaged_database_is_no_backup_and_may_be_replaced() {
    let direct = site();
    drop(bank(&direct));
    let saved = backup(&direct, source(), json!({})).unwrap().value;
    let file = direct.path().join("app.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(0x55);
    std::fs::write(&file, &bytes).unwrap();
    let failure = backup(&direct, source(), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    assert_eq!(snapshots(&direct).len(), 1);
    restore(&direct, saved, json!("app.db"), json!({ "replace": true })).unwrap();
    assert_eq!(rows(&direct, "app.db").len(), 2000);
    restore(&direct, json!("latest"), json!("was.db"), json!({ "job": "shop.before-restore" })).unwrap();
    assert_eq!(std::fs::read(direct.path().join("was.db")).unwrap(), bytes, "as the file it was");
}

#[test]
fn what_is_no_database_is_refused() {
    let direct = site();
    direct.write("app.db", &"no database at all ".repeat(500));
    let failure = backup(&direct, source(), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
    let failure = backup(&direct, json!({ "sqlite": "none.db" }), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure}");
    for other in [json!({ "sqlite": "app.db", "folder": "x" }), json!({ "sqlite": "app.db", "container": "db" })] {
        let failure = backup(&direct, other, json!({})).unwrap_err();
        assert!(failure.message.contains("beside `sqlite`"), "{failure}");
    }
    assert!(snapshots(&direct).is_empty());
}

#[test]
fn a_database_that_others_lock_is_waited_for() {
    let direct = site();
    let connection = Connection::open(direct.path().join("app.db")).unwrap();
    connection.execute_batch("CREATE TABLE account (name TEXT, amount INTEGER); BEGIN EXCLUSIVE;").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(700));
            connection.execute_batch("INSERT INTO account VALUES ('a', 1); COMMIT;").unwrap();
            connection
        });
        let saved = backup(&direct, source(), json!({})).unwrap().value;
        restore(&direct, saved, json!("restored.db"), json!({})).unwrap();
    });
    assert_eq!(rows(&direct, "restored.db").len(), 1);
}
