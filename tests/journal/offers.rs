//! Runs that are begun for processes which wait for their time.

use jiff::Timestamp;
use runbook::journal::{
    Event, FireChange, FireState, FireTicket, Journal, NewRun, Offer, Offered, Redacted, RunFilter, RunState, Source,
};
use runbook::secrets::Redactor;
use serde_json::json;

use super::{ended, new_run, record};

/// A run log that knows the runbook's text, and has fires in the hands of workers with the tickets `1`, `2`, …
struct Log {
    folder: tempfile::TempDir,
    journal: Journal,
    tickets: Vec<FireTicket>,
}

impl Log {
    fn with_fires(count: i64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let first = journal.begin(&NewRun { uid: "00".into(), ..new_run() }).unwrap();
        record(&journal, first, &[ended(first, RunState::Ok, None)]);
        let mut changes =
            vec![FireChange::Register { name: "nightly".into(), definition: "{}".into(), accounted: 100 }];
        changes.extend((0..count).map(|number| FireChange::Expect {
            schedule: "nightly".into(),
            at: 200 + number,
            due: 200 + number,
            late: false,
            skip: None,
        }));
        journal.change_fires(&changes).unwrap();
        let ticket =
            |(fire, number): (&runbook::journal::Fire, i64)| FireTicket { fire: fire.id, ticket: number.to_string() };
        let tickets: Vec<FireTicket> = journal.open_fires().unwrap().iter().zip(1..).map(ticket).collect();
        let start = |ticket: &FireTicket| FireChange::Start { fire: ticket.fire, ticket: ticket.ticket.clone() };
        journal.change_fires(&tickets.iter().map(start).collect::<Vec<_>>()).unwrap();
        Self { folder, journal, tickets }
    }

    /// As another process would.
    fn other(&self) -> Journal {
        Journal::open(self.folder.path()).unwrap()
    }

    fn locks(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("runs")).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn states(&self) -> Vec<RunState> {
        let mut runs = self.journal.runs(&RunFilter::default()).unwrap();
        runs.retain(|run| run.uid != "00");
        runs.iter().rev().map(|run| run.state).collect()
    }
}

fn offer(journal: &Journal, uid: &str) -> (Offer, Offered) {
    let policy =
        Event::PolicyApplied { policy: json!({ "file": "6f1e" }), by: "ann@desk".into(), at: Timestamp::now() };
    let policy = Some(Redacted::by(&Redactor::default(), policy));
    let (offer, offered) = journal.offer(&NewRun { uid: uid.into(), policy, ..new_run() }).unwrap().unwrap();
    // It travels between processes.
    (serde_json::from_str(&serde_json::to_string(&offer).unwrap()).unwrap(), offered)
}

#[test]
fn many_runs_are_begun_at_once_and_each_process_has_its_own() {
    let log = Log::with_fires(3);
    let workers: Vec<Journal> = (0..3).map(|_| log.other()).collect();
    let (offers, offered): (Vec<Offer>, Vec<Offered>) =
        workers.iter().zip(["0a", "0b", "0c"]).map(|(worker, uid)| offer(worker, uid)).unzip();
    assert_eq!(log.locks(), ["ahead-0a.lock", "ahead-0b.lock", "ahead-0c.lock"]);
    assert!(log.states().is_empty(), "an offer writes nothing");
    let pairs: Vec<_> = log.tickets.iter().cloned().zip(offers).collect();
    let begun = log.journal.begin_offered(&pairs).unwrap();
    assert_eq!(begun, [Some(2), Some(3), Some(4)]);
    assert!(log.journal.settle().unwrap().is_empty(), "their processes live");
    for ((worker, offered), (number, uid)) in workers.iter().zip(offered).zip([(2, "0a"), (3, "0b"), (4, "0c")]) {
        let begun = worker.take_offered(offered).unwrap().unwrap();
        assert_eq!((begun.run, begun.uid.as_str()), (number, uid));
        assert!(begun.policy.is_some());
        record(worker, begun.run, &[ended(begun.run, RunState::Ok, None)]);
    }
    for ticket in &log.tickets {
        assert_eq!(log.journal.fire(ticket.fire).unwrap().unwrap().state, FireState::Running);
    }
    assert_eq!(log.states(), [RunState::Ok; 3]);
    assert_eq!(log.journal.deeds().unwrap().len(), 1, "the policy is the same for each");
    assert!(log.locks().is_empty());
    assert!(log.journal.verify_all().unwrap().is_whole());
}

#[test]
fn one_that_cannot_be_begun_for_its_process_leaves_nothing_and_keeps_no_other_from_it() {
    let log = Log::with_fires(2);
    let (one, two) = (log.other(), log.other());
    let ((first, offered), (second, _kept)) = (offer(&one, "0a"), offer(&two, "0b"));
    let wrong = FireTicket { ticket: "guessed".into(), ..log.tickets[0].clone() };
    let begun = log.journal.begin_offered(&[(wrong, first), (log.tickets[1].clone(), second)]).unwrap();
    assert_eq!(begun, [None, Some(2)]);
    assert!(one.take_offered(offered).unwrap().is_none());
    assert_eq!(log.locks(), ["2.lock"]);
    let fire = Some(log.tickets[0].clone());
    assert_eq!(one.begin(&NewRun { fire, uid: "0a".into(), ..new_run() }).unwrap(), 3, "by itself it may");
    assert!(log.journal.verify_all().unwrap().is_whole());
}

#[test]
fn a_text_that_is_not_kept_is_not_offered_and_not_begun() {
    let log = Log::with_fires(1);
    let sources = vec![Source { path: "deploy.rhai".into(), text: "info(\"another\");\n".into() }];
    assert!(log.journal.offer(&NewRun { sources, ..new_run() }).unwrap().is_none());
    assert!(log.locks().is_empty());
    let worker = log.other();
    let (offer, _kept) = offer(&worker, "0a");
    let raw = rusqlite::Connection::open(log.folder.path().join("journal.sqlite")).unwrap();
    raw.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM text").unwrap();
    assert_eq!(log.journal.begin_offered(&[(log.tickets[0].clone(), offer)]).unwrap(), [None]);
    assert_eq!(log.journal.fire(log.tickets[0].fire).unwrap().unwrap().state, FireState::Starting);
}

#[test]
fn a_process_that_died_before_it_could_hear_of_its_run_is_found_dead() {
    let log = Log::with_fires(2);
    let (first, offered) = offer(&log.other(), "0a");
    drop(offered);
    assert_eq!(log.journal.begin_offered(&[(log.tickets[0].clone(), first)]).unwrap(), [Some(2)]);
    assert_eq!(log.journal.settle().unwrap(), [2]);
    assert_eq!(log.states(), [RunState::Killed]);
    // Of one whose lock is gone nothing is begun.
    let (second, offered) = offer(&log.other(), "0b");
    assert!(log.journal.take_offered(offered).unwrap().is_none());
    assert_eq!(log.journal.begin_offered(&[(log.tickets[1].clone(), second)]).unwrap(), [None]);
    assert!(log.journal.verify_all().unwrap().is_whole());
}

#[test]
fn what_processes_left_that_were_killed_is_removed_and_nothing_of_those_that_wait() {
    let log = Log::with_fires(1);
    let (worker, dead) = (log.other(), log.other());
    let (_, _waits) = offer(&worker, "0a");
    drop(offer(&dead, "0b"));
    assert_eq!(log.locks(), ["ahead-0a.lock", "ahead-0b.lock"]);
    log.journal.forget_offers();
    assert_eq!(log.locks(), ["ahead-0a.lock"]);
}
