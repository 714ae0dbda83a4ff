//! A run log of a million runs: every page, search and figure is there at once.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook::journal::{FireFilter, Journal, LogQuery, RunFilter, RunState};
use rusqlite::{Connection, params};

/// How many runs there are when it is measured; `RUNBOOK_RUNS` sets another number.
fn number(name: &str, usual: i64) -> i64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

const RUNBOOKS: i64 = 40;

/// Runs of 40 runbooks in three environments, one every half minute until now: one of 50 failed, and one runbook ran but rarely.
fn fill(folder: &std::path::Path, runs: i64) {
    drop(Journal::open(folder).unwrap());
    let mut connection = Connection::open(folder.join("journal.sqlite")).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF").unwrap();
    let transaction = connection.transaction().unwrap();
    let now = Timestamp::now().as_microsecond();
    {
        let mut insert = transaction
            .prepare(
                "INSERT INTO run (id, runbook, title, environment, environment_values, parameters, project_root, started_by,
                    state, started_at, finished_at, milliseconds, failure, machine, pid)
                 VALUES (?1, ?2, 'Deploy the shop', ?3, '{}', '{\"tag\":\"v1.2.3\"}', '/srv/shop', 'ann@desk', ?4, ?5, ?6, ?7,
                    NULL, 'desk', 1)",
            )
            .unwrap();
        for id in 1..=runs {
            let rare = id % 50_000 == 1;
            let runbook = if rare { "rare.rhai".to_owned() } else { format!("team/job-{}.rhai", id % RUNBOOKS) };
            let state = if id % 50 == 0 { "failed" } else { "ok" };
            let environment = ["prod", "test", "demo"][usize::try_from(id / 7 % 3).unwrap()];
            let began = now - (runs - id) * 30_000_000;
            let took = 1_000 + id * 7_919 % 60_000;
            insert.execute(params![id, runbook, environment, state, began, began + took * 1_000, took]).unwrap();
        }
    }
    {
        let mut insert = transaction
            .prepare("INSERT INTO fire (schedule, at, due, state, result, run) VALUES (?1, ?2, ?2, 'ran', 'ok', ?3)")
            .unwrap();
        for id in 1..=runs {
            let rare = id % 50_000 == 1;
            let schedule = if rare { "rare".to_owned() } else { format!("job-{}", id % RUNBOOKS) };
            insert.execute(params![schedule, (now / 1_000_000) - (runs - id) * 30, id]).unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// The median of several goes.
fn median(mut work: impl FnMut()) -> Duration {
    let mut took: Vec<Duration> = (0..9)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    took.sort();
    took[4]
}

fn measure(journal: &Journal, runs: i64) -> Vec<(&'static str, Duration)> {
    let page = |filter: RunFilter| {
        move || {
            journal.runs(&RunFilter { limit: Some(50), ..filter.clone() }).unwrap();
        }
    };
    let since = |days: i64| Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(days * 24)).ok();
    let runbook = |name: &str| RunFilter { runbook: Some(name.into()), ..RunFilter::default() };
    let fires = |name: Option<&str>| FireFilter { schedule: name.map(str::to_owned), since: None, limit: Some(50) };
    let mut figures = vec![
        ("the newest 50", median(page(RunFilter::default()))),
        ("of a runbook", median(page(runbook("job-7")))),
        ("of a rare runbook", median(page(runbook("rare")))),
        ("of a runbook that there is not", median(page(runbook("none")))),
        ("that failed", median(page(RunFilter { states: vec![RunState::Failed], ..RunFilter::default() }))),
        (
            "in a state that none is in",
            median(page(RunFilter { states: vec![RunState::InDoubt], ..RunFilter::default() })),
        ),
        (
            "of a runbook and environment that failed",
            median(page(RunFilter {
                environment: Some("prod".into()),
                states: vec![RunState::Failed, RunState::Killed],
                ..runbook("job-7")
            })),
        ),
        ("of an environment", median(page(RunFilter { environment: Some("demo".into()), ..RunFilter::default() }))),
        ("since an hour", median(page(RunFilter { since: since(0), ..RunFilter::default() }))),
        ("since a month", median(page(RunFilter { since: since(30), ..RunFilter::default() }))),
        ("before 300 days", median(page(RunFilter { until: since(300), ..RunFilter::default() }))),
        ("one run by its number", median(|| drop(journal.run(runs / 2).unwrap()))),
        ("the newest 50 fires", median(|| drop(journal.fires(&fires(None)).unwrap()))),
        ("the newest fires of a schedule", median(|| drop(journal.fires(&fires(Some("job-7"))).unwrap()))),
        ("fires of a schedule that there is not", median(|| drop(journal.fires(&fires(Some("none"))).unwrap()))),
        ("statistics of all runbooks", median(|| drop(journal.statistics(200).unwrap()))),
    ];
    let search = |words: &str| LogQuery { search: Some(words.into()), limit: Some(50), ..LogQuery::default() };
    if journal.logs(&LogQuery { limit: Some(1), ..LogQuery::default() }).is_ok_and(|lines| !lines.is_empty()) {
        for (what, words) in [
            ("search for a rare word", "needle"),
            ("search for a word in every line", "pulled"),
            ("search for a word that there is not", "nowhere"),
            ("search for the beginning of a word", "0000ab*"),
            ("search for several words", "pulled layer 7 96"),
            ("search for words side by side", "\"layer 7 of 96\""),
        ] {
            figures.push((what, median(|| drop(journal.logs(&search(words)).unwrap()))));
        }
        let of_run = |words: &str| LogQuery { run: Some(runs / 2), ..search(words) };
        figures.push((
            "search in a run for a word in every line",
            median(|| drop(journal.logs(&of_run("pulled")).unwrap())),
        ));
        figures
            .push(("search in a run for a word it has not", median(|| drop(journal.logs(&of_run("needle")).unwrap()))));
        figures.push((
            "the lines of a run",
            median(|| {
                drop(journal.logs(&LogQuery { run: Some(runs / 2), limit: Some(200), ..LogQuery::default() }).unwrap());
            }),
        ));
    }
    figures
}

#[test]
fn pages_and_figures_say_what_a_slow_look_at_everything_says() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3_000);
    let journal = Journal::open(folder.path()).unwrap();
    let all = journal.runs(&RunFilter::default()).unwrap();
    let ids =
        |filter: &RunFilter| -> Vec<i64> { journal.runs(filter).unwrap().into_iter().map(|run| run.id).collect() };
    let failed = RunState::Failed;
    for (runbook, environment, states, limit) in [
        (None, None, vec![], 7),
        (Some("job-7"), None, vec![], 20),
        (Some("team/job-7.rhai"), Some("prod"), vec![], 20),
        (Some("job-10"), Some("prod"), vec![failed], 20),
        (None, Some("test"), vec![failed, RunState::Ok], 30),
        (None, None, vec![failed], 11),
        (Some("rare"), None, vec![], 50),
        (Some("none"), None, vec![], 50),
    ] {
        let expected: Vec<i64> = all
            .iter()
            .filter(|run| {
                runbook.is_none_or(|name: &str| {
                    run.runbook.trim_end_matches(".rhai").ends_with(name.trim_end_matches(".rhai"))
                }) && environment.is_none_or(|name| run.environment == name)
                    && (states.is_empty() || states.contains(&run.state))
            })
            .map(|run| run.id)
            .take(limit)
            .collect();
        let filter = RunFilter {
            runbook: runbook.map(str::to_owned),
            environment: environment.map(str::to_owned),
            states: states.clone(),
            limit: Some(limit),
            ..RunFilter::default()
        };
        assert_eq!(ids(&filter), expected, "{filter:?}");
        let since = all[500].started_at;
        let until = all[20].started_at;
        let within: Vec<i64> = all
            .iter()
            .filter(|run| run.started_at >= since && run.started_at < until)
            .filter(|run| environment.is_none_or(|name| run.environment == name) && runbook.is_none())
            .filter(|run| states.is_empty() || states.contains(&run.state))
            .map(|run| run.id)
            .take(limit)
            .collect();
        if runbook.is_none() {
            assert_eq!(ids(&RunFilter { since: Some(since), until: Some(until), ..filter }), within);
        }
    }
    // So many that they are not sorted by their time.
    for (since, until) in [(None, Some(all[200].started_at)), (Some(all[2_900].started_at), Some(all[200].started_at))]
    {
        let within = all.iter().filter(|run| until.is_none_or(|until| run.started_at < until));
        let within = within.filter(|run| since.is_none_or(|since| run.started_at >= since));
        let within: Vec<i64> = within.map(|run| run.id).take(25).collect();
        assert_eq!(ids(&RunFilter { since, until, limit: Some(25), ..RunFilter::default() }), within);
    }
    let figures = journal.statistics(10).unwrap();
    let one = figures.iter().find(|one| one.runbook == "team/job-10.rhai" && one.environment == "prod").unwrap();
    let newest: Vec<_> =
        all.iter().filter(|run| run.runbook == "team/job-10.rhai" && run.environment == "prod").take(10).collect();
    let ok = newest.iter().filter(|run| run.state == RunState::Ok).count();
    assert_eq!((one.runs, one.ok, one.failed), (10, ok, 10 - ok));
    let mut took: Vec<u64> =
        newest.iter().filter(|run| run.state == RunState::Ok).map(|run| run.milliseconds.unwrap()).collect();
    took.sort_unstable();
    assert_eq!((one.median, one.p95), (Some(took[took.len().div_ceil(2) - 1]), took.last().copied()));
}

