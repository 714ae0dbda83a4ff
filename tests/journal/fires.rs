//! The ledger in the run log.

use runbook::journal::{
    ClockReading, FireChange, FireFilter, FireResult, FireState, FireTicket, Journal, NewRun, Pause, RunFilter,
    SkipReason,
};

use super::new_run;

fn expect(at: i64, skip: Option<SkipReason>) -> FireChange {
    FireChange::Expect { schedule: "nightly".into(), at, due: at, late: false, skip }
}

fn registered(journal: &Journal) {
    let register = FireChange::Register { name: "nightly".into(), definition: "{}".into(), accounted: 100 };
    journal.change_fires(&[register]).unwrap();
}

#[test]
fn a_fire_has_one_row_however_often_it_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    registered(&journal);
    journal.change_fires(&[expect(200, None), expect(300, Some(SkipReason::Missed))]).unwrap();
    journal.change_fires(&[expect(200, Some(SkipReason::Missed)), expect(300, None)]).unwrap();
    let fires = journal.fires(&FireFilter::default()).unwrap();
    let seen: Vec<_> = fires.iter().map(|fire| (fire.at, fire.state, fire.reason)).collect();
    assert_eq!(seen, [(300, FireState::Skipped, Some(SkipReason::Missed)), (200, FireState::Due, None)]);
    assert_eq!(journal.schedules().unwrap()[0].accounted, 300);
    assert!(journal.verify_all().unwrap().is_whole());
}

#[test]
fn one_worker_of_all_that_were_started_begins_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    registered(&journal);
    journal.change_fires(&[expect(200, None)]).unwrap();
    let id = journal.open_fires().unwrap()[0].id;
    let begin = |ticket: &str| {
        let fire = Some(FireTicket { fire: id, ticket: ticket.into() });
        journal.begin(&NewRun { fire, ..new_run() })
    };
    journal.change_fires(&[FireChange::Start { fire: id, ticket: "one".into() }]).unwrap();
    // The service died and another one starts a worker of its own.
    journal.change_fires(&[FireChange::Return { fire: id }]).unwrap();
    assert!(begin("one").unwrap_err().message.contains("is no longer this process's to run"));
    journal.change_fires(&[FireChange::Start { fire: id, ticket: "two".into() }]).unwrap();
    assert!(begin("one").is_err());
    let run = begin("two").unwrap();
    assert!(begin("two").is_err(), "a ticket is good for one run");
    let fire = journal.fire(id).unwrap().unwrap();
    assert_eq!((fire.state, fire.run), (FireState::Running, Some(run)));
    assert_eq!(journal.runs(&RunFilter::default()).unwrap().len(), 1, "what was refused left nothing");
    journal.change_fires(&[FireChange::Close { fire: id, result: FireResult::Ok, note: None }]).unwrap();
    assert!(journal.open_fires().unwrap().is_empty());
    assert!(journal.verify_all().unwrap().is_whole());
}

#[test]
fn a_clock_set_back_expects_again_what_was_left_out_and_never_what_ran() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    registered(&journal);
    journal.change_fires(&[expect(200, None), expect(300, Some(SkipReason::Clock)), expect(400, None)]).unwrap();
    let ran = journal.open_fires().unwrap()[1].id;
    journal.change_fires(&[FireChange::Close { fire: ran, result: FireResult::Ok, note: None }]).unwrap();
    journal.change_fires(&[FireChange::Rewind { to: 250 }]).unwrap();
    assert_eq!(journal.schedules().unwrap()[0].accounted, 250);
    journal.change_fires(&[expect(300, None), expect(400, None)]).unwrap();
    let states: Vec<_> =
        journal.fires(&FireFilter::default()).unwrap().iter().map(|fire| (fire.at, fire.state)).collect();
    assert_eq!(states, [(400, FireState::Ran), (300, FireState::Due), (200, FireState::Due)]);
    assert!(journal.verify_all().unwrap().is_whole());
}

#[test]
fn what_is_known_of_clocks_and_pauses_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    registered(&journal);
    assert!(journal.clock_seen().unwrap().is_none());
    let seen = ClockReading { wall: 7, up: 3, boot: "a".into() };
    journal.change_fires(&[FireChange::Seen(seen.clone())]).unwrap();
    assert_eq!(journal.clock_seen().unwrap(), Some(seen));
    assert!(journal.pause("nightly", Some(&Pause { by: "ann@desk".into(), at: 5 })).unwrap());
    assert!(!journal.pause("weekly", None).unwrap());
    assert_eq!(journal.schedules().unwrap()[0].paused.as_ref().unwrap().by, "ann@desk");
    assert!(journal.verify_all().unwrap().is_whole());
}
