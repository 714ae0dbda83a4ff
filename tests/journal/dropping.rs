//! Runs that are dropped because of their age, number or size; and that a run which somebody removed is still missed.

use std::path::Path;
use std::time::Duration;

use runbook::journal::{CallState, Event, Journal, NewRun, RunFilter, RunRules, RunState};
use runbook::primitive::Effect;
use rusqlite::Connection;
use serde_json::json;

use super::{done, ended, new_run, record, started};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Whatever began before now.
fn all_old(_: &str) -> RunRules {
    RunRules { keep: Duration::ZERO, most: None }
}

fn run(journal: &Journal, runbook: &str, state: RunState) -> i64 {
    let sources = vec![runbook::journal::Source { path: runbook.into(), text: format!("info(\"{runbook}\");\n") }];
    let run = journal.begin(&NewRun { runbook: runbook.into(), sources, ..new_run() }).unwrap();
    record(journal, run, &[started("1", "sh", "sh make", Effect::Change), done("1", json!({ "code": 0 }), 3)]);
    record(journal, run, &[ended(run, state, None)]);
    run
}

fn good(journal: &Journal, runbook: &str, many: usize) {
    for _ in 0..many {
        run(journal, runbook, RunState::Ok);
    }
}

fn numbers(journal: &Journal) -> Vec<i64> {
    let mut runs: Vec<i64> = journal.runs(&RunFilter::default()).unwrap().iter().map(|run| run.id).collect();
    runs.sort_unstable();
    runs
}

fn problems(folder: &Path) -> Vec<String> {
    let verdict = Journal::open(folder).unwrap().verify_all().unwrap();
    let of_runs = verdict.runs.iter().flat_map(|run| run.problems.iter().map(ToString::to_string));
    verdict.problems.iter().cloned().chain(of_runs).collect()
}

fn count(folder: &Path, table: &str) -> i64 {
    let connection = Connection::open(folder.join("journal.sqlite")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn old_runs_are_dropped_with_all_that_belongs_to_them_and_the_rest_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for number in 0..30 {
        run(&journal, if number % 2 == 0 { "a.rhai" } else { "b.rhai" }, RunState::Ok);
    }
    assert_eq!(journal.prune_runs(None, &|_| RunRules { keep: YEAR, most: None }, None).unwrap(), 0);
    // One of a runbook, as at the end of its run; then all.
    assert_eq!(journal.prune_runs(Some(("a.rhai", "prod")), &all_old, None).unwrap(), 5);
    assert_eq!(numbers(&journal)[..6], [2, 4, 6, 8, 10, 11]);
    assert_eq!(problems(folder.path()), [""; 0]);
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 5);
    assert_eq!(numbers(&journal), (11..=30).collect::<Vec<_>>());
    assert_eq!(problems(folder.path()), [""; 0]);
    for (table, rows) in [("call", 20), ("source", 20), ("text", 2), ("dropped", 1)] {
        assert_eq!(count(folder.path(), table), rows, "{table}");
    }
    let failure = journal.run(3).unwrap_err();
    assert!(failure.message.contains("run 3 was dropped"), "{failure}");
    // It goes on as if nothing had been, and the one that told of it may go as well.
    good(&journal, "b.rhai", 15);
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 15);
    assert_eq!(problems(folder.path()), [""; 0]);
    assert_eq!(numbers(&journal).last(), Some(&45));
}

#[test]
fn what_is_still_needed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let last_good = run(&journal, "a.rhai", RunState::Ok);
    let killed = run(&journal, "a.rhai", RunState::Killed);
    let waiting = journal.begin(&NewRun { runbook: "a.rhai".into(), ..new_run() }).unwrap();
    let deployed = journal.begin(&NewRun { runbook: "a.rhai".into(), ..new_run() }).unwrap();
    record(&journal, deployed, &[started("1", "compose.release", "remember", Effect::Change)]);
    journal.record_release(deployed, "1", "shop", "prod", &json!({})).unwrap();
    record(&journal, deployed, &[ended(deployed, RunState::Failed, None)]);
    let origin = run(&journal, "a.rhai", RunState::Failed);
    let plain = run(&journal, "a.rhai", RunState::Failed);
    let again = journal.begin(&NewRun { runbook: "a.rhai".into(), from_run: Some(origin), ..new_run() }).unwrap();
    record(&journal, again, &[ended(again, RunState::Failed, None)]);
    let newest: Vec<i64> = (0..9).map(|_| run(&journal, "a.rhai", RunState::Failed)).collect();
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 1, "{plain}");
    assert_eq!(numbers(&journal), [&[last_good, killed, waiting, deployed, origin, again], &newest[..]].concat());
    assert_eq!(problems(folder.path()), [""; 0]);
}

