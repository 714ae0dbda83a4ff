use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use runbook::journal::{Event, Journal, LogQuery, NewRun, RunState};
use runbook::primitive::LogStream;

use super::{ended, new_run, record};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The middle of the month so many months ago.
fn months_ago(months: i64) -> Timestamp {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    let day = now.date().first_of_month().checked_sub(months.months()).unwrap().checked_add(14.days()).unwrap();
    day.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn month(months: i64) -> String {
    months_ago(months).to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string()
}

/// A run with a line in each of these months.
fn run_with_lines(journal: &Journal, folder: &Path, months: &[i64]) -> i64 {
    let run = journal.begin(&new_run()).unwrap();
    for ago in months {
        let (path, stream) = (String::new(), LogStream::Info);
        record(journal, run, &[Event::Log { path, stream, line: format!("{ago} months ago"), at: months_ago(*ago) }]);
    }
    journal.flush().unwrap();
    let begun = months_ago(*months.first().unwrap()).as_microsecond();
    let connection = rusqlite::Connection::open(folder.join("journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET started_at = ?1 WHERE id = ?2", (begun, run)).unwrap();
    run
}

fn search(journal: &Journal) -> Vec<String> {
    let query = LogQuery { search: Some("months ago".into()), ..LogQuery::default() };
    journal.logs(&query).unwrap().into_iter().map(|line| line.line).collect()
}

fn names(months: &[runbook::journal::LogMonth]) -> Vec<&str> {
    months.iter().map(|month| month.month.as_str()).collect()
}

#[test]
fn months_that_ended_too_long_ago_are_dropped_and_the_rest_is_still_searched() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = run_with_lines(&journal, folder.path(), &[5, 4, 3, 1, 0]);
    record(&journal, run, &[ended(run, RunState::Ok, None)]);
    assert_eq!(journal.log_months().unwrap().len(), 5);
    let pruned = journal.prune_logs(95 * DAY, u64::MAX).unwrap();
    assert_eq!(names(&pruned.dropped), [month(5), month(4)]);
    assert!(pruned.needed.is_empty() && pruned.dropped[0].bytes > 0);
    assert_eq!(search(&journal), ["3 months ago", "1 months ago", "0 months ago"]);
    assert!(!folder.path().join(format!("logs-{}.sqlite-wal", month(5))).exists());
    assert_eq!(journal.prune_logs(95 * DAY, u64::MAX).unwrap(), runbook::journal::Pruned::default());
}

#[test]
fn the_oldest_months_are_dropped_when_all_take_too_much_but_never_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = run_with_lines(&journal, folder.path(), &[3, 2, 1, 0]);
    record(&journal, run, &[ended(run, RunState::Ok, None)]);
    let months = journal.log_months().unwrap();
    let two = months[2].bytes + months[3].bytes;
    assert_eq!(names(&journal.prune_logs(4_000 * DAY, two).unwrap().dropped), [month(3), month(2)]);
    assert_eq!(names(&journal.prune_logs(Duration::ZERO, 0).unwrap().dropped), [month(1)]);
    assert_eq!(names(&journal.log_months().unwrap()), [month(0)]);
}

#[test]
fn a_month_with_lines_of_a_run_that_has_not_ended_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let open = run_with_lines(&journal, folder.path(), &[3, 0]);
    let over = run_with_lines(&journal, folder.path(), &[4, 3, 2]);
    record(&journal, over, &[ended(over, RunState::Ok, None)]);
    let pruned = journal.prune_logs(Duration::ZERO, u64::MAX).unwrap();
    assert_eq!(names(&pruned.dropped), [month(4), month(2)]);
    assert_eq!(
        pruned.needed.iter().map(|(month, run)| (month.month.as_str(), *run)).collect::<Vec<_>>(),
        [(month(3).as_str(), open)]
    );
    record(&journal, open, &[ended(open, RunState::Ok, None)]);
    assert_eq!(names(&journal.prune_logs(Duration::ZERO, u64::MAX).unwrap().dropped), [month(3)]);
}

#[test]
fn who_reads_a_month_while_it_is_dropped_reads_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = run_with_lines(&journal, folder.path(), &[3, 2]);
    record(&journal, run, &[ended(run, RunState::Ok, None)]);
    let mut seen = Vec::new();
    journal
        .each_log(&LogQuery::default(), &mut |line| {
            if seen.is_empty() {
                let pruned = Journal::open(folder.path()).unwrap().prune_logs(Duration::ZERO, u64::MAX).unwrap();
                assert_eq!(pruned.dropped.len(), 2);
            }
            seen.push(line.line);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, ["3 months ago"], "the month that is open is read to its end, the next one is gone");
}

#[test]
fn what_calls_left_behind_goes_with_runs_that_nobody_went_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let left = |uid: &str| {
        std::fs::create_dir_all(folder.path().join("calls").join(uid).join("1")).unwrap();
    };
    let run = |uid: &str, state: Option<RunState>, days_ago: i64| {
        let run = journal.begin(&NewRun { uid: uid.into(), ..new_run() }).unwrap();
        if let Some(state) = state {
            record(&journal, run, &[ended(run, state, None)]);
        }
        let at = Timestamp::now().checked_sub((days_ago * 24).hours()).unwrap().as_microsecond();
        let sql = "UPDATE run SET finished_at = ?1 WHERE id = ?2 AND finished_at IS NOT NULL";
        connection.execute(sql, (at, run)).unwrap();
        left(uid);
    };
    run("old", Some(RunState::Killed), 31);
    run("ended", Some(RunState::Failed), 31);
    run("recent", Some(RunState::Killed), 29);
    run("open", None, 400);
    left("unknown");
    assert_eq!(journal.prune_calls().unwrap(), 2);
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("calls"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["old", "open", "recent", "unknown"]);
    let mut left = std::fs::read_dir(folder.path().join("calls/old")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(left.next().unwrap(), "dropped", "it may be gone on with, and then misses what was there");
    assert!(left.next().is_none());
    assert_eq!(journal.prune_calls().unwrap(), 0);
}
