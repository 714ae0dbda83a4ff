use std::time::Duration;

use runbook::failure::{Failure, FailureKind};
use runbook::journal::{CallState, Journal, LogQuery, NewRun, RunFilter, RunState, Source};
use runbook::primitive::{Effect, LeaseRequest, LogStream, ReleaseState};
use serde_json::{Value, json};

use super::{done, ended, finished, line, new_run, record, started};

#[test]
fn a_run_is_read_back_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let run = {
        let journal = Journal::open(&state).unwrap();
        let run = journal.begin(&new_run()).unwrap();
        let failure =
            Failure::new(FailureKind::Check, "`/health` answered 500").hint("look").evidence("answer", "oops");
        record(
            &journal,
            run,
            &[
                started("1", "step", "pull", Effect::Flow),
                started("1.1", "sh", "sh docker pull", Effect::Change),
                line("1.1", LogStream::Stdout, "pulling grün"),
                done("1.1", json!({ "code": 0 }), 40),
                finished("1", CallState::Failed, json!(null), Some(failure.clone()), 50),
                ended(run, RunState::Failed, Some(failure)),
            ],
        );
        run
    };
    let journal = Journal::open(&state).unwrap();
    let record = journal.run(run).unwrap();
    assert_eq!((record.id, record.state, record.milliseconds), (1, RunState::Failed, Some(1_500)));
    assert_eq!(record.parameters, json!({ "tag": "v2" }));
    let failure = record.failure.unwrap();
    assert_eq!((failure.message.as_str(), failure.evidence[0].text.as_str()), ("`/health` answered 500", "oops"));
    let calls = journal.calls(run).unwrap();
    assert_eq!(calls.iter().map(|call| call.path.as_str()).collect::<Vec<_>>(), ["1", "1.1"]);
    assert_eq!(journal.finished_call(run, "1.1").unwrap().unwrap().result, json!({ "code": 0 }));
    assert_eq!(journal.sources(run).unwrap(), new_run().sources);
    let lines = journal.logs(&LogQuery { run: Some(run), ..LogQuery::default() }).unwrap();
    assert_eq!((lines[0].line.as_str(), lines[0].step.as_deref()), ("pulling grün", Some("pull")));
    assert_eq!(std::fs::read_to_string(state.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_release_becomes_good_when_its_run_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let first = journal.record_release(run, "1", "shop", "prod", &json!({ "api": "sha256:1" })).unwrap();
    assert_eq!((first.number, first.state), (1, ReleaseState::Pending));
    assert_eq!(journal.record_release(run, "2", "shop", "demo", &json!({})).unwrap().number, 1);
    assert_eq!(journal.record_release(run, "3", "shop", "prod", &json!({})).unwrap().number, 2);
    journal.record(run, &crate::harness::fit(&ended(run, RunState::Ok, None))).unwrap();
    let releases = journal.releases("shop", "prod").unwrap();
    assert_eq!(
        releases.iter().map(|r| (r.number, r.state)).collect::<Vec<_>>(),
        [(2, ReleaseState::Good), (1, ReleaseState::Good)]
    );
}

#[test]
fn runs_are_filtered_by_runbook_environment_state_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for (runbook, environment, state) in [
        ("deploy.rhai", "prod", RunState::Ok),
        ("operations/deploy.rhai", "demo", RunState::Failed),
        ("redeploy.rhai", "prod", RunState::Cancelled),
    ] {
        let new = NewRun { runbook: runbook.into(), environment: environment.into(), ..new_run() };
        let run = journal.begin(&new).unwrap();
        journal.record(run, &crate::harness::fit(&ended(run, state, None))).unwrap();
    }
    let ids = |filter: RunFilter| journal.runs(&filter).unwrap().iter().map(|run| run.id).collect::<Vec<_>>();
    let runbook = |name: &str| RunFilter { runbook: Some(name.into()), ..RunFilter::default() };
    assert_eq!(ids(RunFilter::default()), [3, 2, 1]);
    assert_eq!(ids(RunFilter { limit: Some(2), ..RunFilter::default() }), [3, 2]);
    assert_eq!(ids(runbook("deploy")), [2, 1]);
    assert_eq!(ids(runbook("deploy.rhai")), [2, 1]);
    assert_eq!(ids(runbook("operations/deploy")), [2]);
    assert_eq!(ids(runbook("eploy")), [0i64; 0]);
    assert_eq!(ids(runbook("%")), [0i64; 0]);
    assert_eq!(ids(RunFilter { environment: Some("prod".into()), ..RunFilter::default() }), [3, 1]);
    let states = vec![RunState::Failed, RunState::Cancelled];
    assert_eq!(ids(RunFilter { states, ..RunFilter::default() }), [3, 2]);
    let second = journal.run(2).unwrap().started_at;
    assert_eq!(ids(RunFilter { since: Some(second), ..RunFilter::default() }), [3, 2]);
    assert_eq!(ids(RunFilter { until: Some(second), ..RunFilter::default() }), [1]);
}

#[test]
fn a_text_that_many_runs_share_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    for _ in 0..5 {
        let run = journal.begin(&new_run()).unwrap();
        assert_eq!(journal.sources(run).unwrap(), new_run().sources);
    }
    let connection = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let texts: i64 = connection.query_row("SELECT count(*) FROM text", [], |row| row.get(0)).unwrap();
    assert_eq!(texts, 1);
}

