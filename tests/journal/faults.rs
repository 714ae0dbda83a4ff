//! The disk is full, or answers with errors, or somebody else has the file: it is said, nothing half is kept, and when it is
//! over everything works without repair.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runbook::failure::FailureKind;
use runbook::journal::{CallState, Journal, LogQuery, RunState};
use runbook::primitive::{Effect, LogStream};
use rusqlite::Connection;
use serde_json::json;

use super::processes::command;
use super::{done, ended, line, new_run, record, started};
use crate::harness::skip;

/// Does `task` in another process whose system calls fail as `inject` says, and returns what it said about it.
fn under(inject: &str, only: Option<&Path>, task: &str, folder: &Path) -> Option<String> {
    drop(Journal::open(folder).unwrap());
    let traced = command(task, folder);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}")]);
    if let Some(only) = only {
        strace.arg("-P").arg(only);
    }
    strace.arg(traced.get_program()).args(traced.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
    strace.envs(traced.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(status) = strace.status() else {
        skip("strace");
        return None;
    };
    assert!(status.success(), "{}", std::fs::read_to_string(folder.join("said")).unwrap_or_default());
    Some(std::fs::read_to_string(folder.join("said")).unwrap_or_default())
}

#[test]
fn a_write_that_fails_leaves_nothing_half_and_succeeds_when_tried_again() {
    let cases = [
        ("pwrite64:error=ENOSPC:when=60..75", "no space left for `"),
        ("pwrite64:error=EIO:when=90..97", "answered with an error"),
        ("fsync,fdatasync:error=EIO:when=5..7", "answered with an error"),
    ];
    for (inject, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let wal = folder.path().join("journal.sqlite-wal");
        let Some(said) = under(inject, Some(&wal), "stubborn", folder.path()) else { return };
        assert!(said.contains(expected), "{inject}: {said:?}");
        let journal = Journal::open(folder.path()).unwrap();
        let calls = journal.calls(1).unwrap();
        assert_eq!(calls.iter().filter(|call| call.state == CallState::Done).count(), 30, "{inject}");
        let state = journal.verify_all().unwrap();
        assert!(state.is_whole(), "{inject}: {state:#?}");
        assert_eq!(journal.run(1).unwrap().state, RunState::Ok);
    }
}

#[test]
fn log_lines_that_could_not_be_written_are_reported_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let month = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string();
    let wal = folder.path().join(format!("logs-{month}.sqlite-wal"));
    let Some(said) = under("pwrite64:error=ENOSPC:when=40..60", Some(&wal), "talkative", folder.path()) else { return };
    assert!(said.contains("cannot store log lines: no space left for `"), "{said:?}");
    let journal = Journal::open(folder.path()).unwrap();
    let lines = journal.logs(&LogQuery { run: Some(1), ..LogQuery::default() }).unwrap();
    let expected: Vec<String> = (1..=100).map(|number| format!("line {number}")).collect();
    assert_eq!(
        lines.into_iter().map(|line| line.line).collect::<Vec<_>>(),
        expected,
        "none is lost, none is there twice"
    );
}

#[test]
fn a_log_that_another_process_keeps_locked_is_waited_for_and_then_named() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let other = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    std::thread::scope(|scope| {
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let began = Instant::now();
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            other.execute_batch("COMMIT").unwrap();
        });
        record(&journal, run, &[started("1", "sh", "sh a", Effect::Change)]);
        assert!(began.elapsed() >= Duration::from_millis(300));
    });
    let other = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failure = journal.record(run, &crate::harness::fit(&done("1", json!(1), 1))).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert!(failure.message.contains("another process has kept `"), "{failure}");
    other.execute_batch("ROLLBACK").unwrap();
    record(&journal, run, &[done("1", json!(1), 1), ended(run, RunState::Ok, None)]);
    assert!(journal.verify_all().unwrap().is_whole());
}

#[test]
fn damaged_log_lines_are_named_by_their_month_and_the_run_log_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    record(&journal, run, &[ended(run, RunState::Ok, None)]);
    std::fs::write(folder.path().join("logs-2020-01.sqlite"), "no database at all").unwrap();
    let state = journal.verify_all().unwrap();
    assert!(state.problems.len() == 1 && state.problems[0].starts_with("the log lines of 2020-01: "), "{state:?}");
    assert!(state.problems[0].ends_with("is not a run log"), "{state:?}");
    assert!(journal.verify(run).unwrap().is_whole());
}

#[test]
fn a_damaged_page_is_said_to_be_damaged_and_what_is_whole_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.sqlite");
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    for call in 1..=200 {
        let path = call.to_string();
        record(&journal, run, &[started(&path, "sh", "sh true", Effect::Read), done(&path, json!("x".repeat(300)), 1)]);
    }
    record(&journal, run, &[line("1", LogStream::Stdout, "still here"), ended(run, RunState::Ok, None)]);
    drop(journal);
    let connection = Connection::open(&file).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let page: i64 =
        connection.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'call'", [], |row| row.get(0)).unwrap();
    drop(connection);
    let open = std::fs::File::options().read(true).write(true).open(&file).unwrap();
    let (mut whole, place) = (vec![0; 4_096], (page.cast_unsigned() - 1) * 4_096);
    open.read_exact_at(&mut whole, place).unwrap();
    open.write_all_at(&[0xff; 4_096], place).unwrap();

    let journal = Journal::open(folder.path()).unwrap();
    let failure = journal.calls(run).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message),
        (FailureKind::Invalid, format!("cannot read the calls of the run: `{}` is damaged", file.display()))
    );
    assert_eq!(journal.run(run).unwrap().state, RunState::Ok);
    assert!(journal.verify_all().map_or(true, |state| !state.is_whole()));
    assert!(!journal.damage().unwrap_or_else(|failure| vec![failure.message]).is_empty());
    drop(journal);
    open.write_all_at(&whole, place).unwrap();
    assert!(Journal::open(folder.path()).unwrap().verify_all().unwrap().is_whole());
}
