//! A shipped runbook on its stage: run undisturbed, then killed and gone on with, and what differs then.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, SystemTime};

use runbook::journal::{Journal, RunFilter, RunRecord, RunState};

use super::boundaries;
use super::events::Events;
use super::world::World;
use crate::harness::{Ran, at_night};
use crate::survival::plan::is_narrowed;

/// How often a run is gone on with before it counts as stuck.
const ATTEMPTS: usize = 5;

/// A command line.
type Words = Vec<&'static str>;

/// A runbook and the command lines that run it, one after the other: each has something to do when the one before it ran.
pub struct Stage<'a> {
    name: &'static str,
    world: &'a dyn World,
    turns: Vec<Words>,
    before: Vec<Words>,
    events: Events,
}

/// What a run leaves: what can be seen, and how often each effect happened meanwhile.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    seen: Vec<String>,
    effects: BTreeMap<String, usize>,
}

/// How a killed run came to its end.
struct Recovery {
    resumed: usize,
    asked: usize,
    said: String,
}

impl<'a> Stage<'a> {
    pub fn new(name: &'static str, world: &'a dyn World, turns: Vec<Words>) -> Self {
        Self { name, world, turns, before: Vec::new(), events: Events::listen() }
    }

    /// These run undisturbed before each turn.
    pub fn after(self, before: Vec<Words>) -> Self {
        Self { before, ..self }
    }

    /// Kills it at `most` boundaries, or at all of them at night: each time it ends as if nothing had happened.
    #[track_caller]
    pub fn survives(&self, most: usize) {
        // Once to come to the state in which each turn follows the last one.
        self.turns.iter().for_each(|turn| drop(self.undisturbed(turn)));
        let wanted: Vec<Outcome> = self.turns.iter().map(|turn| self.undisturbed(turn)).collect();
        self.prepare();
        let points = boundaries::of(&self.world.command(&self.turns[0]), "journal.sqlite-wal", most);
        let began = std::time::Instant::now();
        let (mut wrong, mut hits, mut resumed, mut asked) = (Vec::new(), 0, 0, 0);
        for (index, point) in points.iter().enumerate() {
            let turn = (index + 1) % self.turns.len();
            self.prepare();
            let since = now();
            let log = self.world.state().join("journal.sqlite-wal");
            let killed = Ran::from(point.kill(log).around(&self.world.command(&self.turns[turn])).output().unwrap());
            hits += usize::from(!matches!(killed.code, 0 | 1 | 3));
            let recovery = self.recover(&self.turns[turn], since, killed);
            let found = self.outcome(since);
            resumed += usize::from(recovery.resumed > 0);
            asked += recovery.asked;
            if found != wanted[turn] {
                let how = format!("{} {} at {} {}", self.name, turn, point.syscall, point.when);
                wrong.push(format!("{how}: {found:#?}\ninstead of {:#?}\nsaid: {}", wanted[turn], recovery.said));
            }
            // At night it takes hours: how far it is, and what went wrong so far.
            if at_night() && index % 10 == 9 {
                let so_far = format!("{} of {}", index + 1, points.len());
                let _ = writeln!(std::io::stderr(), "{}: {so_far}, {asked} questions, wrong: {wrong:#?}", self.name);
            }
        }
        let _ = writeln!(
            std::io::stderr(),
            "{}: killed at {} boundaries, {hits} hit, {resumed} went on, {asked} questions, {} went wrong, {} s",
            self.name,
            points.len(),
            wrong.len(),
            began.elapsed().as_secs()
        );
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(asked, 0, "somebody had to decide");
        assert!(is_narrowed() || (hits > 0 && hits * 4 >= points.len() * 3), "only {hits} of {} hit", points.len());
    }

    fn prepare(&self) {
        self.before.iter().for_each(|words| self.world.does(words));
    }

    fn undisturbed(&self, turn: &[&str]) -> Outcome {
        self.prepare();
        let since = now();
        self.world.does(turn);
        self.outcome(since)
    }

    fn outcome(&self, since: Duration) -> Outcome {
        let mut effects = BTreeMap::new();
        let events = self.events.since(since);
        let told = events.iter().filter_map(|event| self.world.effect(event));
        for effect in told.chain(self.world.effects(since)) {
            *effects.entry(effect).or_default() += 1;
        }
        let mut seen = self.world.look();
        let journal = Journal::open(&self.world.state()).unwrap();
        seen.extend(journal.leases().unwrap().iter().map(|lease| format!("lock {} held by {}", lease.name, lease.run)));
        Outcome { seen, effects }
    }

    /// Goes on until the run has ended.
    fn recover(&self, turn: &[&str], since: Duration, killed: Ran) -> Recovery {
        let mut recovery = Recovery { resumed: 0, asked: 0, said: killed.stderr };
        for _ in 0..ATTEMPTS {
            let ran = match self.newest(since).map(|run| run.state) {
                Some(RunState::Ok | RunState::Failed | RunState::Cancelled) => break,
                Some(_) => {
                    recovery.resumed += 1;
                    self.world.runs(&["resume"])
                }
                // Nothing had begun.
                None => self.world.runs(turn),
            };
            recovery.asked += usize::from(ran.code == 3);
            recovery.said = ran.stderr;
        }
        recovery
    }

    /// The run that began since then.
    fn newest(&self, since: Duration) -> Option<RunRecord> {
        let journal = Journal::open(&self.world.state()).unwrap();
        let newest = journal.runs(&RunFilter { limit: Some(1), ..RunFilter::default() }).unwrap();
        newest.into_iter().find(|run| run.started_at.as_duration() >= since.try_into().unwrap())
    }
}

/// Since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}
