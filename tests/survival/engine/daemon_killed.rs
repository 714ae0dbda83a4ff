//! The daemon dies, and the containers go on: the run fails in words and takes back what it did, or stands still and
//! goes on when the daemon is back.

use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::deployment::{Deployment, Running};
use super::{Point, bound, undisturbed};
use crate::harness::Lab;

/// The phases in which the daemon is killed.
fn points() -> Vec<Point> {
    let at = |moment: &str, milliseconds| Point { moment: moment.into(), after: Duration::from_millis(milliseconds) };
    vec![
        at("compose.check_env begins", 0),
        at("compose.run begins", 0),
        at("migrating", 100),
        at("compose.run ends", 0),
        at("api replacing", 0),
        at("api replacing", 150),
        at("api waiting until healthy", 50),
        at("web replacing", 150),
        at("compose.up ends", 0),
    ]
}

#[test]
fn a_deployment_whose_engine_is_killed_ends_in_the_new_release_or_the_old_one() {
    let Some(mut daemon) = Daemon::start() else { return };
    let Some(lab) = Lab::on(&daemon.address()) else { return };
    let mut deployment = Deployment::new(lab);
    let (silence, _) = undisturbed(&mut deployment);
    let mut problems = Vec::new();
    for (number, point) in points().into_iter().enumerate() {
        let migrations = deployment.migrations;
        let (before, after) = deployment.change();
        // Back at once, as a service manager would have it, or later than any call waits.
        let is_late = number % 2 == 1;
        let ((ran, resumed, gone), course) = deployment.asked(|| {
            let mut running = deployment.start();
            assert!(running.until(&point.moment), "{point:?} was never reached");
            std::thread::sleep(point.after);
            daemon.kill();
            let killed = Instant::now();
            let mut running = Some(running);
            let late = running.take_if(|_| is_late).map(Running::end);
            daemon.restart();
            let gone = killed.elapsed();
            let ran = late.or_else(|| running.map(Running::end)).unwrap();
            let stands_still = ran.stderr.contains("`runbook resume");
            let resumed = stands_still.then(|| deployment.runbook(&["resume"]));
            (ran, resumed, gone)
        });
        let last = resumed.as_ref().unwrap_or(&ran);
        let is_new = last.code == 0;
        let version = if is_new { after } else { before };
        if !is_new {
            // What was undone may have migrated before: that is what `migrate_undo` is for.
            let migrated = deployment.migrated();
            deployment.was_undone(before, migrated.clamp(migrations, migrations + 1));
        }
        let story = format!(
            "{point:?}, daemon back {}: the run ended with {}{}",
            if is_late { "late" } else { "at once" },
            ran.code,
            resumed.as_ref().map_or(String::new(), |resumed| format!(", resume with {}", resumed.code)),
        );
        let mut wrong = deployment.wrong(version);
        // Nothing was stopped by then.
        let is_early =
            ["compose.check_env", "compose.run", "migrating"].iter().any(|name| point.moment.starts_with(name));
        let mut silences = Vec::new();
        for answers in [&course.api, &course.web] {
            // What the daemon was to start again stays down without it.
            let most = bound(silence) + gone;
            let swap = if is_new {
                answers.swap(before, after)
            } else if is_early {
                answers.only(before).then_some(Duration::ZERO)
            } else {
                Some(answers.silence())
            };
            match swap {
                Some(swap) if swap <= most => silences.push(swap),
                other => wrong.push(format!("silent for {other:?}, undisturbed {silence:?}: {}", answers.course())),
            }
        }
        eprintln!("{story}, without a daemon for {gone:?}, silent for {silences:?}");
        if !wrong.is_empty() {
            let resumed = resumed.map(|resumed| resumed.stderr).unwrap_or_default();
            problems.push(format!("{story}: {wrong:#?}\nrun: {}\nresume: {resumed}", ran.stderr));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}