/// `cargo test --release --test tests journal::scale -- --ignored --nocapture`
#[test]
#[ignore = "it measures, and takes a minute"]
fn a_million_runs() {
    let (runs, lines) = (number("RUNBOOK_RUNS", 1_000_000), number("RUNBOOK_LINES", 0));
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    fill(folder.path(), runs);
    let journal = Journal::open(folder.path()).unwrap();
    if lines > 0 {
        write_lines(folder.path(), runs, lines);
    }
    let size = std::fs::metadata(folder.path().join("journal.sqlite")).unwrap().len();
    eprintln!("{runs} runs and {lines} lines in {:?}, {} MiB", began.elapsed(), size >> 20);
    let mut slowest = Duration::ZERO;
    for (what, took) in measure(&journal, runs) {
        eprintln!("{what:<44} {took:>10.2?}");
        slowest = slowest.max(took);
    }
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

/// Ten lines of each run, or as many as there are to be, each in the file of the month in which its run began.
fn write_lines(folder: &std::path::Path, runs: i64, lines: i64) {
    let journal = Journal::open(folder).unwrap();
    let event = runbook::journal::Event::Log {
        path: String::new(),
        stream: runbook::primitive::LogStream::Stdout,
        line: "the first of all".into(),
        at: Timestamp::now(),
    };
    journal.record(runs, &crate::harness::fit(&event)).unwrap();
    journal.flush().unwrap();
    drop(journal);
    let file = |month: &str| folder.join(format!("logs-{month}.sqlite"));
    let month_of = |at: i64| Timestamp::from_microsecond(at).unwrap().strftime("%Y-%m").to_string();
    let present = Connection::open(file(&month_of(Timestamp::now().as_microsecond()))).unwrap();
    present.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let present = present.path().unwrap().to_owned();
    let began: Vec<(i64, i64)> = Connection::open(folder.join("journal.sqlite"))
        .unwrap()
        .prepare("SELECT id, started_at FROM run ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let each = (lines / runs).max(1);
    let mut number = 0;
    for month in began.chunk_by(|one, other| month_of(one.1) == month_of(other.1)) {
        let file = file(&month_of(month[0].1));
        if !file.exists() {
            std::fs::copy(&present, &file).unwrap();
        }
        let mut connection = Connection::open(&file).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare("INSERT INTO line (run, path, stream, at, text) VALUES (?1, '', 'stdout', ?2, ?3)")
                .unwrap();
            let mut index = transaction.prepare("INSERT INTO line_text (rowid, text) VALUES (?1, ?2)").unwrap();
            for (run, at) in month {
                for place in 0..each.min(lines - number) {
                    let text = match number {
                        number if number % 1_000_000 == 77 => "a needle in the haystack".to_owned(),
                        number => format!("{number:08x} pulled layer {} of {}", number % 9, number % 97),
                    };
                    insert.execute(params![run, at + place, text]).unwrap();
                    index.execute(params![transaction.last_insert_rowid(), text]).unwrap();
                    number += 1;
                }
            }
        }
        transaction.commit().unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
}
