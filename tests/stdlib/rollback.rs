use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::Site;
use crate::execution::{HOLD, killed};
use crate::harness::Ran;

const DEPLOY: &str = r#"
import "std/deploy" as deploy;
deploy::compose(compose("NAME"), #{ pull: false, disk: "1MiB", wait: "30s" });
"#;

const ROLLBACK: &str = r#"//! Go back.
//!
//! @param to: integer = 0    the number of the release

import "std/rollback" as rollback;
rollback::compose(compose("NAME"), #{ to: param("to"), wait: "30s", url: "http://127.0.0.1:PORT/health" });
"#;

#[test]
fn it_goes_to_the_last_good_release_by_itself_or_to_a_number() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", ROLLBACK);
    for version in ["1", "2", "3"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        site.run().code(0);
    }
    // A failed deployment is nothing to go back to.
    site.broken("4");
    site.run().code(1);
    assert_eq!(site.answers(), "3");
    site.project.runbook(&["run", "rollback.rhai"]).code(0).says("release 2 of run 2");
    assert_eq!(site.answers(), "2");
    site.project.runbook(&["run", "rollback.rhai", "--to", "1"]).code(0).says("release 1 of run 1");
    assert_eq!(site.answers(), "1");
    site.project.runbook(&["run", "rollback.rhai", "--to", "1"]).code(0).says("release 1 runs already");
    site.project.runbook(&["run", "rollback.rhai", "--to", "77"]).code(1).says("has no release 77");
    assert_eq!(site.answers(), "1");
}

#[test]
fn without_a_release_to_go_back_to_it_says_so() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", ROLLBACK);
    site.run().code(0);
    let before = site.api();
    site.project.runbook(&["run", "rollback.rhai"]).code(1).says("has no good release to go back to");
    assert_eq!(site.api(), before);
}

#[test]
fn a_rollback_that_was_killed_goes_on_although_the_application_has_passwords() {
    let Some(site) = Site::new(DEPLOY) else { return };
    for version in ["1", "2"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        let compose = site.project.read("compose.yaml");
        let volumes = "volumes: ['data:/data']";
        let password = format!("environment: {{ API_PASSWORD: 'not-to-be-shown' }}\n    {volumes}");
        site.project.file_now("compose.yaml", &compose.replace(volumes, &password));
        site.run().code(0);
    }
    let script = format!(
        "let app = compose(\"NAME\"); let target = app.last_good();
        undo(\"back\", || app.up(target)); app.up(target, #{{ wait: \"30s\" }}); {HOLD}
        app.up(target, #{{ wait: \"30s\" }}).changed"
    );
    site.script("test.rhai", &script);
    killed(&site.project);
    assert_eq!(site.answers(), "1");
    site.project.file_now("go", "");
    // What is the last good release now is another one.
    site.project.runbook(&["resume"]).success();
    let show = site.project.runbook(&["show", "last", "--json"]).success();
    let show = show.prints("\"result\": false");
    assert!(!show.stdout.contains("not-to-be-shown"), "{}", show.stdout);
}

/// Is at work until told to go on, while the application's lock is its own.
const WATCH: &str =
    r#"step("watch", || wait_until("go", || file("go").exists(), #{ every: "20ms", within: "120s" }));"#;

fn started(site: &Site, file: &str, more: &[&str]) -> Child {
    let mut command = site.project.command(&[&["run", file], more].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

/// Waits until a run of this site holds the application's lock at that step.
fn until_at(site: &Site, step: &str) {
    let began = Instant::now();
    let is_there = || {
        let locks = site.lab.run(site.lab.engine.locks()).unwrap();
        locks.iter().any(|lock| lock.name == site.name && lock.step == step)
    };
    while !is_there() {
        assert!(began.elapsed() < Duration::from_secs(60), "nobody came to `{step}`");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_two_rollbacks_at_the_same_moment_one_goes_back_and_the_other_is_told_who_does() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", &format!("{ROLLBACK}{WATCH}\n"));
    for version in ["1", "2"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        site.run().code(0);
    }
    let mut both = [started(&site, "rollback.rhai", &[]), started(&site, "rollback.rhai", &[])];
    let began = Instant::now();
    let loser = loop {
        if let Some(index) = both.iter_mut().position(|child| child.try_wait().unwrap().is_some()) {
            break index;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "nobody was refused");
        std::thread::sleep(Duration::from_millis(20));
    };
    until_at(&site, "watch");
    site.project.file_now("go", "");
    let [first, second] = both;
    let (loser, winner) = if loser == 0 { (first, second) } else { (second, first) };
    let refused = ended(loser).code(1);
    let stderr = refused.stderr.clone();
    let told = stderr.split(&format!("`{}` is locked on its engine by run ", site.name)).nth(1);
    let told = told.unwrap_or_else(|| panic!("{stderr}"));
    let (run, rest) = told.split_once(" of ").unwrap();
    assert!(["3", "4"].contains(&run) && rest.contains(" since ") && rest.contains(", now at step `"), "{told}");
    refused.says(&format!("runbook show {run}")).says("nothing changed").never_says("look at the system");
    ended(winner).success().says("release 1 of run 1");
    assert_eq!(site.answers(), "1");
}

#[test]
fn a_rollback_beside_a_deployment_is_told_where_that_is_and_one_that_waits_goes_by_what_it_left() {
    let Some(site) = Site::new(DEPLOY) else { return };
    site.script("rollback.rhai", ROLLBACK);
    for version in ["1", "2"] {
        site.version(version, "exec httpd -f -p 8000 -h /www");
        site.run().code(0);
    }
    let (import, deploys) = DEPLOY.trim().split_once('\n').unwrap();
    site.script("slow.rhai", &format!("{import}\ncompose(\"NAME\").release();\n{WATCH}\n{deploys}\n"));
    site.version("3", "exec httpd -f -p 8000 -h /www");
    let deployment = started(&site, "slow.rhai", &[]);
    until_at(&site, "watch");
    let refused = site.project.runbook(&["run", "rollback.rhai"]).code(1);
    refused.says("is locked on its engine by run 3 of ").says(", now at step `watch`").says("nothing changed");
    assert_eq!(site.answers(), "2");

    let waiting = started(&site, "rollback.rhai", &["--wait", "60s"]);
    // Long enough to have chosen already, if it did so before it has the lock.
    std::thread::sleep(Duration::from_secs(2));
    site.project.file_now("go", "");
    ended(deployment).success();
    ended(waiting).success().says("waiting for `").says("release 2 of run 2");
    assert_eq!(site.answers(), "2");
}
