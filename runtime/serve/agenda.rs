//! Which schedules are due: known without reading all of them at every step.

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::journal::{FireChange, Journal};
use crate::schedule::ledger::{self, Standing, Upcoming, World};

/// Others write into the ledger too: so often everything is read anew.
const LOOK: Duration = Duration::from_secs(30);

/// When each schedule fires next, by what the ledger said when it was last read. It may say more by now, never less: what is done
/// about a fire is decided from its own row.
#[derive(Default)]
pub(super) struct Agenda {
    upcoming: Upcoming,
    read: Option<Instant>,
}

impl Agenda {
    /// The project's schedules are others now.
    pub(super) fn forget(&mut self) {
        self.upcoming.forget();
        self.read = None;
    }

    /// When the next one is due: now, while that is yet to be looked up.
    pub(super) fn earliest(&self, now: i64) -> Option<i64> {
        if self.read.is_some() { self.upcoming.earliest() } else { Some(now) }
    }

    /// The schedules that are due at that second or before, as far as is known.
    pub(super) fn due(&self, second: i64) -> Vec<String> {
        self.upcoming.due(second)
    }

    /// What is to be written for every expected fire until now to have its row.
    pub(super) fn account(&mut self, journal: &Journal, world: &World<'_>) -> Result<Vec<FireChange>, Failure> {
        let now = world.now.wall;
        let is_old = self.read.is_none_or(|read| read.elapsed() >= LOOK);
        let is_ahead = (is_old && self.look(journal, world)?) || self.upcoming.is_ahead_of(now);
        let due = self.upcoming.due(now);
        if due.is_empty() && !is_ahead {
            return Ok(Vec::new());
        }
        let schedules = if is_ahead { journal.schedules()? } else { journal.schedules_named(&due)? };
        let standing = Standing { schedules, open: Vec::new(), seen: journal.clock_seen()? };
        let changes = ledger::account(&standing, world, &mut self.upcoming);
        for name in due.iter().filter(|name| !standing.schedules.iter().any(|row| row.name == **name)) {
            self.upcoming.remove(name);
        }
        if is_ahead {
            self.forget();
        }
        for change in &changes {
            if let FireChange::Expect { schedule, at, .. } = change
                && let Some(definition) = world.definitions.get(schedule)
            {
                self.upcoming.next(definition, *at);
            }
        }
        Ok(changes)
    }

    /// Reads up to when everything is accounted for. Is that yet to come, for any of them?
    fn look(&mut self, journal: &Journal, world: &World<'_>) -> Result<bool, Failure> {
        let (now, mut is_ahead) = (world.now.wall, false);
        for (name, accounted) in journal.accounted()? {
            is_ahead |= accounted > now;
            if let Some(definition) = world.definitions.get(&name) {
                self.upcoming.next(definition, accounted.min(now));
            }
        }
        self.read = Some(Instant::now());
        Ok(is_ahead)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::journal::{ClockReading, FireFilter, Pause};
    use crate::project::ScheduleEntry;
    use crate::schedule::Definition;
    use crate::units::Span;

    fn definitions() -> BTreeMap<String, Definition> {
        let named = [("seven", 7), ("ten", 10), ("hour", 3_600)].map(|(name, seconds)| {
            let every = Some(Span::seconds(seconds));
            let entry = ScheduleEntry { runbook: Some("note.rhai".into()), every, ..ScheduleEntry::default() };
            (name.to_owned(), Definition::new(name, entry).unwrap())
        });
        named.into_iter().collect()
    }

    fn rows(journal: &Journal) -> Vec<(String, i64, String)> {
        let fires = journal.fires(&FireFilter::default()).unwrap().into_iter();
        let mut rows: Vec<_> =
            fires.map(|fire| (fire.schedule, fire.at, format!("{:?} {:?}", fire.state, fire.reason))).collect();
        rows.sort_unstable();
        rows
    }

    /// A clock that goes on, jumps and is set back; somebody pauses, or accounts besides: the rows are those that are made when all
    /// schedules are read at every step.
    #[test]
    fn it_writes_what_reading_everything_would_write() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (quick, slow) = (Journal::open(one.path()).unwrap(), Journal::open(other.path()).unwrap());
        let (definitions, working) = (definitions(), HashSet::new());
        let mut agenda = Agenda::default();
        let (mut wall, mut up, mut number) = (1_800_000_000, 1_000, 7_u64);
        for turn in 0..240 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let random = i64::try_from(number >> 40).unwrap();
            let passes = random % 9;
            up += passes;
            wall += passes
                + match random % 50 {
                    0 => -random % 400,
                    1 => random % 1_500,
                    _ => 0,
                };
            let now = ClockReading { wall, up, boot: "one".into() };
            let world = World { definitions: &definitions, now: &now, working: &working };
            let all = |journal: &Journal| Standing {
                schedules: journal.schedules().unwrap(),
                open: Vec::new(),
                seen: journal.clock_seen().unwrap(),
            };
            if turn % 60 == 0 {
                for journal in [&quick, &slow] {
                    journal.change_fires(&ledger::register(&all(journal), &world)).unwrap();
                }
                agenda.forget();
            }
            if random % 31 == 0 {
                let pause = Pause { by: "ann@desk".into(), at: wall };
                let pause = (random % 2 == 0).then_some(&pause);
                assert!(quick.pause("ten", pause).unwrap() && slow.pause("ten", pause).unwrap());
            }
            if random % 17 == 0 {
                let besides = ledger::account(&all(&quick), &world, &mut Upcoming::default());
                quick.change_fires(&besides).unwrap();
            }
            quick.change_fires(&agenda.account(&quick, &world).unwrap()).unwrap();
            slow.change_fires(&ledger::account(&all(&slow), &world, &mut Upcoming::default())).unwrap();
            if turn % 12 == 11 {
                assert_eq!(rows(&quick), rows(&slow), "turn {turn} at {wall}");
            }
            let next = definitions.values().filter_map(|definition| definition.fires_after(wall).next()).min();
            assert!(agenda.earliest(wall).is_some_and(|at| Some(at) <= next), "it would sleep too long");
        }
    }
}
