//! A ledger in memory that keeps what the run log keeps: for simulations of many years.

use std::collections::BTreeMap;

use runbook::journal::{ClockReading, Fire, FireChange, FireState, Pause, RunState, ScheduleRow};
use runbook::schedule::ledger::Standing;

#[derive(Default)]
pub struct Book {
    pub schedules: BTreeMap<String, ScheduleRow>,
    /// Those with nothing left to do.
    closed: BTreeMap<i64, Fire>,
    /// The others, by number.
    open: Vec<Fire>,
    by_time: BTreeMap<(i64, String), i64>,
    newest: i64,
    seen: Option<ClockReading>,
}

impl Book {
    pub fn standing(&self) -> Standing {
        Standing { open: self.open.clone(), ..self.standing_of(self.schedules.keys()) }
    }

    /// These schedules, and no fires.
    pub fn standing_of<'n>(&self, names: impl Iterator<Item = &'n String>) -> Standing {
        Standing {
            schedules: names.filter_map(|name| self.schedules.get(name)).cloned().collect(),
            open: Vec::new(),
            seen: self.seen.clone(),
        }
    }

    /// The open fires, with the schedules that `wants` picks: given away, as there may be many, until they are given back.
    pub fn lend_open(&mut self, wants: impl Fn(&ScheduleRow) -> bool) -> Standing {
        let schedules = self.schedules.values().filter(|row| wants(row)).cloned().collect();
        Standing { schedules, open: std::mem::take(&mut self.open), seen: self.seen.clone() }
    }

    pub fn give_back(&mut self, standing: Standing) {
        self.open = standing.open;
    }

    pub fn open(&self) -> impl Iterator<Item = &Fire> {
        self.open.iter()
    }

    pub fn fires(&self) -> impl Iterator<Item = &Fire> {
        self.closed.values().chain(&self.open)
    }

    pub fn fire(&self, id: i64) -> Option<&Fire> {
        self.place_of(id).map_or_else(|| self.closed.get(&id), |place| self.open.get(place))
    }

    fn fire_mut(&mut self, id: i64) -> Option<&mut Fire> {
        match self.place_of(id) {
            Some(place) => self.open.get_mut(place),
            None => self.closed.get_mut(&id),
        }
    }

    /// Where among those that are open.
    fn place_of(&self, id: i64) -> Option<usize> {
        self.open.binary_search_by_key(&id, |fire| fire.id).ok()
    }

    pub fn pause(&mut self, name: &str, pause: Option<Pause>) {
        if let Some(row) = self.schedules.get_mut(name) {
            row.paused = pause;
        }
    }

    /// What the worker of a fire does at its beginning; false when it may no longer.
    pub fn claim(&mut self, fire: i64, ticket: &str, run: i64, now: i64) -> bool {
        let Some(fire) = self.fire_mut(fire) else { return false };
        let may = fire.state == FireState::Starting && fire.ticket == ticket;
        if may {
            fire.state = FireState::Running;
            (fire.run, fire.run_state, fire.run_since) = (Some(run), Some(RunState::Running), Some(now));
        }
        may
    }

    pub fn run_is(&mut self, fire: i64, state: RunState) {
        if let Some(fire) = self.fire_mut(fire) {
            fire.run_state = Some(state);
        }
    }

    pub fn apply(&mut self, changes: &[FireChange]) {
        for change in changes {
            self.apply_one(change);
        }
    }

    fn apply_one(&mut self, change: &FireChange) {
        match change.clone() {
            FireChange::Register { name, definition, accounted } => {
                let paused = self.schedules.get(&name).and_then(|row| row.paused.clone());
                self.schedules.insert(name.clone(), ScheduleRow { name, definition, accounted, paused });
            }
            FireChange::Remove { name } => drop(self.schedules.remove(&name)),
            FireChange::Rewind { to } => {
                let later: Vec<_> =
                    self.by_time.range((to + 1, String::new())..).map(|(key, id)| (key.clone(), *id)).collect();
                for (key, id) in later {
                    if self.fire(id).is_some_and(|fire| fire.state == FireState::Skipped) {
                        self.by_time.remove(&key);
                        self.closed.remove(&id);
                    }
                }
                self.schedules.values_mut().for_each(|row| row.accounted = row.accounted.min(to));
            }
            FireChange::Expect { schedule, at, due, late, skip } => {
                let row = self.schedules.get_mut(&schedule).unwrap();
                row.accounted = row.accounted.max(at);
                if self.by_time.contains_key(&(at, schedule.clone())) {
                    return;
                }
                self.newest += 1;
                let id = self.newest;
                let state = if skip.is_some() { FireState::Skipped } else { FireState::Due };
                self.by_time.insert((at, schedule.clone()), id);
                let fire = Fire {
                    id,
                    schedule,
                    at,
                    manual: false,
                    due,
                    late,
                    state,
                    reason: skip,
                    result: None,
                    attempt: 1,
                    resumes: 0,
                    ticket: String::new(),
                    run: None,
                    run_state: None,
                    run_since: None,
                    note: None,
                };
                if state == FireState::Due {
                    self.open.push(fire);
                } else {
                    self.closed.insert(id, fire);
                }
            }
            FireChange::Skip { fire, reason } => {
                self.change(fire, |fire| (fire.state, fire.reason) = (FireState::Skipped, Some(reason)));
            }
            FireChange::Start { fire, ticket } => {
                self.change(fire, |fire| (fire.state, fire.ticket) = (FireState::Starting, ticket));
            }
            FireChange::Return { fire } => self.change(fire, |fire| {
                if fire.state == FireState::Starting {
                    (fire.state, fire.ticket) = (FireState::Due, String::new());
                }
            }),
            FireChange::Retry { fire, due } => self.change(fire, |fire| {
                (fire.state, fire.ticket, fire.due, fire.attempt) =
                    (FireState::Due, String::new(), due, fire.attempt + 1);
            }),
            FireChange::Resume { fire } => self.change(fire, |fire| fire.resumes += 1),
            FireChange::Close { fire, result, note } => self.change(fire, |fire| {
                (fire.state, fire.result, fire.note) = (FireState::Ran, Some(result), note);
            }),
            FireChange::Seen(reading) => self.seen = Some(reading),
        }
    }

    fn change(&mut self, id: i64, change: impl FnOnce(&mut Fire)) {
        let fire = self.fire_mut(id).unwrap();
        change(fire);
        let is_closed = matches!(fire.state, FireState::Ran | FireState::Skipped);
        match self.place_of(id) {
            Some(place) if is_closed => drop(self.closed.insert(id, self.open.remove(place))),
            None if !is_closed => {
                let fire = self.closed.remove(&id).unwrap();
                let place = self.open.partition_point(|other| other.id < id);
                self.open.insert(place, fire);
            }
            _ => {}
        }
    }
}
