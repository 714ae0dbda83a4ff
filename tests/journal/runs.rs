use runbook::failure::{Failure, FailureKind};
use runbook::journal::{CallState, Journal, LogQuery, RunState};
use runbook::primitive::{Effect, LogStream, ReleaseState};
use serde_json::json;

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
    let first = journal.record_release(run, "shop", "prod", &json!({ "api": "sha256:1" })).unwrap();
    assert_eq!((first.number, first.state), (1, ReleaseState::Pending));
    assert_eq!(journal.record_release(run, "shop", "demo", &json!({})).unwrap().number, 1);
    assert_eq!(journal.record_release(run, "shop", "prod", &json!({})).unwrap().number, 2);
    journal.record(run, &ended(run, RunState::Ok, None)).unwrap();
    let releases = journal.releases("shop", "prod").unwrap();
    assert_eq!(
        releases.iter().map(|r| (r.number, r.state)).collect::<Vec<_>>(),
        [(2, ReleaseState::Good), (1, ReleaseState::Good)]
    );
}
