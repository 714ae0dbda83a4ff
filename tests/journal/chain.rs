//! What was recorded can be told from what was not.

use std::path::Path;
use std::time::Duration;

use runbook::failure::{Failure, FailureKind};
use runbook::journal::{CallState, Decision, Event, Journal, Parked, RunState, ScriptEnd, Source, Verdict};
use runbook::primitive::{Action, Change, Effect, LeaseRequest, LogStream};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{done, ended, finished, line, new_run, record, started};

/// A run in which everything happens that is ever recorded; it ended well.
pub fn eventful(journal: &Journal) -> i64 {
    let run = journal.begin(&new_run()).unwrap();
    let lock = LeaseRequest { name: "deploy/prod".into(), wait: Duration::ZERO };
    journal.acquire(run, "ann@desk", &lock, "pull").unwrap().unwrap();
    let failure =
        Failure::new(FailureKind::Exit, "exit code 3").hint("look").evidence("last lines", "oops\n".repeat(9));
    record(
        journal,
        run,
        &[
            started("1", "step", "pull", Effect::Flow),
            started("1.1", "sh", "sh docker pull", Effect::Change),
            mark("1.1", json!({ "pid": 4711, "share": 0.1 + 0.2 })),
            line("1.1", LogStream::Stdout, "pulling"),
            done("1.1", json!({ "code": 0, "seconds": 1.000_000_000_000_000_2, "größe": [1, -2.5e-8, null] }), 40),
            finished("1", CallState::Failed, json!(null), Some(failure), 50),
            started("2", "confirm", "confirm go on?", Effect::Read),
            parked(run, RunState::Waiting, "2"),
        ],
    );
    journal.decide(run, "2", &Decision::Approve { digest: "d1".into() }, "bob@desk").unwrap();
    journal.take_up(run, "bob@desk").unwrap();
    journal.record_release(run, "3", "shop", "prod", &json!({ "api": "sha256:1" })).unwrap();
    let sources = vec![Source { path: "deploy.rhai".into(), text: "step(\"other\", || 1);\n".into() }];
    let end = ScriptEnd { failure: None, trace: vec![], cancelled: false, result: json!(0.3) };
    let at = jiff::Timestamp::now();
    record(
        journal,
        run,
        &[
            Event::RunResumed {
                run,
                runbook: "deploy.rhai".into(),
                environment: "prod".into(),
                by: "bob@desk".into(),
                finished: 2,
                at,
            },
            Event::ScriptReplaced { sources, by: "bob@desk".into(), at },
            done("2", json!(true), 5),
            Event::CancelRequested { by: "ann@desk".into(), at },
            Event::ScriptEnded { end, at },
            Event::UndoStarted { blocks: 2, at },
            Event::CallFinished {
                path: "1.1".into(),
                state: CallState::Done,
                result: json!({ "code": 0 }),
                changed: Some(true),
                note: None,
                changes: vec![Change::new(Action::Update, "service `api`")],
                failure: None,
                masked: true,
                milliseconds: 7,
                at,
            },
            ended(run, RunState::Ok, None),
        ],
    );
    run
}

pub fn parked(run: i64, state: RunState, path: &str) -> Event {
    let at = jiff::Timestamp::now();
    let parked = Parked { state, path: path.into(), question: "go on?".into(), digest: "d1".into(), expires: None, at };
    Event::RunParked { run, parked }
}

pub fn mark(path: &str, marker: Value) -> Event {
    Event::CallMarked { path: path.into(), marker, at: jiff::Timestamp::now() }
}

fn sql(folder: &Path, statements: &str) {
    let connection = Connection::open(folder.join("journal.sqlite")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(statements).unwrap();
}

/// What `verify` says first after these statements.
fn said(statements: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = eventful(&journal);
    assert!(journal.verify(run).unwrap().is_whole());
    sql(folder.path(), statements);
    let verdict = journal.verify(run).unwrap();
    assert!(!journal.verify_all().unwrap().is_whole(), "{statements}");
    verdict.problems.first().map(ToString::to_string).unwrap_or_default()
}

fn assert_whole(verdict: &Verdict) {
    assert!(verdict.is_whole(), "{:#?}", verdict.problems);
}

#[test]
fn what_was_left_alone_is_as_it_was_recorded_whatever_happened_in_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let runs = [eventful(&journal), eventful(&journal)];
    for run in runs {
        let verdict = journal.verify(run).unwrap();
        assert_whole(&verdict);
        assert_eq!((verdict.entries, verdict.hash.len(), verdict.adopted), (19, 64, None));
    }
    let state = journal.verify_all().unwrap();
    assert!(state.is_whole(), "{:#?}", state.problems);
    assert_eq!(state.runs.len(), 2);
}

