//! Going on with runs, and what people decide on them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use runbook::failure::FailureKind;
use runbook::journal::{Decision, Event, Journal, RunState};
use runbook::primitive::{Effect, LeaseRequest, ReleaseState};
use serde_json::json;

use super::chain::parked;
use super::{ended, new_run, record, started};

fn lock() -> LeaseRequest {
    LeaseRequest { name: "deploy/prod".into(), wait: Duration::ZERO }
}

/// A run whose process is gone.
fn dead(folder: &std::path::Path) -> i64 {
    let journal = Journal::open(folder).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    record(&journal, run, &[started("1", "sh", "sh migrate", Effect::Change)]);
    run
}

/// A run that waits at call 1.
fn waiting(journal: &Journal, state: RunState) -> i64 {
    let run = journal.begin(&new_run()).unwrap();
    record(journal, run, &[started("1", "confirm", "confirm go on?", Effect::Read), parked(run, state, "1")]);
    run
}

fn approve(digest: &str) -> Decision {
    Decision::Approve { digest: digest.into() }
}

#[test]
fn a_dead_run_goes_on_with_a_new_owner_and_its_releases_pending() {
    let folder = tempfile::tempdir().unwrap();
    let run = dead(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    journal.record_release(run, "2", "shop", "prod", &json!({})).unwrap();
    assert_eq!(journal.settle().unwrap(), [run]);
    let failure = journal.run(run).unwrap().failure.unwrap();
    assert_eq!(failure.hints, ["`runbook resume 1` goes on with it, `runbook cancel 1` undoes what it did"]);
    assert_eq!(journal.releases("shop", "prod").unwrap()[0].state, ReleaseState::Failed);

    journal.take_up(run, "bob@desk").unwrap();
    let record = journal.run(run).unwrap();
    assert_eq!(
        (record.state, record.pid, record.finished_at),
        (RunState::Running, i64::from(std::process::id()), None)
    );
    assert!(record.failure.is_none() && record.milliseconds.is_none());
    assert_eq!(journal.releases("shop", "prod").unwrap()[0].state, ReleaseState::Pending);
    assert_eq!(Journal::open(folder.path()).unwrap().settle().unwrap(), [0i64; 0], "it is alive");
    assert!(journal.verify(run).unwrap().is_whole());
}

#[test]
fn a_dead_run_that_nobody_settled_is_settled_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let run = dead(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(journal.run(run).unwrap().state, RunState::Running);
    journal.take_up(run, "bob@desk").unwrap();
    assert_eq!(journal.verify(run).unwrap().entries, 4, "begun, started, buried, taken up");
}

#[test]
fn a_run_that_is_going_on_is_refused_with_who_has_it_and_since_when() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Journal::open(folder.path()).unwrap();
    let run = owner.begin(&new_run()).unwrap();
    let failure = Journal::open(folder.path()).unwrap().take_up(run, "bob@desk").unwrap_err();
    let start = format!("run 1 is going on: process {} on ", std::process::id());
    assert!(failure.kind == FailureKind::Conflict && failure.message.starts_with(&start), "{failure}");
    assert!(failure.message.contains("has it, for ann@desk, since 20"), "{failure}");
    record(&owner, run, &[ended(run, RunState::Ok, None)]);
    let failure = owner.take_up(run, "bob@desk").unwrap_err();
    assert_eq!(failure.message, "run 1 has ended: there is nothing to go on with");
    assert_eq!(owner.take_up(9, "bob@desk").unwrap_err().message, "there is no run 9");
}

#[test]
fn of_many_who_take_a_run_up_at_once_one_gets_it_whoever_settles_meanwhile() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let run = dead(folder.path());
        let barrier = std::sync::Barrier::new(6);
        let journals: Vec<Journal> = (0..6).map(|_| Journal::open(folder.path()).unwrap()).collect();
        let won = std::thread::scope(|scope| {
            let all: Vec<_> = journals
                .iter()
                .enumerate()
                .map(|(number, journal)| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        if number % 2 == 0 {
                            journal.settle().map(|_| false)
                        } else {
                            journal.take_up(run, "x").map(|()| true)
                        }
                    })
                })
                .collect();
            let outcomes = all.into_iter().map(|thread| thread.join().unwrap());
            outcomes.filter(|outcome| matches!(outcome, Ok(true))).count()
        });
        assert_eq!(won, 1);
        let journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.settle().unwrap(), [0i64; 0]);
        assert_eq!(journal.run(run).unwrap().state, RunState::Running, "nobody buried the living");
        assert!(journal.verify(run).unwrap().is_whole());
    }
}

#[test]
fn a_run_of_another_machine_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let run = dead(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    journal.settle().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap();
    connection.execute("UPDATE run SET machine = 'away', boot_id = 'other'", []).unwrap();
    let failure = journal.take_up(run, "bob@desk").unwrap_err();
    assert!(failure.message.starts_with("run 1 belongs to `away`, and this is `"), "{failure}");
    assert_eq!(failure.hints[0], "resume it on away: from a copy of its run log the same would be done twice");
    // A container has another name each time, on the same machine.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    connection.execute("UPDATE run SET boot_id = ?1", [boot.trim()]).unwrap();
    journal.take_up(run, "bob@desk").unwrap();
}

