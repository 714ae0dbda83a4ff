use jiff::Timestamp;
use runbook::journal::{Event, Journal, LogLine, LogQuery};
use runbook::primitive::{Effect, LogStream};

use super::{line, new_run, record, started};

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.line.as_str()).collect()
}

fn search(journal: &Journal, words: &str) -> Vec<String> {
    let lines = journal.logs(&LogQuery { search: Some(words.into()), ..LogQuery::default() }).unwrap();
    lines.into_iter().map(|line| line.line).collect()
}

#[test]
fn lines_are_found_by_run_step_and_stream() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let (first, second) = (journal.begin(&new_run()).unwrap(), journal.begin(&new_run()).unwrap());
    let events = [
        started("1", "step", "pull", Effect::Flow),
        started("1.2.1", "step", "pull api", Effect::Flow),
        started("10", "step", "verify", Effect::Flow),
        line("", LogStream::Warn, "outside"),
        line("1.1", LogStream::Stdout, "out"),
        line("1.2.1.1", LogStream::Stderr, "err"),
        line("10.1", LogStream::Info, "last"),
    ];
    record(&journal, first, &events);
    record(&journal, second, &[line("1", LogStream::Stdout, "other run")]);
    journal.flush().unwrap();
    let of = |query: LogQuery| journal.logs(&LogQuery { run: Some(first), ..query }).unwrap();
    let all = of(LogQuery::default());
    assert_eq!(texts(&all), ["outside", "out", "err", "last"]);
    let steps: Vec<_> = all.iter().map(|line| line.step.as_deref()).collect();
    assert_eq!(steps, [None, Some("pull"), Some("pull api"), Some("verify")]);
    assert_eq!(texts(&of(LogQuery { step: Some("pull".into()), ..LogQuery::default() })), ["out", "err"]);
    assert_eq!(
        texts(&of(LogQuery { streams: vec![LogStream::Stderr, LogStream::Warn], ..LogQuery::default() })),
        ["outside", "err"]
    );
    assert_eq!(texts(&of(LogQuery { limit: Some(2), ..LogQuery::default() })), ["err", "last"]);
    let behind = LogQuery { after: Some(all[1].cursor.clone()), ..LogQuery::default() };
    assert_eq!(texts(&of(behind)), ["err", "last"]);
    assert_eq!(journal.logs(&LogQuery::default()).unwrap().len(), 5);
}

#[test]
fn a_search_finds_words_beginnings_phrases_and_signs_in_any_script() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let lines = [
        "dial tcp 10.0.0.1:5432: connection refused",
        "refused the connection to 10.0.1.0",
        "timeout while waiting for größe",
        "数据库 迁移 完成",
        "नमस्ते दुनिया",
        "100 % done => next",
        "O'Brien said \"NEAR\" AND nothing",
    ];
    for text in lines {
        record(&journal, run, &[line("", LogStream::Stdout, text)]);
    }
    journal.flush().unwrap();
    assert_eq!(search(&journal, "connection refused"), lines[..2]);
    assert_eq!(search(&journal, "\"Connection refused\""), lines[..1]);
    assert_eq!(search(&journal, "10.0.0.1"), lines[..1]);
    assert_eq!(search(&journal, "time*"), lines[2..3]);
    assert_eq!(search(&journal, "time"), [""; 0]);
    assert_eq!(search(&journal, "GRÖSSE"), [""; 0]);
    assert_eq!(search(&journal, "GRÖßE"), lines[2..3]);
    assert_eq!(search(&journal, "迁移"), lines[3..4]);
    assert_eq!(search(&journal, "नमस्ते"), lines[4..5]);
    assert_eq!(search(&journal, "=>"), lines[5..6]);
    assert_eq!(search(&journal, "o'brien near AND"), lines[6..7]);
    assert_eq!(search(&journal, "NOT OR ( ^ { :"), [""; 0]);
}

