//! What each key of a schedule decides. What comes of all of them together over years is in `decade`.

use std::collections::{BTreeMap, HashSet};

use runbook::journal::{ClockReading, Fire, FireResult, FireState, Pause, RunState, SkipReason};
use runbook::project::{Missed, OnCrash, Overlap, ScheduleEntry, ServiceLimits};
use runbook::schedule::Definition;
use runbook::schedule::ledger::{Action, Upcoming, World, account, dispatch, foresee, register, settle};
use runbook::units::Span;

use super::book::Book;

/// A whole minute.
const NOON: i64 = 1_800_000_000;

/// A schedule's name, and what it is besides firing each minute.
type Wanted<'a> = (&'a str, &'a dyn Fn(&mut ScheduleEntry));

/// A service on a clock that is turned by hand; what it starts begins at once.
struct Desk {
    book: Book,
    definitions: BTreeMap<String, Definition>,
    limits: ServiceLimits,
    wall: i64,
    up: i64,
    runs: i64,
}

impl Desk {
    /// With schedules that fire each minute.
    fn new(schedules: &[Wanted<'_>]) -> Self {
        let mut desk = Self {
            book: Book::default(),
            definitions: BTreeMap::new(),
            limits: ServiceLimits::default(),
            wall: NOON,
            up: 1_000,
            runs: 0,
        };
        for (name, change) in schedules {
            desk.declare(name, *change);
        }
        desk.register();
        desk
    }

    fn declare(&mut self, name: &str, change: &dyn Fn(&mut ScheduleEntry)) {
        let mut entry = ScheduleEntry { runbook: Some("backup.rhai".into()), ..ScheduleEntry::default() };
        (entry.zone, entry.every) = (Some("UTC".into()), Some(Span::seconds(60)));
        change(&mut entry);
        self.definitions.insert(name.into(), Definition::new(name, entry).unwrap());
    }

    fn register(&mut self) {
        let standing = self.book.standing();
        self.decide(|world| (register(&standing, world), Vec::new()));
    }

    fn decide(
        &mut self,
        decide: impl FnOnce(&World<'_>) -> (Vec<runbook::journal::FireChange>, Vec<Action>),
    ) -> Vec<Action> {
        let now = ClockReading { wall: self.wall, up: self.up, boot: "one".into() };
        let working = HashSet::new();
        let (changes, actions) = decide(&World { definitions: &self.definitions, now: &now, working: &working });
        self.book.apply(&changes);
        actions
    }

    /// Time passes until so many seconds after noon, and the service does what is to be done; says which runs it stops.
    fn at(&mut self, second: i64) -> Vec<i64> {
        self.up += NOON + second - self.wall;
        self.wall = NOON + second;
        self.step()
    }

    fn step(&mut self) -> Vec<i64> {
        let standing = self.book.standing();
        let mut actions = self.decide(|world| (account(&standing, world, &mut Upcoming::default()), Vec::new()));
        let standing = self.book.standing();
        actions.extend(self.decide(|world| settle(&standing, world)));
        let (standing, limits) = (self.book.standing(), self.limits.clone());
        actions.extend(self.decide(|world| dispatch(&standing, world, &limits, &mut || "ticket".into())));
        let mut stopped = Vec::new();
        for action in actions {
            match action {
                Action::Begin { fire, ticket } => {
                    self.runs += 1;
                    assert!(self.book.claim(fire, &ticket, self.runs, self.wall));
                }
                Action::Resume { fire, .. } => self.book.run_is(fire, RunState::Running),
                Action::Stop { run } => stopped.push(run),
            }
        }
        stopped
    }

    fn ends(&mut self, run: i64, state: RunState) {
        let fire = self.book.fires().find(|fire| fire.run == Some(run)).unwrap().id;
        self.book.run_is(fire, state);
    }

    fn fire(&self, schedule: &str, second: i64) -> &Fire {
        let mut fires = self.book.fires();
        fires.find(|fire| fire.schedule == schedule && fire.at == NOON + second).unwrap()
    }

    /// What became of each fire of a schedule, in order.
    fn story(&self, schedule: &str) -> Vec<String> {
        let mut fires: Vec<&Fire> = self.book.fires().filter(|fire| fire.schedule == schedule).collect();
        fires.sort_by_key(|fire| fire.at);
        let word = |fire: &Fire| match fire.state {
            FireState::Skipped => format!("{:?}", fire.reason.unwrap()),
            FireState::Ran => format!("{:?}", fire.result.unwrap()),
            state => format!("{state:?}"),
        };
        fires.into_iter().map(|fire| word(fire).to_lowercase()).collect()
    }
}

fn as_it_is(_: &mut ScheduleEntry) {}

#[test]
fn a_fire_while_the_run_before_goes_on_is_left_out_waits_runs_beside_it_or_takes_its_place() {
    let with = |overlap: Overlap| {
        let mut desk = Desk::new(&[("s", &move |entry| entry.overlap = overlap)]);
        desk.at(60);
        let stopped = desk.at(120);
        (desk, stopped)
    };
    let (mut desk, _) = with(Overlap::Skip);
    assert_eq!(desk.story("s"), ["running", "overlap"]);
    desk.ends(1, RunState::Waiting);
    desk.at(180);
    assert_eq!(desk.story("s"), ["running", "overlap", "overlap"], "one that waits for somebody goes on");

    let (mut desk, _) = with(Overlap::Queue);
    assert_eq!(desk.story("s"), ["running", "due"]);
    desk.ends(1, RunState::Ok);
    desk.at(130);
    assert_eq!(desk.story("s"), ["ok", "running"]);

    let (desk, _) = with(Overlap::Allow);
    assert_eq!(desk.story("s"), ["running", "running"]);

    let (mut desk, stopped) = with(Overlap::Replace);
    assert_eq!((desk.story("s"), stopped), (vec!["running".into(), "due".into()], vec![1]));
    desk.ends(1, RunState::Cancelled);
    desk.at(125);
    assert_eq!(desk.story("s"), ["cancelled", "running"]);
}

#[test]
fn what_nobody_was_there_for_is_made_up_for_as_often_as_is_wished() {
    let with = |change: &dyn Fn(&mut ScheduleEntry)| {
        let mut desk = Desk::new(&[("s", change)]);
        desk.at(70 + 5 * 60);
        desk.story("s")
    };
    let none = with(&|entry| entry.missed = Missed::Skip);
    assert_eq!(none, ["missed", "missed", "missed", "missed", "missed", "running"], "the last one is in time");
    assert_eq!(with(&as_it_is)[4..], ["missed", "running"]);
    let some = with(&|entry| (entry.missed, entry.missed_limit) = (Missed::All, 3));
    assert_eq!(some, ["missed", "missed", "missed", "running", "due", "overlap"], "one after the other");
    let until = with(&|entry| (entry.missed, entry.deadline) = (Missed::All, Span::seconds(150)));
    assert_eq!(until, ["deadline", "deadline", "deadline", "running", "due", "overlap"]);
}

#[test]
fn one_that_is_made_up_for_is_the_latest_although_it_is_late() {
    let mut desk = Desk::new(&[("s", &|entry| entry.every = Some(Span::seconds(600)))]);
    desk.at(600 * 3 + 120);
    assert_eq!(desk.story("s"), ["missed", "missed", "running"]);
    assert!(desk.fire("s", 1_800).late);
    desk.ends(1, RunState::Ok);
    desk.at(600 * 4);
    assert!(!desk.fire("s", 2_400).late);
}

#[test]
fn a_fire_that_has_waited_beyond_its_deadline_does_not_begin() {
    let mut desk = Desk::new(&[("s", &|entry| (entry.overlap, entry.deadline) = (Overlap::Queue, Span::seconds(90)))]);
    desk.at(60);
    desk.at(120);
    desk.at(120 + 90);
    assert_eq!(desk.story("s"), ["running", "due", "due"]);
    desk.at(120 + 91);
    assert_eq!(desk.story("s"), ["running", "deadline", "due"]);
}

#[test]
fn a_mutex_is_held_by_one_run_whatever_its_schedule() {
    let holds = |entry: &mut ScheduleEntry| entry.mutexes = vec!["database".into()];
    let mut desk = Desk::new(&[("one", &holds), ("other", &holds), ("third", &as_it_is)]);
    desk.at(60);
    assert_eq!((desk.story("one"), desk.story("other")), (vec!["running".into()], vec!["due".into()]));
    assert_eq!(desk.story("third"), ["running"]);
    desk.ends(1, RunState::Failed);
    desk.at(70);
    assert_eq!((desk.story("one"), desk.story("other")), (vec!["failed".into()], vec!["running".into()]));
}

#[test]
fn no_more_run_at_once_than_the_service_and_the_environment_allow() {
    let on = |entry: &mut ScheduleEntry| entry.env = Some("prod".into());
    let mut desk = Desk::new(&[("a", &on), ("b", &on), ("c", &as_it_is), ("d", &as_it_is)]);
    (desk.limits.runs, desk.limits.runs_on) = (2, BTreeMap::from([("prod".to_owned(), 1)]));
    desk.at(60);
    let now = |desk: &Desk| ["a", "b", "c", "d"].map(|name| desk.story(name).remove(0));
    assert_eq!(now(&desk), ["running", "due", "running", "due"]);
    desk.ends(2, RunState::Ok);
    desk.at(65);
    assert_eq!(now(&desk), ["running", "due", "ok", "running"]);
    desk.ends(1, RunState::Ok);
    desk.at(66);
    assert_eq!(now(&desk), ["ok", "running", "ok", "running"]);
}

#[test]
fn a_run_that_failed_is_begun_again_after_waits_that_grow() {
    let retries = |entry: &mut ScheduleEntry| {
        entry.every = Some(Span::seconds(86_400));
        (entry.retries, entry.backoff) = (2, Span::seconds(30));
    };
    let mut desk = Desk::new(&[("s", &retries)]);
    let first = desk.definitions["s"].fires_after(NOON).next().unwrap() - NOON;
    desk.at(first);
    for (run, wait) in [(1, 30), (2, 60)] {
        desk.ends(run, RunState::Failed);
        let now = desk.wall - NOON;
        desk.at(now);
        assert_eq!(desk.fire("s", first).due, desk.wall + wait);
        desk.at(now + wait - 1);
        assert_eq!(desk.story("s"), ["due"]);
        desk.at(now + wait);
        assert_eq!(desk.story("s"), ["running"]);
    }
    desk.ends(3, RunState::Failed);
    desk.step();
    assert_eq!((desk.story("s"), desk.fire("s", first).attempt), (vec!["failed".into()], 3));
}

#[test]
fn a_run_whose_process_died_is_gone_on_with_counts_as_failed_or_stands_still() {
    let dies = |on_crash: OnCrash, retries: u32| {
        let mut desk = Desk::new(&[("s", &move |entry| (entry.on_crash, entry.retries) = (on_crash, retries))]);
        desk.at(60);
        desk.ends(1, RunState::Killed);
        desk.at(61);
        desk
    };
    assert_eq!(dies(OnCrash::Ask, 3).story("s"), ["killed"]);
    assert_eq!(dies(OnCrash::Fail, 0).story("s"), ["killed"]);
    assert_eq!(dies(OnCrash::Fail, 1).story("s"), ["due"], "it is begun again, as one that failed is");
    let mut desk = dies(OnCrash::Resume, 0);
    for resumes in 1..=5 {
        assert_eq!((desk.story("s"), desk.fire("s", 60).resumes), (vec!["running".into()], resumes));
        desk.ends(1, RunState::Killed);
        desk.step();
    }
    assert_eq!(desk.story("s"), ["killed"], "not for ever");
    assert_eq!(desk.runs, 1);
}

#[test]
fn a_run_that_takes_longer_than_it_may_is_stopped() {
    let mut desk = Desk::new(&[("s", &|entry| entry.timeout = Some(Span::seconds(30)))]);
    assert!(desk.at(60).is_empty() && desk.at(89).is_empty());
    assert_eq!(desk.at(90), [1]);
    desk.ends(1, RunState::Cancelled);
    desk.at(91);
    assert_eq!(desk.fire("s", 60).result, Some(FireResult::Cancelled));
}

#[test]
fn while_it_is_paused_its_fires_are_left_out_and_those_before_are_not() {
    let mut desk = Desk::new(&[("s", &as_it_is)]);
    desk.at(60);
    desk.ends(1, RunState::Ok);
    desk.book.pause("s", Some(Pause { by: "ann@desk".into(), at: NOON + 90 }));
    desk.at(190);
    desk.book.pause("s", None);
    desk.at(240);
    assert_eq!(desk.story("s"), ["ok", "paused", "paused", "running"]);
}

#[test]
fn a_clock_that_was_set_is_told_from_time_that_passed() {
    let mut desk = Desk::new(&[("s", &|entry| entry.missed = Missed::Skip)]);
    desk.at(60);
    desk.ends(1, RunState::Ok);
    // Somebody sets it forward: no time passes.
    desk.wall += 200;
    desk.step();
    assert_eq!(desk.story("s"), ["ok", "clock", "clock", "running"]);
    desk.ends(2, RunState::Ok);
    // And back: what ran does not run again, what was left out only because of that is expected again.
    desk.wall -= 200;
    desk.up += 5;
    desk.step();
    assert_eq!(desk.story("s"), ["ok", "ok"]);
    desk.at(120);
    desk.ends(3, RunState::Ok);
    desk.at(180);
    desk.ends(4, RunState::Ok);
    desk.at(240);
    assert_eq!((desk.story("s"), desk.runs), (vec!["ok".to_owned(); 4], 4));
    // A machine that sleeps shows the same on both clocks.
    desk.at(240 + 200);
    assert_eq!(desk.story("s")[4..], ["missed", "missed", "running"]);
    assert_eq!(desk.fire("s", 300).reason, Some(SkipReason::Missed));
}

#[test]
fn until_an_edit_is_read_a_schedule_fires_as_it_did_and_one_that_was_removed_has_its_rows() {
    let mut desk = Desk::new(&[("s", &as_it_is), ("gone", &as_it_is)]);
    desk.declare("s", &|entry| entry.every = Some(Span::seconds(3_600)));
    desk.definitions.remove("gone");
    (desk.wall, desk.up) = (desk.wall + 130, desk.up + 130);
    desk.register();
    desk.step();
    assert_eq!(desk.story("s"), ["missed", "running"], "two minutes by what it said before");
    assert_eq!(desk.story("gone"), ["missed", "missed"], "nobody knows any more what it would run");
    desk.ends(1, RunState::Ok);
    desk.at(3_599);
    assert_eq!(desk.story("s").len(), 2);
    desk.at(3_600);
    assert_eq!(desk.story("s").len(), 3);
}

/// Workers are started ahead for these, and for no others.
#[test]
fn what_begins_at_a_second_is_foreseen() {
    let mut desk = Desk::new(&[
        ("again", &|entry| entry.overlap = Overlap::Skip),
        ("beside", &|entry| entry.overlap = Overlap::Allow),
        ("later", &|entry| entry.jitter = Some(Span::seconds(3_000))),
        ("paused", &as_it_is),
        ("plain", &as_it_is),
    ]);
    desk.limits.runs = 10;
    desk.book.pause("paused", Some(Pause { by: "ann@desk".into(), at: NOON }));
    let foreseen = |desk: &Desk, second: i64| {
        let then = ClockReading { wall: NOON + second, up: 1_000, boot: "one".into() };
        let world = World { definitions: &desk.definitions, now: &then, working: &HashSet::new() };
        foresee(&desk.book.standing(), &world, &desk.limits)
    };
    assert_eq!(foreseen(&desk, 59), Vec::<String>::new());
    assert_eq!(foreseen(&desk, 60), ["again", "beside", "plain"]);
    desk.at(60);
    assert_eq!(foreseen(&desk, 120), ["beside"], "the runs of the others go on, and are not run twice");
    desk.limits.runs = 3;
    assert_eq!(foreseen(&desk, 120), Vec::<String>::new(), "all three places are taken");
    desk.ends(1, RunState::Ok);
    desk.at(61);
    assert_eq!(foreseen(&desk, 120).len(), 1);
}
