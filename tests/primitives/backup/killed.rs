//! A backup that is killed at any moment leaves nothing that looks like one, and nothing that has to be mended.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::lies::{Objects, Subject, rhai};
use super::{PASSWORD, open, restic, site};
use crate::harness::bucket::KEY;
use crate::harness::strace::{self, Blow, Injection};
use crate::harness::{Direct, at_night, skip};

#[test]
fn killed_at_any_moment_the_repository_is_whole_and_the_next_backup_good() {
    let direct = site();
    direct.write("uploads/a", "kept from the beginning");
    super::backup(&direct, json!("uploads"), json!({})).unwrap();
    direct.write(
        "save.rhai",
        "//! Save.\nbackup(#{ command: [\"sh\", \"-c\", \"head -c 6000000 /dev/urandom\"], name: \"dump\" });\n",
    );
    let mut finished = 0;
    for round in 1..=12 {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.args(["run", "save.rhai"]).current_dir(direct.path()).env("RUNBOOK_STATE", direct.path().join("state"));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 * round));
        child.kill().unwrap();
        finished += u32::from(child.wait().unwrap().success());
        let repository = open(&direct);
        let there = repository.snapshots().unwrap();
        assert!(u32::try_from(there.len()).unwrap() > finished, "what was said to be saved is there");
        for snapshot in &there {
            assert!(repository.manifest(snapshot).unwrap().is_some(), "what is there is whole");
        }
        let checked = repository.check(true).unwrap();
        assert!(checked.errors.is_empty(), "round {round}: {:?}", checked.errors);
    }
    super::backup(&direct, json!("uploads"), json!({})).unwrap();
    let _ = restic(&direct, &["check", "--read-data"]);
    super::restore(&direct, json!("latest"), json!("back"), json!({})).unwrap();
    assert_eq!(std::fs::read_to_string(direct.path().join("back/a")).unwrap(), "kept from the beginning");
}

/// A database with its newest rows in the write-ahead log only, of which a snapshot has the older ones.
fn bank() -> Direct {
    let direct = site();
    let connection = Connection::open(direct.path().join("app.db")).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE account (amount INTEGER);").unwrap();
    connection.execute_batch("INSERT INTO account VALUES (1), (2), (3); PRAGMA wal_checkpoint;").unwrap();
    super::backup(&direct, json!({ "sqlite": "app.db" }), json!({})).unwrap();
    connection.execute_batch("UPDATE account SET amount = amount * 10;").unwrap();
    std::mem::forget(connection);
    direct.write("back.rhai", "//! Go back.\nrestore(\"latest\", \"app.db\", #{ replace: true });\n");
    direct
}

fn sum(direct: &Direct, file: &str) -> i64 {
    let connection = Connection::open(direct.path().join(file)).unwrap();
    connection.query_row("SELECT sum(amount) FROM account", [], |row| row.get(0)).unwrap()
}

fn runbook(direct: &Direct, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_runbook"));
    command.args(arguments).current_dir(direct.path()).env("RUNBOOK_STATE", direct.path().join("state"));
    command
}

/// The old database with its log, or the new one without: whenever a restore is killed, the next attempt makes it so.
#[test]
fn a_database_and_its_journals_stay_together_over_a_restore_that_is_killed() {
    if std::process::Command::new("strace").arg("--version").output().is_err() {
        return skip("strace (apt-get install strace)");
    }
    let direct = bank();
    let trace = direct.path().join("trace");
    let kinds = ["rename", "renameat2", "unlink"];
    let done = strace::recorded(&runbook(&direct, &["run", "back.rhai"]), &trace, &kinds).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let calls = strace::read(&trace);
    let mut points = Vec::new();
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.arguments.contains("app.db")) {
        let alike = |other: &&strace::Called| other.thread == call.thread && other.syscall == call.syscall;
        points.push((call.syscall.clone(), calls[..=at].iter().filter(alike).count()));
    }
    assert!(points.len() >= 5, "{calls:?}");
    // Of what removes the old one, the first: the others come after it.
    points.dedup_by(|later, first| later.0 == "unlink" && first.0 == "unlink");
    eprintln!("killed at {points:?}");
    for (syscall, when) in points {
        let direct = bank();
        let injection = Injection { blow: Blow::Kill, syscall, when, on: None };
        let killed = injection.around(&runbook(&direct, &["run", "back.rhai"])).output().unwrap();
        assert!(!killed.status.success(), "{injection:?} hit nothing");
        let resumed = runbook(&direct, &["resume"]).output().unwrap();
        assert!(resumed.status.success(), "{injection:?}: {}", String::from_utf8_lossy(&resumed.stderr));
        assert_eq!(sum(&direct, "app.db"), 6, "{injection:?}");
        super::restore(&direct, json!("latest"), json!("was.db"), json!({ "job": "shop.before-restore" })).unwrap();
        assert_eq!(sum(&direct, "was.db"), 60, "{injection:?}");
        let left: Vec<_> = std::fs::read_dir(direct.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".app.db")), "{injection:?}: {left:?}");
    }
}

/// Saved from and restored to a store that is elsewhere, by processes that are killed at any moment, each of which is gone on with:
/// what is there in the end is what was saved.
fn stands_kills<S: Subject>(subject: &S, target: &Value, back: impl Fn() -> String) {
    let direct = site();
    direct.write("secrets.env", &format!("STORE='{PASSWORD}'\nACCESS='{}'\nSECRET='{}'\n", KEY.0, KEY.1));
    direct.write("save.rhai", &format!("//! Save.\nbackup({});\n", rhai(&subject.source())));
    direct.write("back.rhai", &format!("//! Go back.\nrestore(\"latest\", {}, #{{ replace: true }});\n", rhai(target)));
    let mut hit = [0, 0];
    // How long each takes that is not killed.
    let mut longest = [Duration::from_millis(1500); 2];
    let rounds = if at_night() { 50 } else { 4 };
    for round in 1..=rounds {
        subject.alter(&direct, 2000 + u64::from(round));
        for (which, script) in ["save.rhai", "back.rhai"].into_iter().enumerate() {
            let mut command = runbook(&direct, &["run", script]);
            let mut child =
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
            let (start, after) = (std::time::Instant::now(), longest[which] * (round * 7 % 23 + 1) / 24);
            while start.elapsed() < after && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            if child.try_wait().unwrap().is_some() {
                longest[which] = longest[which].min(start.elapsed());
            } else {
                hit[which] += 1;
            }
            let _ = child.kill();
            let is_done = child.wait().unwrap().success();
            let name = format!("round {round}: {script} after {after:?}");
            if !is_done && !runbook(&direct, &["resume"]).output().unwrap().status.success() {
                // It had not even begun.
                let again = runbook(&direct, &["run", script]).output().unwrap();
                assert!(again.status.success(), "{name}: {}", String::from_utf8_lossy(&again.stderr));
            }
            let checked = open(&direct).check(true).unwrap();
            assert!(checked.errors.is_empty(), "{name}: {:?}", checked.errors);
        }
        assert_eq!(back(), subject.look(&direct), "round {round}");
    }
    assert!(hit.iter().all(|hit| *hit > 0), "nothing was killed: {hit:?}");
    eprintln!("{}: {hit:?} of {rounds} rounds killed something that ran", subject.name());
    let _ = restic(&direct, &["check", "--read-data"]);
}

#[test]
fn a_bucket_is_saved_and_filled_whoever_is_killed_over_it() {
    let Some(bucket) = Objects::at("killed-objects") else { return };
    stands_kills(&bucket, &bucket.target(), || bucket.back());
}
