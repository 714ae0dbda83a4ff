//! The kill matrix: a kill at every boundary of the journal and at other system calls, and a second one while the run
//! recovers from the first.

use super::account::{self, Account, twice};
use super::plan::{Plan, Struck, has_strace, is_narrowed, strike_all};
use super::points::{Kind, Point};
use super::recovery::{Recovery, cancel, recover};
use super::site::Site;
use crate::harness::Ran;
use crate::harness::at_night;
use crate::harness::strace::Blow;

#[test]
fn a_run_survives_a_kill_at_every_boundary() {
    if !has_strace() {
        return;
    }
    let hit = strike_all(
        "killed",
        |_| true,
        |plan, point, _, site| {
            let killed = site.struck(&site.begin(), &point.injection(site, Blow::Kill));
            let mut recovery = recover(site, &plan.before);
            judge(plan, site, &mut recovery);
            Struck { hit: was_killed(&killed) || point.kind == Kind::Command, recovery }
        },
    );
    assert!(is_narrowed() || hit >= 1_000, "only {hit} kills");
}

#[test]
fn a_run_survives_a_second_kill_while_it_recovers() {
    if !has_strace() {
        return;
    }
    // Half of the points are enough to hit 500. Most of what a resumed run writes comes early: its boundaries are few.
    let boundaries = [1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 30];
    let hit = strike_all(
        "killed twice",
        |point| point.kind != Kind::Command && point.when > 6 && (at_night() || point.when / 2 % 2 == 0),
        |plan, point, index, site| {
            let mut killed = site.struck(&site.begin(), &point.injection(site, Blow::Kill));
            if account::state(site).is_some_and(|state| !account::is_over(state)) {
                let (syscall, when) = match index % 4 {
                    0 => ("fsync", boundaries[index / 4 % 3]),
                    _ => ("pwrite64", boundaries[index % boundaries.len()]),
                };
                let run = account::number(site).to_string();
                let second = Point::boundary(syscall, when).injection(site, Blow::Kill);
                killed = site.struck(&["resume", &run], &second);
            }
            let mut recovery = recover(site, &plan.before);
            judge(plan, site, &mut recovery);
            Struck { hit: was_killed(&killed) && recovery.resumed > 0, recovery }
        },
    );
    assert!(is_narrowed() || hit >= 500, "only {hit} second kills");
}

#[test]
fn a_run_is_cancelled_after_a_kill_wherever_it_hit() {
    if !has_strace() {
        return;
    }
    let hit = strike_all(
        "cancelled",
        |point| point.kind == Kind::Journal && (at_night() || point.when % 16 == 3),
        |plan, point, _, site| {
            let killed = site.struck(&site.begin(), &point.injection(site, Blow::Kill));
            let stands = account::state(site).is_some_and(|state| !account::is_over(state));
            let mut recovery = if stands { cancel(site) } else { recover(site, &plan.before) };
            if recovery.problems.is_empty() {
                let found = Account::of(site);
                recovery.problems = twice(&found.world.effects, &plan.undisturbed.world.effects);
                recovery.problems.extend(found.locks.iter().map(|lock| format!("lock {lock}")));
            }
            Struck { hit: was_killed(&killed) && stands, recovery }
        },
    );
    assert!(is_narrowed() || hit >= 100, "only {hit} were cancelled");
}

/// Adds what is wrong with the end of a run that was killed.
fn judge(plan: &Plan, site: &Site, recovery: &mut Recovery) {
    if !recovery.problems.is_empty() {
        return;
    }
    let found = Account::of(site);
    recovery.problems = if found.a_command_died() {
        // The blow met one of its commands too, and the run dealt with that as with any command that fails.
        twice(&found.world.effects, &plan.undisturbed.world.effects)
    } else {
        found.differences(&plan.undisturbed, site.scenario.ordered)
    };
}

fn was_killed(ran: &Ran) -> bool {
    !matches!(ran.code, 0 | 1 | 3)
}
