//! Deaths at random points: of the service, of workers, of both.

use std::time::Duration;

use runbook::journal::{FireState, RunFilter, RunState};
use rustix::process::{Pid, Signal, kill_process};

use super::{Service, fires, journal, project, wait_until};
use crate::harness::at_night;
use crate::schedule::expressions::Dice;

const ONCE: &str =
    "//! @param name: string\nsh([\"sh\", \"-c\", \"echo $$ >> begun\"]);\nsleep(\"300ms\");\ninfo(param(\"name\"));\n";

/// Schedules at one-second resolution. Each run leaves a file of its own name, and fails when it is there already.
fn schedules(number: usize) -> String {
    let mut text = "[service]\nruns = 6\n".to_owned();
    for number in 0..number {
        let overlap = ["skip", "queue", "allow"][number % 3];
        text.push_str(&format!(
            "[schedule.s{number}]\nrunbook = \"once.rhai\"\nevery = \"{}s\"\noverlap = \"{overlap}\"\non_crash = \"resume\"\n\
             parameters = {{ name = \"s{number}\" }}\n",
            2 + number % 3
        ));
    }
    text
}

#[test]
fn nothing_is_lost_and_nothing_runs_twice_whatever_dies_when() {
    let (kills, number) = if at_night() { (200, 20) } else { (12, 6) };
    let project = project(&schedules(number)).file("once.rhai", ONCE);
    let mut dice = Dice::new(23);
    let mut service = Service::start(&project);
    wait_until("something runs", || fires(&project).iter().any(|fire| fire.run.is_some()));
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(dice.between(20, 1_200)));
        if dice.one_in(2) {
            service.kill();
            std::thread::sleep(Duration::from_millis(dice.between(0, 300)));
            service = Service::start(&project);
        } else {
            kill_a_worker(&project, &mut dice);
        }
    }
    service.signal(Signal::TERM);
    service.wait();
    settle(&project);
    audit(&project);
}

#[test]
fn services_that_come_and_go_in_a_hurry_lose_nothing_and_run_nothing_twice() {
    let rounds = if at_night() { 100 } else { 12 };
    let project = project(&schedules(6)).file("once.rhai", ONCE);
    let mut dice = Dice::new(29);
    for _ in 0..rounds {
        // Two at a time: one of them is refused.
        let mut both = [Service::start(&project), Service::start(&project)];
        std::thread::sleep(Duration::from_millis(dice.between(0, 900)));
        for service in &mut both {
            match dice.between(0, 3) {
                0 => service.signal(Signal::TERM),
                1 => {
                    service.signal(Signal::TERM);
                    service.signal(Signal::TERM);
                }
                _ => service.kill(),
            }
        }
        if dice.one_in(3) {
            std::thread::sleep(Duration::from_millis(dice.between(0, 400)));
        }
        // Those that were told to stop still wait for their runs when the next ones begin.
        both.iter_mut().for_each(Service::leave);
    }
    wait_until("no service is left", || project.runbook(&["serve", "--once"]).code == 0);
    settle(&project);
    audit(&project);
}

/// Lets the last runs end: no schedule brings further ones.
fn settle(project: &crate::harness::Project) {
    project.file_now("runbook.toml", "[service]\nruns = 6\n");
    let mut service = Service::start(project);
    wait_until("every fire is over", || {
        let open = [FireState::Due, FireState::Starting, FireState::Running];
        !fires(project).iter().any(|fire| open.contains(&fire.state))
    });
    service.signal(Signal::TERM);
    service.wait();
}

/// Kills the process of one run, if any goes on.
fn kill_a_worker(project: &crate::harness::Project, dice: &mut Dice) {
    let running = RunFilter { states: vec![RunState::Running], ..RunFilter::default() };
    let runs = journal(project).unwrap().runs(&running).unwrap();
    if runs.is_empty() {
        return;
    }
    let victim = &runs[usize::try_from(dice.next()).unwrap() % runs.len()];
    let pid = Pid::from_raw(i32::try_from(victim.pid).unwrap()).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

fn audit(project: &crate::harness::Project) {
    let fires = fires(project);
    let runs = journal(project).unwrap().runs(&RunFilter::default()).unwrap();
    let mut of_fires: Vec<i64> = fires.iter().filter_map(|fire| fire.run).collect();
    of_fires.sort_unstable();
    let mut all: Vec<i64> = runs.iter().map(|run| run.id).collect();
    all.sort_unstable();
    assert_eq!(of_fires, all, "each run belongs to one fire, and each fire has one run");
    for fire in &fires {
        match fire.state {
            FireState::Ran => assert!(fire.result.is_some() && fire.run.is_some(), "{fire:?}"),
            FireState::Skipped => assert!(fire.reason.is_some() && fire.run.is_none(), "{fire:?}"),
            FireState::Due | FireState::Starting | FireState::Running => panic!("unfinished: {fire:?}"),
        }
    }
    let mut names: Vec<&str> = fires.iter().map(|fire| fire.schedule.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let mut times: Vec<i64> = fires.iter().filter(|fire| fire.schedule == name).map(|fire| fire.at).collect();
        times.sort_unstable();
        // One that fired once has no distance to tell.
        let Some(every) = times.windows(2).map(|pair| pair[1] - pair[0]).min() else { continue };
        assert!((2..=4).contains(&every), "{name}: {every}");
        times.windows(2).for_each(|pair| assert_eq!(pair[1] - pair[0], every, "{name}: a fire without its row"));
    }
    let ran = fires.iter().filter(|fire| fire.state == FireState::Ran).count();
    eprintln!("{} fires, {ran} ran", fires.len());
    assert!(ran > 5, "{ran}");
    for run in &runs {
        let pid = Pid::from_raw(i32::try_from(run.pid).unwrap()).unwrap();
        assert!(!is_worker(pid.as_raw_nonzero().get()), "an orphan: process {pid:?} of run {}", run.id);
    }
}

fn is_worker(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("--fire="))
}
