//! Years of schedules on a clock that is turned by hand, with everything that happens to a machine in years: outages,
//! suspends, clocks set forth and back, schedules edited, moved to other zones, paused and removed, and deaths in the
//! middle of every step. In the end every fire that was expected has exactly one row, and none ran twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use runbook::journal::{ClockReading, FireChange, FireState, Pause, RunState};
use runbook::project::{Missed, OnCrash, Overlap, ScheduleEntry, ServiceLimits};
use runbook::schedule::Definition;
use runbook::schedule::ledger::{Action, Upcoming, World, account, dispatch, register, settle};
use runbook::units::Span;

use super::book::Book;
use super::expressions::Dice;

const DAY: i64 = 86_400;
const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Antarctica/Troll",
];

/// What a schedule said from when to when, by the wall clock.
struct Edition {
    name: String,
    definition: Definition,
    from: i64,
    /// None while it still says so.
    until: Option<i64>,
}

/// A process that was started to begin a run, or to go on with one.
struct Worker {
    fire: i64,
    ticket: String,
    at: i64,
    resumes: bool,
    /// Which life of the service started it.
    life: u64,
}

struct Machine {
    dice: Dice,
    /// Seconds that have really passed.
    time: i64,
    /// Wall clock minus that.
    offset: i64,
    boot: u64,
    /// Which life of the service this is; none while it is dead.
    life: u64,
    is_up: bool,
    book: Book,
    upcoming: Upcoming,
    definitions: BTreeMap<String, Definition>,
    editions: Vec<Edition>,
    /// The newest edition of each schedule.
    current: HashMap<String, usize>,
    /// Until when, by the wall clock, everything is accounted for.
    accounted: i64,
    workers: Vec<Worker>,
    /// Living runs: when they end, and how.
    runs: BTreeMap<i64, (i64, i64, RunState)>,
    begun: HashMap<i64, u32>,
    newest_run: i64,
    kills: u64,
    /// How many schedules there are at first.
    crowd: u64,
    /// How many runs there may be at once.
    places: usize,
}

impl Machine {
    fn new(seed: u64, schedules: u64) -> Self {
        let mut machine = Self {
            dice: Dice::new(seed),
            time: 1_577_836_800,
            offset: 0,
            boot: 1,
            life: 1,
            is_up: true,
            book: Book::default(),
            upcoming: Upcoming::default(),
            definitions: BTreeMap::new(),
            editions: Vec::new(),
            current: HashMap::new(),
            accounted: 0,
            workers: Vec::new(),
            runs: BTreeMap::new(),
            begun: HashMap::new(),
            newest_run: 0,
            kills: 0,
            crowd: schedules,
            places: usize::try_from(schedules / 12).unwrap(),
        };
        for number in 0..schedules {
            let name = format!("schedule-{number}");
            let definition = machine.definition(&name);
            machine.definitions.insert(name, definition);
        }
        machine
    }

    fn definition(&mut self, name: &str) -> Definition {
        let dice = &mut self.dice;
        let (minute, hour) = (dice.between(0, 59), dice.between(0, 23));
        let mut entry = ScheduleEntry { runbook: Some("backup.rhai".into()), ..ScheduleEntry::default() };
        entry.zone = Some(dice.pick(ZONES).to_owned());
        match dice.between(0, 9) {
            0 => entry.every = Some(Span::seconds(dice.between(4, 30) * 3600)),
            1 => entry.cron = Some(format!("{minute} */{} * * *", dice.between(3, 12))),
            2 => entry.cron = Some(format!("{minute} {hour} * * {}", dice.between(0, 7))),
            3 => entry.cron = Some(format!("{minute} {hour} 1,15 * *")),
            _ => entry.cron = Some(format!("{minute} {hour} * * *")),
        }
        entry.overlap = [Overlap::Skip, Overlap::Queue, Overlap::Allow, Overlap::Replace][self.roll(4)];
        entry.missed = [Missed::Latest, Missed::All, Missed::Skip][self.roll(3)];
        entry.on_crash = [OnCrash::Resume, OnCrash::Fail, OnCrash::Ask][self.roll(3)];
        entry.retries = u32::try_from(self.roll(3)).unwrap();
        entry.deadline = Span::seconds(self.dice.between(1, 60) * 3600);
        entry.jitter = self.dice.one_in(3).then(|| Span::seconds(600));
        // One that several share of some twenty schedules, so that many wait for each other and none for ever.
        let mutex = format!("database-{}", self.roll(self.crowd / 24 + 1));
        entry.mutexes = if self.dice.one_in(5) { vec![mutex] } else { Vec::new() };
        Definition::new(name, entry).unwrap()
    }