#[test]
fn a_run_that_is_still_going_on_can_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    assert_whole(&journal.verify(run).unwrap());
    record(&journal, run, &[started("1", "sh", "sh a", Effect::Change)]);
    assert_whole(&Journal::open(folder.path()).unwrap().verify(run).unwrap());
}

#[test]
fn the_first_row_that_was_altered_removed_or_moved_is_named() {
    let cases = [
        (
            "UPDATE call SET result = '{\"code\":1}' WHERE path = '1.1'",
            "entry 18, call 1.1 sh: the recorded `result` was altered",
        ),
        (
            "UPDATE call SET started_at = started_at + 1 WHERE path = '1'",
            "entry 2, call 1 step: the recorded `started_at` was altered",
        ),
        ("UPDATE call SET state = 'done' WHERE path = '1'", "entry 6, call 1 step: the recorded `state` was altered"),
        ("UPDATE call SET marker = NULL WHERE path = '1.1'", "entry 4, call 1.1 sh: the recorded `marker` was altered"),
        (
            "UPDATE call SET decision = replace(decision, 'bob', 'ann') WHERE path = '2'",
            "entry 9, call 2 confirm: the recorded `decision` was altered",
        ),
        ("DELETE FROM call WHERE path = '1.1'", "entry 3, call 1.1 sh: its row was removed"),
        (
            "INSERT INTO call SELECT 99, run, '7', name, title, effect, arguments, file, line, column, state, result,
                 changed, note, failure, started_at, finished_at, milliseconds, changes, masked, marker, decision
             FROM call WHERE path = '2'",
            "call 7 confirm: there is a row that was never recorded",
        ),
        ("UPDATE call SET id = 77 WHERE path = '1'", "entry 2, call 1 step: its row is not where it was recorded"),
        ("UPDATE run SET parameters = '{}'", "entry 1, run 1: the recorded `parameters` was altered"),
        ("UPDATE run SET state = 'failed'", "entry 19, run 1: the recorded `state` was altered"),
        ("UPDATE run SET owned_by = 'eve@desk'", "entry 10, run 1: the recorded `owned_by` was altered"),
        (
            "UPDATE release SET content = '{}'",
            "entry 11, release 1 of shop on prod: the recorded `content` was altered",
        ),
        (
            "UPDATE release SET state = 'failed'",
            "entry 19, release 1 of shop on prod: the recorded `state` was altered",
        ),
        ("DELETE FROM release", "entry 11, release 1 of shop on prod: its row was removed"),
        (
            "UPDATE source SET hash = (SELECT hash FROM text WHERE hash <> source.hash)",
            "entry 13, script `deploy.rhai`: the recorded `hash` was altered",
        ),
        ("UPDATE text SET text = text || ' '", "entry 1, script `deploy.rhai`: the text was altered"),
        (
            "UPDATE entry SET body = replace(body, 'pull', 'push') WHERE number = 3",
            "entry 3, call 1.1, `call started`: the entry was altered, or is not where it was recorded",
        ),
        ("DELETE FROM entry WHERE number = 5", "entry 5, which was removed"),
        (
            "DELETE FROM entry WHERE number = 19",
            "entry 10, release 1 of shop on prod: the recorded `state` was altered",
        ),
        (
            "UPDATE entry SET number = 99 WHERE number = 4; UPDATE entry SET number = 4 WHERE number = 5;
             UPDATE entry SET number = 5 WHERE number = 99",
            "entry 4, call 1.1, `call finished`: the entry was altered, or is not where it was recorded",
        ),
        ("DELETE FROM entry", "entry 1, there are no entries for this run: they were removed"),
    ];
    for (statements, expected) in cases {
        assert_eq!(said(statements), expected, "{statements}");
    }
}

