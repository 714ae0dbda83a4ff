//! What is done to which scenario at which point, with all cores, and the table of how it went.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::account::Account;
use super::points::{self, Kind, Point};
use super::recovery::Recovery;
use super::scenario::{self, Scenario};
use super::site::{Site, World};
use crate::harness::{at_night, skip};

/// A scenario, its moments, and how it ends undisturbed.
pub struct Plan {
    pub prepared: Site,
    pub before: World,
    pub undisturbed: Account,
    points: Vec<Point>,
}

/// What happened at one point.
pub struct Struck {
    /// Did the blow do what it was meant to? Otherwise the run had ended before.
    pub hit: bool,
    pub recovery: Recovery,
}

impl Plan {
    fn of(scenario: &'static Scenario) -> Self {
        let prepared = Site::prepared(scenario);
        let site = prepared.copy();
        site.runbook(&site.begin()).code(scenario.code);
        let points = points::all(&prepared.copy());
        let points = if at_night() { points } else { points::thinned(points, 12) };
        Self { before: prepared.world(), undisturbed: Account::of(&site), points, prepared }
    }

    /// `scenario: kind syscall number`.
    pub fn name(&self, point: &Point) -> String {
        let kind = format!("{:?}", point.kind).to_lowercase();
        format!("{}: {kind} {} {}", self.prepared.scenario.name, point.syscall, point.when)
    }
}

/// Is this what `RUNBOOK_SURVIVAL_AT` asks for, or a part of it?
fn is_wanted(name: &str) -> bool {
    std::env::var("RUNBOOK_SURVIVAL_AT").map_or(true, |wanted| name.starts_with(&wanted) || wanted.starts_with(name))
}

/// Strikes every scenario at all its points that are `suited`, prints the table, and fails with everything that went wrong.
/// Returns how many blows hit.
pub fn strike_all(
    title: &str,
    suited: impl Fn(&Point) -> bool,
    strike: impl Fn(&Plan, &Point, usize, &Site) -> Struck + Sync,
) -> usize {
    // One after the other: each of them uses all cores.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let plans: Vec<Plan> = scenario::ALL.iter().filter(|scenario| is_wanted(scenario.name)).map(Plan::of).collect();
    let all = plans.iter().flat_map(|plan| plan.points.iter().map(move |point| (plan, point)));
    let work: Vec<_> = all.filter(|(plan, point)| suited(point) && is_wanted(&plan.name(point))).enumerate().collect();
    let began = std::time::Instant::now();
    let mut table = Table::default();
    for ((plan, kind), struck) in each(&work, |(index, (plan, point))| {
        let mut site = plan.prepared.copy();
        let mut struck = strike(plan, point, *index, &site);
        if !struck.recovery.problems.is_empty() {
            let kept = std::env::var("RUNBOOK_SURVIVAL_AT").map(|_| format!(" in {}", site.keep().display()));
            struck.recovery.problems.insert(0, format!("{}{}", plan.name(point), kept.unwrap_or_default()));
        }
        ((plan.prepared.scenario.name, point.kind), struck)
    }) {
        table.rows.entry((plan, kind)).or_default().push(struck);
    }
    say(&format!("\n{title}: {} points in {} s", work.len(), began.elapsed().as_secs()));
    table.print();
    table.nothing_wrong();
    table.asks_seldom();
    table.rows.values().flatten().filter(|one| one.hit).count()
}

/// Does the work with all cores.
fn each<T: Sync, R: Send>(work: &[T], task: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = task(item);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<(&'static str, Kind), Vec<Struck>>,
}

impl Table {
    fn print(&self) {
        let titles = ["points", "hit", "anew", "resumed", "asked", "twice", "lost", "other"];
        say(&format!("{:<24}{:<10}{}", "scenario", "kind", titles.map(|title| format!("{title:>9}")).concat()));
        for ((name, kind), all) in &self.rows {
            row(name, &format!("{kind:?}").to_lowercase(), &all.iter().collect::<Vec<_>>());
        }
        row("all", "", &self.rows.values().flatten().collect::<Vec<_>>());
    }

    /// At most one point of a hundred needs a person to say whether a call happened. (A question of the script's own is not
    /// that, nor is a blow that met the command itself.)
    fn asks_seldom(&self) {
        let points = self.rows.iter().filter(|((_, kind), _)| *kind != Kind::Command).flat_map(|(_, struck)| struck);
        let asked = points.clone().filter(|one| one.recovery.asked.iter().any(|name| name != "confirm")).count();
        let all = points.count();
        assert!(asked * 100 <= all, "a person had to decide at {asked} of {all} points");
    }

    fn nothing_wrong(&self) {
        let all: Vec<&Struck> = self.rows.values().flatten().collect();
        let wrong: Vec<String> = all
            .iter()
            .filter(|one| !one.recovery.problems.is_empty())
            .map(|one| one.recovery.problems.join("\n    "))
            .collect();
        assert!(wrong.is_empty(), "{} of {} points went wrong:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    }
}

fn row(name: &str, kind: &str, all: &[&Struck]) {
    let count = |is: &dyn Fn(&Struck) -> bool| format!("{:>9}", all.iter().filter(|one| is(one)).count());
    let wrong = |word: &'static str| {
        move |one: &Struck| one.recovery.problems.iter().skip(1).any(|problem| problem.starts_with(word))
    };
    let columns = [
        format!("{:>9}", all.len()),
        count(&|one| one.hit),
        count(&|one| one.recovery.anew),
        count(&|one| one.recovery.resumed > 0),
        count(&|one| !one.recovery.asked.is_empty()),
        count(&wrong("twice")),
        count(&wrong("lost")),
        count(&|one| !one.recovery.problems.is_empty() && !wrong("twice")(one) && !wrong("lost")(one)),
    ];
    say(&format!("{name:<24}{kind:<10}{}", columns.concat()));
}

/// A line that is seen although the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Is it one point only that is asked for?
pub fn is_narrowed() -> bool {
    std::env::var("RUNBOOK_SURVIVAL_AT").is_ok()
}

/// `false`, said aloud, without the program that strikes.
pub fn has_strace() -> bool {
    let has = std::process::Command::new("strace").arg("-V").output().is_ok();
    if !has {
        skip("strace (apt-get install strace)");
    }
    has
}