    fn roll(&mut self, sides: u64) -> usize {
        usize::try_from(self.dice.between(0, sides - 1)).unwrap()
    }

    fn wall(&self) -> i64 {
        self.time + self.offset
    }

    fn reading(&self) -> ClockReading {
        ClockReading { wall: self.wall(), up: self.time, boot: self.boot.to_string() }
    }

    /// Writes to the ledger, unless the service dies before that; it may also die right after. False when it died.
    fn write(&mut self, changes: &[FireChange]) -> bool {
        if changes.is_empty() {
            return true;
        }
        let dies = self.dice.between(0, 199);
        if dies == 0 {
            return self.die();
        }
        self.note(changes);
        self.book.apply(changes);
        dies != 1 || self.die()
    }

    /// Keeps account of what is expected, apart from the ledger.
    fn note(&mut self, changes: &[FireChange]) {
        let now = self.wall();
        for change in changes {
            match change {
                FireChange::Rewind { to } => {
                    for edition in &mut self.editions {
                        edition.until = edition.until.map(|until| until.min(*to));
                    }
                    for place in self.current.values() {
                        self.editions[*place].from = self.editions[*place].from.min(*to);
                    }
                }
                FireChange::Register { name, .. } => {
                    self.end_edition(name, now);
                    let definition = self.definitions[name].clone();
                    self.current.insert(name.clone(), self.editions.len());
                    self.editions.push(Edition { name: name.clone(), definition, from: now, until: None });
                }
                FireChange::Remove { name } => self.end_edition(name, now),
                _ => {}
            }
        }
    }

    fn end_edition(&mut self, name: &str, now: i64) {
        if self.book.schedules.contains_key(name)
            && let Some(place) = self.current.get(name)
        {
            self.editions[*place].until = Some(now);
        }
    }

    fn die(&mut self) -> bool {
        self.kills += 1;
        self.is_up = false;
        false
    }

    /// What the service does when it wakes.
    fn step(&mut self, registers: bool) {
        if registers {
            self.upcoming.forget();
            let (standing, now) = (self.book.standing_of(self.book.schedules.keys()), self.reading());
            let nobody = HashSet::new();
            let world = World { definitions: &self.definitions, now: &now, working: &nobody };
            let changes = register(&standing, &world);
            if !self.write(&changes) {
                return;
            }
        }
        let now = self.reading();
        let working: HashSet<i64> =
            self.workers.iter().filter(|worker| worker.life == self.life).map(|worker| worker.fire).collect();
        // As the service does: only what is due is looked at, unless the clock was set back or the project is another.
        let reads_all = registers || self.upcoming.is_ahead_of(now.wall);
        if reads_all {
            self.upcoming.forget();
        }
        let due = self.upcoming.due(now.wall);
        let rows: Box<dyn Iterator<Item = &String>> =
            if reads_all { Box::new(self.book.schedules.keys()) } else { Box::new(due.iter()) };
        let standing = self.book.standing_of(rows);
        let world = World { definitions: &self.definitions, now: &now, working: &working };
        let changes = account(&standing, &world, &mut self.upcoming);
        if !self.write(&changes) {
            return;
        }
        self.accounted = now.wall;
        for change in &changes {
            if let FireChange::Expect { schedule, at, .. } = change {
                self.upcoming.next(&self.definitions[schedule], *at);
            }
        }
        // As the service: of schedules only those are read that are asked about.
        let standing = self.book.lend_open(|row| !self.definitions.contains_key(&row.name));
        let world = World { definitions: &self.definitions, now: &now, working: &working };
        let (changes, actions) = settle(&standing, &world);
        self.book.give_back(standing);
        if !self.write(&changes) {
            return;
        }
        for action in &actions {
            self.act(action);
        }
        if !self.book.open().any(|fire| fire.state == FireState::Due && fire.due <= now.wall) {
            return;
        }
        let standing = self.book.lend_open(|row| row.paused.is_some());
        let world = World { definitions: &self.definitions, now: &now, working: &working };
        let limits = ServiceLimits { runs: self.places, ..ServiceLimits::default() };
        let dice = &mut self.dice;
        let (changes, actions) = dispatch(&standing, &world, &limits, &mut || dice.next().to_string());
        self.book.give_back(standing);
        if !self.write(&changes) {
            return;
        }
        for action in &actions {
            self.act(action);
        }
    }