#[test]
fn scripts_come_back_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let texts = ["", "no line end", "\u{feff}bom\r\nwindows\r\n", "nul \0 byte and größe 数据库 🚢\n"];
    let sources: Vec<Source> =
        texts.iter().map(|text| Source { path: format!("{}.rhai", text.len()), text: (*text).into() }).collect();
    let run = journal.begin(&NewRun { sources: sources.clone(), ..new_run() }).unwrap();
    assert_eq!(journal.sources(run).unwrap(), sources);
}

#[test]
fn values_a_hundred_levels_deep_are_kept_and_deeper_ones_refused_before_anything_happens() {
    let nested = |levels: usize| (0..levels).fold(json!("core"), |inner, _| Value::Array(vec![inner]));
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&NewRun { parameters: nested(100), ..new_run() }).unwrap();
    assert_eq!(journal.run(run).unwrap().parameters, nested(100));
    let failure = journal.begin(&NewRun { parameters: nested(101), ..new_run() }).unwrap_err();
    assert_eq!(failure.message, "a value is nested more than 100 levels deep");
    record(&journal, run, &[started("1", "sh", "sh true", Effect::Change)]);
    assert!(journal.record(run, &crate::harness::fit(&done("1", nested(1_000), 1))).is_err());
    assert_eq!(journal.runs(&RunFilter::default()).unwrap().len(), 1);
}

#[test]
fn calls_nested_a_thousand_levels_deep_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let mut path = "1".to_owned();
    for level in 0..1_000 {
        record(&journal, run, &[started(&path, "step", &format!("level {level}"), Effect::Flow)]);
        path.push_str(".1");
    }
    record(&journal, run, &[line(&path, LogStream::Info, "bottom")]);
    journal.flush().unwrap();
    let lines = journal.logs(&LogQuery { step: Some("level 0".into()), ..LogQuery::default() }).unwrap();
    assert_eq!(lines[0].step.as_deref(), Some("level 999"));
}

#[test]
fn a_call_taken_up_again_replaces_what_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let failure = Failure::new(FailureKind::Exit, "exit code 3");
    record(&journal, run, &[started("1", "sh", "sh a", Effect::Change)]);
    record(&journal, run, &[finished("1", CallState::Failed, json!(null), Some(failure), 9)]);
    record(&journal, run, &[started("1", "sh", "sh b", Effect::Change)]);
    let call = journal.call(run, "1").unwrap().unwrap();
    assert_eq!((call.title.as_str(), call.state, call.milliseconds), ("sh b", CallState::Started, None));
    assert!(call.failure.is_none());
    let lost = journal.record(run, &crate::harness::fit(&done("9", json!(null), 1))).unwrap_err();
    assert_eq!(lost.message, "call 9 of run 1 ended, but the run log does not know that it started");
}

#[test]
fn a_run_that_ended_frees_its_locks_and_fails_its_releases() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let (first, second) = (journal.begin(&new_run()).unwrap(), journal.begin(&new_run()).unwrap());
    let lock = LeaseRequest { name: "deploy/prod".into(), wait: Duration::ZERO };
    let lease = journal.acquire(first, "ann@desk", &lock, "").unwrap().unwrap();
    assert_eq!(journal.acquire(first, "ann@desk", &lock, "").unwrap().unwrap().fence, 1, "it may be asked for again");
    assert_eq!(journal.acquire(second, "bob@desk", &lock, "").unwrap().unwrap_err().run, first);
    journal.renew(&lease, "migrate").unwrap();
    assert_eq!(journal.leases().unwrap()[0].step, "migrate");
    journal.record_release(first, "4", "shop", "prod", &json!({})).unwrap();
    journal.record(first, &crate::harness::fit(&ended(first, RunState::Failed, None))).unwrap();
    assert_eq!(journal.releases("shop", "prod").unwrap()[0].state, ReleaseState::Failed);
    let lease = journal.acquire(second, "bob@desk", &lock, "").unwrap().unwrap();
    assert_eq!(lease.fence, 2);
    journal.release_lease(&lease).unwrap();
    journal.release_lease(&lease).unwrap();
    assert!(journal.leases().unwrap().is_empty());
    assert_eq!(journal.acquire(second, "bob@desk", &lock, "").unwrap().unwrap().fence, 3);
}

#[test]
fn threads_that_record_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    std::thread::scope(|scope| {
        for branch in 1..=8 {
            let journal = &journal;
            scope.spawn(move || {
                for call in 1..=50 {
                    let path = format!("1.{branch}.{call}");
                    record(journal, run, &[started(&path, "sh", "sh true", Effect::Change)]);
                    record(journal, run, &[line(&path, LogStream::Stdout, &path)]);
                    record(journal, run, &[done(&path, json!(call), 1)]);
                }
            });
        }
    });
    journal.flush().unwrap();
    assert_eq!(journal.calls(run).unwrap().iter().filter(|call| call.state == CallState::Done).count(), 400);
    assert_eq!(journal.logs(&LogQuery::default()).unwrap().len(), 400);
}