#[test]
fn a_parked_run_keeps_its_locks_without_a_process_and_a_killed_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    journal.acquire(run, "ann@desk", &lock(), "").unwrap().unwrap();
    record(&journal, run, &[started("1", "confirm", "confirm", Effect::Read), parked(run, RunState::Waiting, "1")]);
    assert_eq!(journal.settle().unwrap(), [0i64; 0]);
    let other = journal.begin(&new_run()).unwrap();
    assert_eq!(journal.acquire(other, "bob@desk", &lock(), "").unwrap().unwrap_err().run, run);

    journal.take_up(run, "ann@desk").unwrap();
    assert_eq!(journal.acquire(run, "ann@desk", &lock(), "").unwrap().unwrap().fence, 1, "it still has it");
    record(&journal, run, &[parked(run, RunState::Killed, "")]);
    let record = journal.run(run).unwrap();
    assert_eq!(record.state, RunState::Killed);
    assert_eq!(record.failure.unwrap().message, "it stopped where it was: go on?");
    assert_eq!(journal.acquire(other, "bob@desk", &lock(), "").unwrap().unwrap().fence, 2);
    assert!(journal.verify_all().unwrap().is_whole());
}

#[test]
fn a_decision_counts_for_the_call_a_run_is_parked_on_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = waiting(&journal, RunState::Waiting);
    let refused = |path: &str, decision: Decision| journal.decide(run, path, &decision, "bob@desk").unwrap_err();
    assert_eq!(refused("2", approve("d1")).message, "run 1 waits for call 1 (`go on?`), not for call 2");
    assert_eq!(refused("1", Decision::Retry).message, "run 1 waits for an answer to `go on?`");
    let failure = refused("1", approve("d2"));
    assert_eq!(
        failure.message,
        "the yes is for d2, and run 1 waits with d1: script, parameters, environment or plan are others"
    );
    assert!(failure.hints[0].starts_with("which of them differs cannot be told"), "{failure:?}");
    journal.decide(run, "1", &approve("d1"), "bob@desk").unwrap();
    let call = journal.call(run, "1").unwrap().unwrap();
    assert_eq!(call.decision, Some((approve("d1"), "bob@desk".into())));
    assert_eq!(refused("1", Decision::Reject { reason: "no".into() }).message, "bob@desk has decided on call 1 before");

    journal.take_up(run, "ann@desk").unwrap();
    assert_eq!(refused("1", approve("d1")).message, "run 1 is going on: nothing waits for a decision");
    record(&journal, run, &[parked(run, RunState::Waiting, "1")]);
    journal.decide(run, "1", &Decision::Reject { reason: "no".into() }, "bob@desk").unwrap();
    assert!(journal.verify(run).unwrap().is_whole(), "asked again, it may be answered again");
    assert_eq!(journal.decide(9, "1", &approve("d1"), "x").unwrap_err().message, "there is no run 9");
}

#[test]
fn a_run_in_doubt_is_told_what_happened_and_not_asked_for_permission() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = waiting(&journal, RunState::InDoubt);
    let failure = journal.decide(run, "1", &approve("d1"), "bob@desk").unwrap_err();
    assert_eq!(failure.message, "run 1 is in doubt about `go on?`, which is no question");
    assert_eq!(failure.hints, ["`runbook resolve 1 1` with --done, --retry or --fail says what became of it"]);
    journal.decide(run, "1", &Decision::Done { value: json!({ "code": 0 }) }, "bob@desk").unwrap();
}

#[test]
fn nobody_says_yes_to_a_question_that_has_expired_but_no() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = waiting(&journal, RunState::Running);
    let Event::RunParked { run, mut parked } = parked(run, RunState::Waiting, "1") else { return };
    parked.expires = Timestamp::now().checked_sub(SignedDuration::from_secs(1)).ok();
    journal.record(run, &crate::harness::fit(&Event::RunParked { run, parked })).unwrap();
    let failure = journal.decide(run, "1", &approve("d1"), "bob@desk").unwrap_err();
    assert_eq!(failure.message, "the question of run 1 (`go on?`) has expired");
    assert_eq!(failure.hints, ["`runbook resume 1` asks it again"]);
    journal.decide(run, "1", &Decision::Reject { reason: String::new() }, "bob@desk").unwrap();
}

#[test]
fn a_call_made_again_records_no_second_release() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let first = journal.record_release(run, "4", "shop", "prod", &json!({ "api": "sha256:1" })).unwrap();
    let again = journal.record_release(run, "4", "shop", "prod", &json!({ "api": "sha256:1" })).unwrap();
    assert_eq!((first.number, again.number), (1, 1));
    assert_eq!(journal.releases("shop", "prod").unwrap().len(), 1);
    assert_eq!(journal.verify(run).unwrap().entries, 2);
}