    fn act(&mut self, action: &Action) {
        let at = self.time + i64::try_from(self.dice.between(0, 3)).unwrap();
        let life = self.life;
        match action {
            Action::Begin { fire, ticket } => {
                self.workers.push(Worker { fire: *fire, ticket: ticket.clone(), at, resumes: false, life });
            }
            Action::Resume { fire, .. } => {
                self.workers.push(Worker { fire: *fire, ticket: String::new(), at, resumes: true, life });
            }
            Action::Stop { run } => {
                if let Some((_, ends, state)) = self.runs.get_mut(run) {
                    (*ends, *state) = (at, RunState::Cancelled);
                }
            }
        }
    }

    /// What happens of itself until now: workers begin, runs end.
    fn live(&mut self) {
        let time = self.time;
        let ready: Vec<Worker> = {
            let (ready, later) = std::mem::take(&mut self.workers).into_iter().partition(|worker| worker.at <= time);
            self.workers = later;
            ready
        };
        for worker in ready {
            let lasts = i64::try_from(self.dice.between(5, 20_000)).unwrap();
            let state = match self.dice.between(0, 19) {
                0..=2 => RunState::Failed,
                3 => RunState::Killed,
                _ => RunState::Ok,
            };
            if worker.resumes {
                let fire = self.book.fire(worker.fire).unwrap();
                if let (Some(run), Some(RunState::Killed)) = (fire.run, fire.run_state) {
                    self.book.run_is(worker.fire, RunState::Running);
                    self.runs.insert(run, (worker.fire, time + lasts, state));
                }
                continue;
            }
            self.newest_run += 1;
            let (run, now) = (self.newest_run, self.wall());
            if self.book.claim(worker.fire, &worker.ticket, run, now) {
                *self.begun.entry(worker.fire).or_default() += 1;
                self.runs.insert(run, (worker.fire, time + lasts, state));
            }
        }
        let ended: Vec<i64> = self.runs.iter().filter(|(_, (_, ends, _))| *ends <= time).map(|(run, _)| *run).collect();
        for run in ended {
            let (fire, _, state) = self.runs.remove(&run).unwrap();
            self.book.run_is(fire, state);
        }
    }

    /// When something happens next.
    fn next(&self) -> i64 {
        let workers = self.workers.iter().map(|worker| worker.at);
        let runs = self.runs.values().map(|(_, ends, _)| *ends);
        let (wall, offset) = (self.wall(), self.offset);
        let dues = self.book.open().map(|fire| fire.due).filter(|due| *due > wall).map(|due| due - offset);
        let fires = self.upcoming.earliest().map(|next| next - offset);
        workers.chain(runs).chain(dues).chain(fires).min().unwrap_or(i64::MAX).clamp(self.time + 1, self.time + DAY)
    }

    /// Something of what happens to machines. True when the service has to look at the project again.
    fn mishap(&mut self) -> bool {
        let some = |dice: &mut Dice, low: i64, high: i64| {
            i64::try_from(dice.between(low.cast_unsigned(), high.cast_unsigned())).unwrap()
        };
        let names: Vec<String> = self.definitions.keys().cloned().collect();
        let name = names[self.roll(names.len() as u64)].clone();
        match self.dice.between(0, 9) {
            // The service is down; workers go on.
            0 | 1 => {
                self.is_up = false;
                let seconds = some(&mut self.dice, 30, 3 * DAY);
                self.pass(seconds);
            }
            // The machine is down.
            2 => {
                self.is_up = false;
                self.boot += 1;
                self.workers.clear();
                for (fire, _, _) in std::mem::take(&mut self.runs).into_values() {
                    self.book.run_is(fire, RunState::Killed);
                }
                self.time += some(&mut self.dice, 60, DAY);
            }
            // It sleeps.
            3 => self.time += some(&mut self.dice, 60, 2 * DAY),
            4 => self.offset += some(&mut self.dice, 1, 5 * DAY),
            5 => self.offset -= some(&mut self.dice, 1, 5 * DAY),
            6 => self.offset = 0,
            7 => {
                let definition = self.definition(&name);
                self.definitions.insert(name, definition);
                // From far too few to more than are needed at once.
                self.places = 2 + self.roll(self.crowd / 3);
                return true;
            }
            8 => {
                let pause = self.dice.one_in(2).then(|| Pause { by: "ann@desk".into(), at: self.wall() });
                self.book.pause(&name, pause);
            }
            _ => {
                if self.definitions.len() > 3 && self.dice.one_in(4) {
                    self.definitions.remove(&name);
                } else {
                    let name = format!("later-{}", self.time);
                    let definition = self.definition(&name);
                    self.definitions.insert(name, definition);
                }
                return true;
            }
        }
        false
    }

