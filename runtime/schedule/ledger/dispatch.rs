use std::collections::{BTreeMap, HashSet};

use super::{Action, Standing, World};
use crate::journal::{Fire, FireChange, FireState, SkipReason};
use crate::project::{Overlap, ServiceLimits};
use crate::schedule::Definition;

/// How much may run at once.
pub type Limits = ServiceLimits;

/// Lets begin what is due and may, in the order in which it was due, and leaves out what may no longer. `ticket` makes
/// something that nobody can guess.
pub fn dispatch(
    standing: &Standing,
    world: &World<'_>,
    limits: &Limits,
    ticket: &mut dyn FnMut() -> String,
) -> (Vec<FireChange>, Vec<Action>) {
    let mut taken = Taken::of(standing, world);
    let (mut changes, mut actions) = (Vec::new(), Vec::new());
    let paused: HashSet<&str> =
        standing.schedules.iter().filter(|row| row.paused.is_some()).map(|row| row.name.as_str()).collect();
    let mut waiting: Vec<&Fire> =
        standing.open.iter().filter(|fire| fire.state == FireState::Due && fire.due <= world.now.wall).collect();
    waiting.sort_by_key(|fire| (fire.due, fire.at, fire.id));
    for fire in waiting {
        let Some(definition) = world.definitions.get(&fire.schedule) else {
            changes.push(FireChange::Skip { fire: fire.id, reason: SkipReason::Missed });
            continue;
        };
        let is_paused = paused.contains(fire.schedule.as_str());
        match taken.verdict(is_paused, world.now.wall, limits, fire, definition) {
            Verdict::Begin => {
                let ticket = ticket();
                taken.add(&fire.schedule, Some(definition));
                changes.push(FireChange::Start { fire: fire.id, ticket: ticket.clone() });
                actions.push(Action::Begin { fire: fire.id, ticket });
            }
            Verdict::Skip(reason) => changes.push(FireChange::Skip { fire: fire.id, reason }),
            Verdict::Wait => {}
            Verdict::Replace => {
                let before = standing.open.iter().filter(|other| other.schedule == fire.schedule && other.is_live());
                actions.extend(before.filter_map(|other| other.run).map(|run| Action::Stop { run }));
            }
        }
    }
    (changes, actions)
}

enum Verdict {
    Begin,
    Wait,
    Skip(SkipReason),
    /// It waits until the run before has been stopped.
    Replace,
}

/// What is in use.
#[derive(Default)]
struct Taken<'a> {
    runs: usize,
    environments: BTreeMap<&'a str, usize>,
    schedules: HashSet<&'a str>,
    mutexes: HashSet<&'a str>,
}

impl<'a> Taken<'a> {
    fn of(standing: &'a Standing, world: &World<'a>) -> Self {
        let mut taken = Self::default();
        for fire in standing.open.iter().filter(|fire| fire.is_live()) {
            taken.add(&fire.schedule, world.definitions.get(&fire.schedule));
        }
        taken
    }

    fn add(&mut self, schedule: &'a str, definition: Option<&'a Definition>) {
        self.runs += 1;
        self.schedules.insert(schedule);
        if let Some(entry) = definition.map(Definition::entry) {
            *self.environments.entry(entry.env.as_deref().unwrap_or_default()).or_default() += 1;
            self.mutexes.extend(entry.mutexes.iter().map(String::as_str));
        }
    }

    fn verdict(&self, is_paused: bool, now: i64, limits: &Limits, fire: &Fire, definition: &Definition) -> Verdict {
        let entry = definition.entry();
        let first_try = fire.attempt == 1;
        if is_paused && !fire.manual && first_try {
            return Verdict::Skip(SkipReason::Paused);
        }
        let deadline = i64::try_from(entry.deadline.0.as_secs()).unwrap_or(i64::MAX);
        if first_try && now - (fire.at + definition.jitter()) > deadline {
            return Verdict::Skip(SkipReason::Deadline);
        }
        if self.schedules.contains(fire.schedule.as_str()) {
            match entry.overlap {
                Overlap::Allow => {}
                Overlap::Replace => return Verdict::Replace,
                // What is made up for runs one after the other, and another try is not given up.
                Overlap::Skip if first_try && !fire.late && !fire.manual => return Verdict::Skip(SkipReason::Overlap),
                Overlap::Skip | Overlap::Queue => return Verdict::Wait,
            }
        }
        let environment = entry.env.as_deref().unwrap_or_default();
        let runs_there = self.environments.get(environment).copied().unwrap_or(0);
        let is_full =
            self.runs >= limits.runs || limits.runs_on.get(environment).is_some_and(|most| runs_there >= *most);
        if is_full || entry.mutexes.iter().any(|name| self.mutexes.contains(name.as_str())) {
            return Verdict::Wait;
        }
        Verdict::Begin
    }
}
