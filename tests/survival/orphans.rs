//! A command outlives the run that started it: it is waited for and not started again.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::account::Account;
use super::scenario;
use super::site::Site;

#[test]
fn a_command_that_outlived_its_run_is_waited_for_and_not_started_again() {
    let prepared = Site::prepared(&scenario::SLOW);
    let undisturbed = prepared.copy();
    undisturbed.runbook(&["run", "run.rhai"]).success();
    let wanted = Account::of(&undisturbed);
    for pause in [0, 100, 200, 300] {
        let site = prepared.copy();
        let mut run = site.command(&["run", "run.rhai"]).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while !site.path("waiting").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "the command never began");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(pause));
        run.kill().unwrap();
        run.wait().unwrap();
        site.runbook(&["resume"]).success();
        assert_eq!(Account::of(&site).differences(&wanted, true), [""; 0], "killed after {pause} ms");
    }
}
