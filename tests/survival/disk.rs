//! A full and a broken disk at the points at which the matrix kills: the run fails safely with words or ends well, and
//! once the cause is gone it goes on, or the next one works, without repair.

use super::account::{self, Account, twice};
use super::plan::{Plan, Struck, has_strace, is_narrowed, strike_all};
use super::points::{Kind, Point};
use super::recovery::{Recovery, recover};
use super::site::Site;
use crate::harness::Ran;
use crate::harness::strace::Blow;

/// How a full or broken disk is told of.
const ERRORS: &[&str] = &["no space left", "answered with an error", "Input/output error", "git cannot read it"];

#[test]
fn a_run_survives_a_full_disk_and_a_broken_one() {
    if !has_strace() {
        return;
    }
    let suited = |point: &Point| !matches!(point.kind, Kind::Command | Kind::Programs);
    let hit = strike_all("full or broken disk", suited, |plan, point, index, site| {
        let blow = match (index % 2, point.syscall.as_str(), point.kind) {
            (0, ..) | (_, "fsync" | "fdatasync" | "unlink" | "unlinkat" | "rmdir", _) => Blow::Error("EIO"),
            // The disk stays full for the journal; a write to the console or between threads never fails for that.
            (_, _, Kind::Journal) if index % 4 == 1 => Blow::Errors("ENOSPC"),
            _ => Blow::Error("ENOSPC"),
        };
        let ran = site.struck(&site.begin(), &point.injection(site, blow));
        let mut recovery = Recovery::default();
        if ran.stderr.contains("failed to wake I/O driver") {
            // The write was one between threads, which no disk ever fails.
            return Struck { hit: false, recovery };
        }
        if !matches!(ran.code, 0 | 1 | 3) {
            recovery.problems.push(format!("code {} of the run itself\n{}", ran.code, ran.stderr));
            return Struck { hit: true, recovery };
        }
        let hit =
            ran.code != plan.prepared.scenario.code || ran.stderr.contains("disk") || ran.stderr.contains("space");
        recover_from_error(plan, site, &ran, &mut recovery);
        Struck { hit, recovery }
    });
    assert!(is_narrowed() || hit >= 500, "only {hit} errors showed");
}

/// An error that the run could record ended it; otherwise it goes on where it stood.
fn recover_from_error(plan: &Plan, site: &Site, ran: &Ran, recovery: &mut Recovery) {
    let ended = account::state(site).is_some_and(account::is_over);
    if ended {
        recovery.problems = twice(&site.effects(), &plan.undisturbed.world.effects);
        if ran.code == 1 && plan.prepared.scenario.code == 0 && !is_explained(&ran.stderr) {
            recovery.problems.push(format!("words: {}", ran.stderr));
        }
        // The cause is gone: the next run works without repair.
        for record in ["effects", "looks"] {
            let _ = std::fs::remove_file(site.path(record));
        }
        let next = site.runbook(&site.begin());
        // A folder of which an error let only a part be removed is somebody's to look at, and that is what it says.
        if next.code != plan.prepared.scenario.code && !next.stderr.contains("is in the way") {
            recovery.problems.push(format!("next run: code {}\n{}", next.code, next.stderr));
        }
        return;
    }
    *recovery = recover(site, &plan.before);
    if recovery.problems.is_empty() {
        let found = Account::of(site);
        recovery.problems = if found.a_command_died() || found.tells_of(ERRORS) {
            // A call met the error as well, and the run dealt with that as with any call that fails.
            twice(&found.world.effects, &plan.undisturbed.world.effects)
        } else {
            let found = found.differences(&plan.undisturbed, site.scenario.ordered);
            found.into_iter().filter(|problem| !problem.starts_with("line")).collect()
        };
    }
    if !recovery.problems.is_empty() {
        recovery.problems.push(format!("said {}", ran.stderr));
    }
}

fn is_explained(words: &str) -> bool {
    ERRORS.iter().any(|text| words.to_lowercase().contains(&text.to_lowercase()))
}