#[test]
fn the_lines_of_a_run_that_lasts_into_the_next_month_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let this_year = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    let mut expected = Vec::new();
    for month in ["01-31T23:59:59", "02-01T00:00:00", "02-28T12:00:00", "03-01T00:00:01"] {
        let at: Timestamp = format!("{}-{month}Z", this_year + 1).parse().unwrap();
        let event = Event::Log { path: String::new(), stream: LogStream::Info, line: month.into(), at };
        record(&journal, run, &[event]);
        expected.push(month);
    }
    journal.flush().unwrap();
    let file = |month: &str| folder.path().join(format!("logs-{}-{month}.sqlite", this_year + 1));
    assert!(file("01").exists() && file("02").exists() && file("03").exists());
    let lines = journal.logs(&LogQuery { run: Some(run), ..LogQuery::default() }).unwrap();
    assert_eq!(texts(&lines), expected);
    let newest = journal.logs(&LogQuery { run: Some(run), limit: Some(2), ..LogQuery::default() }).unwrap();
    assert_eq!(texts(&newest), expected[2..]);
    let behind = LogQuery { run: Some(run), after: Some(lines[1].cursor.clone()), ..LogQuery::default() };
    assert_eq!(texts(&journal.logs(&behind).unwrap()), expected[2..]);

    std::fs::remove_file(file("01")).unwrap();
    assert_eq!(journal.logs(&LogQuery::default()).unwrap().len(), 3, "a month is dropped by removing its file");
}

#[test]
fn a_month_whose_file_was_begun_and_never_made_is_a_month_without_lines() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let month = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m").to_string();
    std::fs::write(folder.path().join(format!("logs-{month}.sqlite")), "").unwrap();
    std::fs::write(folder.path().join("logs-2020-01.sqlite"), "").unwrap();
    assert!(journal.logs(&LogQuery::default()).unwrap().is_empty());
    assert!(journal.verify_all().unwrap().is_whole());
    assert_eq!(journal.prune_logs(std::time::Duration::ZERO, 0).unwrap().dropped.len(), 1);
    record(&journal, run, &[line("", LogStream::Info, "made after all")]);
    journal.flush().unwrap();
    assert_eq!(search(&journal, "made"), ["made after all"]);
}

#[test]
fn a_hundred_thousand_lines_are_taken_and_searched_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let began = std::time::Instant::now();
    for number in 0..100_000 {
        let text = format!("request {number} to host-{} answered with status 200", number % 500);
        record(&journal, run, &[line("1", LogStream::Stdout, &text)]);
    }
    journal.flush().unwrap();
    let written = began.elapsed();
    let began = std::time::Instant::now();
    assert_eq!(search(&journal, "77777"), ["request 77777 to host-277 answered with status 200"]);
    assert_eq!(search(&journal, "host-499 answered").len(), 200);
    let newest = LogQuery { search: Some("status".into()), limit: Some(3), ..LogQuery::default() };
    assert_eq!(journal.logs(&newest).unwrap()[2].line, "request 99999 to host-499 answered with status 200");
    let searched = began.elapsed();
    // Measured in a debug build on a busy machine: 4 s and 0.05 s.
    assert!(written.as_secs() < 60, "writing took {written:?}");
    assert!(searched.as_millis() < 2_000, "searching took {searched:?}");
}

#[test]
fn a_file_whose_maker_died_over_it_holds_no_lines_and_is_made_whole_by_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let month = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).strftime("logs-%Y-%m.sqlite").to_string();
    let unmade = rusqlite::Connection::open(folder.path().join(month)).unwrap();
    unmade.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    drop(unmade);
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let query = LogQuery { run: Some(run), ..LogQuery::default() };
    assert_eq!(texts(&journal.logs(&query).unwrap()), [""; 0]);
    record(&journal, run, &[line("1", LogStream::Stdout, "hello")]);
    journal.flush().unwrap();
    assert_eq!(texts(&journal.logs(&query).unwrap()), ["hello"]);
}
