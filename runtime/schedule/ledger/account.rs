use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::{LATE, Standing, World};
use crate::journal::{FireChange, ScheduleRow, SkipReason};
use crate::project::{Missed, ScheduleEntry};
use crate::schedule::Definition;

/// Clocks drift, and are set by a little now and then; more is a jump.
const JUMP: i64 = 60;

/// When each schedule fires next, so that this is not computed anew at every step.
#[derive(Debug, Default)]
pub struct Upcoming {
    /// By schedule: what is accounted for, and the first fire behind it.
    known: HashMap<Arc<str>, (i64, Option<i64>)>,
    /// These fires in the order of time; of those at the same second always in the same order.
    order: BTreeSet<(i64, Arc<str>)>,
    /// The latest moment that anything was accounted for.
    latest: Option<i64>,
}

impl Upcoming {
    /// The first fire behind what is accounted for.
    pub fn next(&mut self, definition: &Definition, accounted: i64) -> Option<i64> {
        let name = match self.known.get_key_value(definition.name()) {
            Some((_, (known, next))) if *known == accounted => return *next,
            Some((name, (_, next))) => {
                let name = name.clone();
                self.order.remove(&(next.unwrap_or(i64::MAX), name.clone()));
                name
            }
            None => definition.name().into(),
        };
        let next = definition.fires_after(accounted).next();
        self.order.extend(next.map(|next| (next, name.clone())));
        self.known.insert(name, (accounted, next));
        self.latest = self.latest.max(Some(accounted));
        next
    }

    /// The schedules with a fire that is due and has no row, as far as is known here.
    pub fn due(&self, now: i64) -> Vec<String> {
        self.order.iter().take_while(|(next, _)| *next <= now).map(|(_, name)| name.to_string()).collect()
    }

    /// When the first of them all is due.
    pub fn earliest(&self) -> Option<i64> {
        self.order.first().map(|(next, _)| *next)
    }

    /// Was anything accounted for that is yet to come? So it is where the clock was set back.
    pub fn is_ahead_of(&self, now: i64) -> bool {
        self.latest.is_some_and(|accounted| accounted > now)
    }

    /// Forgets one that is no longer there.
    pub fn remove(&mut self, name: &str) {
        if let Some((name, (_, Some(next)))) = self.known.remove_entry(name) {
            self.order.remove(&(next, name));
        }
    }

    /// Forgets everything: the project's schedules, or the rules of a time zone, are others now.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Takes note of new, changed and removed schedules: up to this moment the ledger's definition counts, from now on the
/// project's.
pub fn register(standing: &Standing, world: &World<'_>) -> Vec<FireChange> {
    let now = world.now.wall;
    let mut changes = rewind(standing, now);
    for row in &standing.schedules {
        let told = world.definitions.get(&row.name);
        if told.is_some_and(|told| told.entry().written() == row.definition) {
            continue;
        }
        // What cannot be read any more was written by another version: its fires are the project's from now on.
        if let Some(before) = read(row) {
            expect(row, &before, now, jump(standing, world), &mut changes);
        }
        let name = row.name.clone();
        changes.push(match told {
            Some(told) => FireChange::Register { name, definition: told.entry().written(), accounted: now },
            None => FireChange::Remove { name },
        });
    }
    let known: HashSet<&str> = standing.schedules.iter().map(|row| row.name.as_str()).collect();
    for (name, told) in world.definitions {
        if !known.contains(name.as_str()) {
            changes.push(FireChange::Register {
                name: name.clone(),
                definition: told.entry().written(),
                accounted: now,
            });
        }
    }
    changes
}

/// Gives every fire that was expected until now its row.
pub fn account(standing: &Standing, world: &World<'_>, upcoming: &mut Upcoming) -> Vec<FireChange> {
    let now = world.now.wall;
    let mut changes = rewind(standing, now);
    for row in &standing.schedules {
        let Some(definition) = world.definitions.get(&row.name) else { continue };
        if upcoming.next(definition, row.accounted.min(now)).is_some_and(|next| next <= now) {
            expect(row, definition, now, jump(standing, world), &mut changes);
        }
    }
    if !changes.is_empty() {
        changes.push(FireChange::Seen(world.now.clone()));
    }
    changes
}

/// What was left out only because the clock was wrong is expected again.
fn rewind(standing: &Standing, now: i64) -> Vec<FireChange> {
    let is_behind = standing.schedules.iter().any(|row| row.accounted > now);
    is_behind.then_some(FireChange::Rewind { to: now }).into_iter().collect()
}

/// By how much the wall clock was set forward, or back, since it was read last; nothing where that cannot be known.
fn jump(standing: &Standing, world: &World<'_>) -> i64 {
    let now = world.now;
    let seen = standing.seen.as_ref().filter(|seen| seen.boot == now.boot);
    seen.map_or(0, |seen| (now.wall - seen.wall) - (now.up - seen.up))
}

fn read(row: &ScheduleRow) -> Option<Definition> {
    let entry: ScheduleEntry = serde_json::from_str(&row.definition).ok()?;
    Definition::new(&row.name, entry).ok()
}

/// The fires between what is accounted for and now.
fn expect(row: &ScheduleRow, definition: &Definition, now: i64, jumped: i64, changes: &mut Vec<FireChange>) {
    let fires: Vec<i64> = definition.fires_after(row.accounted.min(now)).take_while(|at| *at <= now).collect();
    let entry = definition.entry();
    let made_up_for = match entry.missed {
        Missed::Skip => 0,
        Missed::Latest => 1,
        Missed::All => entry.missed_limit,
    };
    let first_made_up_for = fires.len().saturating_sub(made_up_for);
    let deadline = i64::try_from(entry.deadline.0.as_secs()).unwrap_or(i64::MAX);
    for (place, at) in fires.into_iter().enumerate() {
        let due = at + definition.jitter();
        let late = now - due > LATE;
        let skip = if row.paused.as_ref().is_some_and(|pause| pause.at <= at) {
            Some(SkipReason::Paused)
        } else if !late {
            None
        } else if place < first_made_up_for {
            Some(if jumped > JUMP { SkipReason::Clock } else { SkipReason::Missed })
        } else if now - due > deadline {
            Some(SkipReason::Deadline)
        } else {
            None
        };
        changes.push(FireChange::Expect { schedule: row.name.clone(), at, due, late, skip });
    }
}