#[test]
fn of_too_many_the_oldest_go_and_of_what_is_too_large_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    good(&journal, "often.rhai", 40);
    good(&journal, "seldom.rhai", 15);
    let rules = |runbook: &str| RunRules { keep: YEAR, most: (runbook == "often.rhai").then_some(25) };
    assert_eq!(journal.prune_runs(None, &rules, None).unwrap(), 15);
    assert_eq!(numbers(&journal)[0], 16);
    assert_eq!(journal.prune_runs(None, &rules, Some(1 << 30)).unwrap(), 0);
    assert_eq!(journal.prune_runs(None, &rules, Some(1)).unwrap(), 20, "all but the newest ten of each");
    assert_eq!(problems(folder.path()), [""; 0]);
}

#[test]
fn of_what_is_too_large_the_oldest_go_whatever_their_runbook() {
    for of in [None, Some(("b.rhai", "prod"))] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        for _ in 0..60 {
            good(&journal, "a.rhai", 1);
            good(&journal, "b.rhai", 1);
        }
        let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
        let ask = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        let used = u64::try_from((ask("page_count") - ask("freelist_count")) * ask("page_size")).unwrap();
        let rules = |_: &str| RunRules { keep: YEAR, most: None };
        let dropped = journal.prune_runs(of, &rules, Some(used * 3 / 4)).unwrap();
        assert!((20..80).contains(&dropped), "{dropped}");
        let oldest = |runbook: &str| {
            let filter = RunFilter { runbook: Some(runbook.into()), ..RunFilter::default() };
            journal.runs(&filter).unwrap().last().unwrap().id
        };
        assert!(oldest("a.rhai").abs_diff(oldest("b.rhai")) <= 25, "{} {}", oldest("a.rhai"), oldest("b.rhai"));
        assert_eq!(problems(folder.path()), [""; 0]);
    }
}

#[test]
fn a_run_that_somebody_removed_is_missed_although_others_were_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    good(&journal, "a.rhai", 20);
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 10);
    let remove = "DELETE FROM call WHERE run = 15; DELETE FROM source WHERE run = 15; DELETE FROM entry WHERE run = 15;
        DELETE FROM run WHERE id = 15;";
    let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {remove}")).unwrap();
    let found = problems(folder.path());
    assert!(found.contains(&"run 15 was removed".to_owned()), "{found:?}");
    // Whoever says that it was dropped is contradicted by the chain of the run that dropped the others.
    connection.execute("INSERT INTO dropped (first, last, number, hash) VALUES (15, 15, 4, '')", []).unwrap();
    let found = problems(folder.path());
    assert!(
        found.iter().any(|problem| problem.contains("which runs were dropped is not what was recorded")),
        "{found:?}"
    );
    assert!(found.iter().any(|problem| problem.contains("dropped runs from 15 on was altered")), "{found:?}");
}

#[test]
fn dropping_writes_down_what_is_new_however_much_was_dropped_before() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let rules = |runbook: &str| RunRules { keep: YEAR, most: Some(if runbook == "often.rhai" { 10 } else { 1000 }) };
    for _ in 0..150 {
        good(&journal, "often.rhai", 1);
        good(&journal, "kept.rhai", 1);
        journal.prune_runs(Some(("often.rhai", "prod")), &rules, None).unwrap();
    }
    assert_eq!(count(folder.path(), "dropped"), 140, "those between are kept");
    let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let longest: i64 = connection
        .query_row(r#"SELECT max(length(body)) FROM entry WHERE body LIKE '{"event":"runs_dropped"%'"#, [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(longest < 200, "{longest}");
    assert_eq!(problems(folder.path()), [""; 0]);
    assert!(journal.run(1).unwrap_err().message.contains("run 1 was dropped"));
    assert_eq!(journal.run(2).unwrap().id, 2);
}

#[test]
fn a_fire_whose_run_was_dropped_stays_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let first = run(&journal, "a.rhai", RunState::Ok);
    let connection = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    connection
        .execute(
            "INSERT INTO fire (schedule, at, due, state, result, run) VALUES ('nightly', 1, 1, 'ran', 'ok', ?1)",
            [first],
        )
        .unwrap();
    good(&journal, "a.rhai", 10);
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 1);
    let fires = journal.fires(&runbook::journal::FireFilter::default()).unwrap();
    assert_eq!((fires.len(), fires[0].run), (1, None));
    assert_eq!(problems(folder.path()), [""; 0]);
}

/// As it is at the end of each run, with nothing to drop: no run is looked through in vain.
#[test]
fn events_of_other_runs_do_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let open = journal.begin(&NewRun { runbook: "a.rhai".into(), ..new_run() }).unwrap();
    good(&journal, "b.rhai", 12);
    assert_eq!(journal.prune_runs(None, &all_old, None).unwrap(), 2);
    // The one that goes on is written to as before.
    record(&journal, open, &[started("1", "sh", "sh make", Effect::Change)]);
    let failed = Event::RunFinished {
        run: open,
        state: RunState::Failed,
        failure: None,
        trace: Vec::new(),
        result: json!(null),
        milliseconds: 1,
        at: jiff::Timestamp::now(),
    };
    record(&journal, open, &[super::finished("1", CallState::Failed, json!(null), None, 1), failed]);
    assert_eq!(problems(folder.path()), [""; 0]);
}