#[test]
fn an_end_that_was_cut_off_is_told_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let (run, next) = (eventful(&journal), eventful(&journal));
    sql(folder.path(), "DELETE FROM entry WHERE run = 1 AND number > 17");
    let problems = journal.verify(run).unwrap().problems;
    assert!(
        problems.iter().any(|problem| problem.to_string() == "entry 19, which the next run saw, was removed"),
        "{problems:?}"
    );
    let problems = journal.verify(next).unwrap().problems;
    assert_eq!(problems[0].to_string(), "entry 1, run 2: when it began, run 1 had an entry 19, which was removed");
}

#[test]
fn a_run_that_was_removed_whole_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for _ in 0..3 {
        let run = journal.begin(&new_run()).unwrap();
        record(&journal, run, &[ended(run, RunState::Ok, None)]);
    }
    sql(
        folder.path(),
        "DELETE FROM entry WHERE run = 2; DELETE FROM source WHERE run = 2; DELETE FROM run WHERE id = 2",
    );
    let state = journal.verify_all().unwrap();
    assert_eq!(state.problems, ["run 2 was removed"]);
    assert_eq!(
        state.runs[1].problems[0].to_string(),
        "entry 1, run 3: when it began, run 2 had an entry 2, which was removed"
    );
}

#[test]
fn locks_formats_and_foreign_tables_are_noticed() {
    let cases = [
        ("UPDATE lease SET fence = 7", "the lock `deploy/prod` was altered"),
        ("UPDATE format SET runbook = '9.9' WHERE version = 1", "the note on format 1 was altered"),
        ("DELETE FROM format WHERE version = 1", "the notes on formats are not complete"),
        ("UPDATE sqlite_sequence SET seq = 9", "run 2 was removed"),
        ("DROP INDEX run_by_start", "the table or index `run_by_start` is missing or was altered"),
        ("CREATE TABLE notes (text)", "the table or index `notes` is none of this program's"),
    ];
    for (statements, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        eventful(&journal);
        sql(folder.path(), statements);
        assert_eq!(journal.verify_all().unwrap().problems[0], expected, "{statements}");
    }
}

#[test]
fn processes_that_write_to_one_run_share_its_chain() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Journal::open(folder.path()).unwrap();
    let run = owner.begin(&new_run()).unwrap();
    std::thread::scope(|scope| {
        for branch in 0..4 {
            let folder = folder.path();
            scope.spawn(move || {
                let journal = Journal::open(folder).unwrap();
                for call in 0..25 {
                    let path = format!("1.{branch}.{call}");
                    record(&journal, run, &[started(&path, "sh", "sh true", Effect::Read), done(&path, json!(1), 1)]);
                    let at = jiff::Timestamp::now();
                    record(&journal, run, &[Event::CancelRequested { by: "bob@desk".into(), at }]);
                }
            });
        }
    });
    let verdict = owner.verify(run).unwrap();
    assert_whole(&verdict);
    assert_eq!(verdict.entries, 301);
}

#[test]
fn a_run_older_than_the_chain_is_kept_as_it_was_when_the_chain_began() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.sqlite");
    let old = Connection::open(&file).unwrap();
    old.execute_batch(include_str!("../../runtime/journal/schema/journal-1.sql")).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO format VALUES (1, '0.1.0', 5);
         INSERT INTO text VALUES ('9a5d', 'x');
         INSERT INTO run (runbook, title, environment, environment_values, parameters, project_root, started_by, state,
                          started_at, finished_at, milliseconds, machine, pid)
         VALUES ('deploy.rhai', '', 'prod', '{}', '{}', '/srv', 'ann@desk', 'ok', 1000, 5000, 4, 'desk', 7);
         INSERT INTO call (run, path, name, title, effect, arguments, file, line, column, state, started_at)
         VALUES (1, '1', 'sh', 'sh true', 'change', '{}', 'deploy.rhai', 1, 1, 'done', 1000);",
    )
    .unwrap();
    drop(old);
    let journal = Journal::open(folder.path()).unwrap();
    let verdict = journal.verify(1).unwrap();
    assert_whole(&verdict);
    assert!(verdict.adopted.is_some() && verdict.entries == 1);
    assert_eq!(journal.run(1).unwrap().uid.len(), 16);
    sql(folder.path(), "UPDATE call SET title = 'sh false'");
    let problems = journal.verify(1).unwrap().problems;
    assert_eq!(problems[0].to_string(), "entry 1, call 1 sh: the recorded `title` was altered");
}
