//! A deployment on a real engine under fifty requests a second to each service, of which `runbook` or the Docker daemon
//! is killed at each phase: in the end the release is entirely the new or entirely the old one, each version answered
//! until the next one did, and neither a container nor a lock stays behind.

mod daemon;
mod daemon_killed;
mod deployment;
mod requests;

use std::time::{Duration, Instant};

use deployment::Deployment;

use crate::harness::Lab;

/// Where a deployment is killed: at a moment of its event stream, or that long after it.
#[derive(Clone, Debug)]
struct Point {
    moment: String,
    after: Duration,
}

/// How long nobody answers while an undisturbed deployment replaces the services, one after the other, each stopped
/// before the next one starts. What is more than this is the kill's fault.
fn undisturbed(deployment: &mut Deployment) -> (Duration, Vec<String>) {
    let (before, after) = deployment.change();
    let (moments, course) = deployment.asked(|| {
        let mut running = deployment.start();
        let moments: Vec<String> = running.by_ref().collect();
        running.end().success();
        moments
    });
    deployment.is_entirely(after);
    let silences = [&course.api, &course.web]
        .map(|answers| answers.swap(before, after).unwrap_or_else(|| panic!("undisturbed: {}", answers.course())));
    assert!(course.api.rate() > 40.0 && course.web.rate() > 40.0, "{} {}", course.api.rate(), course.web.rate());
    eprintln!("undisturbed: silent for {silences:?}; moments: {moments:?}");
    (silences[0].max(silences[1]), moments)
}

/// The end of each call, the beginning of each change and its phases, and the middle of the swap of a container.
fn points(moments: &[String]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    // A look begins where the call before it ended.
    let changes = ["compose.run begins", "compose.up begins"];
    for moment in moments.iter().filter(|moment| !moment.ends_with(" begins") || changes.contains(&moment.as_str())) {
        if !points.iter().any(|point| point.moment == *moment) {
            points.push(Point { moment: moment.clone(), after: Duration::ZERO });
        }
    }
    for service in ["api", "web"] {
        for milliseconds in [60, 120, 180, 240] {
            points.push(Point { moment: format!("{service} replacing"), after: Duration::from_millis(milliseconds) });
        }
    }
    points
}

/// How much longer than undisturbed a silence may be on a busy machine, and for the start of the process that goes on.
fn bound(undisturbed: Duration) -> Duration {
    undisturbed * 3 + Duration::from_secs(2)
}

#[test]
fn a_deployment_whose_runbook_is_killed_goes_on_and_the_old_version_answers_until_the_new_one_does() {
    let Some(lab) = Lab::start() else { return };
    let mut deployment = Deployment::new(lab);
    let (silence, moments) = undisturbed(&mut deployment);
    let mut problems = Vec::new();
    for point in points(&moments) {
        let (before, after) = deployment.change();
        let (story, course) = deployment.asked(|| {
            let mut running = deployment.start();
            assert!(running.until(&point.moment), "{point:?} was never reached");
            std::thread::sleep(point.after);
            running.child.kill().unwrap();
            let killed = Instant::now();
            let ended = running.end();
            if ended.code == 0 {
                return "ended before".to_owned();
            }
            let resumed = deployment.runbook(&["resume"]);
            if resumed.code != 0 {
                problems.push(format!(
                    "{point:?}: resume ended with {}: {}{}",
                    resumed.code, resumed.stdout, resumed.stderr
                ));
            }
            format!("went on after {:?}", killed.elapsed())
        });
        let wrong = deployment.wrong(after);
        problems.extend(wrong.into_iter().map(|wrong| format!("{point:?}: {wrong}")));
        let mut silences = Vec::new();
        for answers in [&course.api, &course.web] {
            match answers.swap(before, after) {
                Some(swap) if swap <= bound(silence) => silences.push(swap),
                other => problems
                    .push(format!("{point:?}: silent for {other:?}, undisturbed {silence:?}: {}", answers.course())),
            }
        }
        eprintln!("{point:?}: {story}, silent for {silences:?}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