    /// Time goes by without the service.
    fn pass(&mut self, seconds: i64) {
        let end = self.time + seconds;
        while self.time < end {
            let workers = self.workers.iter().map(|worker| worker.at);
            let next = workers.chain(self.runs.values().map(|(_, ends, _)| *ends)).min().unwrap_or(end);
            self.time = next.clamp(self.time + 1, end);
            self.live();
        }
    }

    fn run(&mut self, years: i64, mishaps_a_year: u64) {
        let end = self.time + years * 365 * DAY;
        let apart = 365 * 86_400 / mishaps_a_year;
        let mut mishap_at = self.time + 3600;
        let mut registers = true;
        while self.time < end {
            self.step(std::mem::take(&mut registers));
            if !self.is_up {
                let seconds = i64::try_from(self.dice.between(1, 600)).unwrap();
                self.pass(seconds);
                (self.is_up, registers) = (true, true);
                self.life += 1;
            }
            if self.time >= mishap_at {
                registers |= self.mishap();
                mishap_at = self.time + i64::try_from(self.dice.between(1, 2 * apart)).unwrap();
                continue;
            }
            self.time = self.next().min(mishap_at.max(self.time + 1));
            self.live();
        }
    }

    /// Compares the ledger with what was expected.
    fn audit(&self) -> (usize, usize) {
        let mut by_schedule: HashMap<&str, HashMap<i64, usize>> = HashMap::new();
        for fire in self.book.fires() {
            *by_schedule.entry(&fire.schedule).or_default().entry(fire.at).or_default() += 1;
        }
        let (mut expected, mut missing, mut meant) = (0, Vec::new(), HashSet::new());
        for Edition { name, definition, from, until } in &self.editions {
            let until = until.unwrap_or(self.accounted);
            for at in definition.fires_after(*from).take_while(|at| *at <= until) {
                expected += 1;
                meant.insert((name.as_str(), at));
                if by_schedule.get(name.as_str()).and_then(|rows| rows.get(&at)) != Some(&1) {
                    missing.push(format!("{name} at {at}"));
                }
            }
        }
        assert!(
            missing.is_empty(),
            "{} of {expected} have not exactly one row: {:?}",
            missing.len(),
            &missing[..missing.len().min(9)]
        );
        let mut editions: HashMap<&str, Vec<&Edition>> = HashMap::new();
        self.editions.iter().for_each(|edition| editions.entry(&edition.name).or_default().push(edition));
        let mut ran = 0;
        for fire in self.book.fires() {
            let is_meant = |edition: &&Edition| edition.definition.fires_after(fire.at - 1).next() == Some(fire.at);
            let is_meant = meant.contains(&(fire.schedule.as_str(), fire.at))
                || editions[fire.schedule.as_str()].iter().any(is_meant);
            assert!(is_meant, "nobody expected {fire:?}");
            let begun = self.begun.get(&fire.id).copied().unwrap_or_default();
            assert!(begun <= fire.attempt, "ran {begun} times: {fire:?}");
            match fire.state {
                FireState::Ran => ran += 1,
                FireState::Skipped => assert!(fire.reason.is_some() && (begun == 0 || fire.attempt > 1), "{fire:?}"),
                FireState::Due | FireState::Starting | FireState::Running => {}
            }
            assert!(fire.state != FireState::Ran || begun > 0, "never began: {fire:?}");
        }
        (expected, ran)
    }
}

#[test]
fn years_of_mishaps_leave_exactly_one_row_for_every_expected_fire() {
    let (years, schedules) = if crate::harness::at_night() { (10, 500) } else { (1, 24) };
    let mut machine = Machine::new(17, schedules);
    machine.run(years, 300);
    let (expected, ran) = machine.audit();
    let open = machine.book.open().count();
    eprintln!(
        "{years} years, {schedules} schedules: {expected} fires expected, {ran} ran, {open} open, {} kills",
        machine.kills
    );
    assert!(ran * 3 > expected && machine.kills > 50, "a simulation in which little happens");
}
