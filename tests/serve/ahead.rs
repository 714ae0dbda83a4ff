//! Workers that are started before their second, and what becomes of those that nobody needs.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook::journal::{FireResult, FireState};
use rustix::process::{Pid, Signal, kill_process};

use super::{Service, fires, lines, project, wait_until};
use crate::harness::Project;

const OFTEN: &str = "[schedule.often]\nrunbook = \"note.rhai\"\nevery = \"4s\"\nmissed = \"skip\"\n";

/// The workers of this project.
fn workers(project: &Project) -> Vec<Pid> {
    let folder = project.path().canonicalize().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let is_one = |process: &std::path::PathBuf| {
        std::fs::read(process.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains("--fire=-"))
            && std::fs::read_link(process.join("cwd")).is_ok_and(|found| found == folder)
    };
    let workers = processes.filter(is_one);
    workers.filter_map(|process| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?)).collect()
}

/// One that waits for its second: found well before that has come.
fn waiting(project: &Project) -> Pid {
    let began = Instant::now();
    loop {
        let now = Timestamp::now();
        if now.as_second() % 4 == 3
            && now.subsec_millisecond() < 900
            && let Some(worker) = workers(project).first()
        {
            return *worker;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "nobody waits");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_worker_that_dies_before_its_second_costs_nothing() {
    let project = project(OFTEN);
    let mut service = Service::start(&project);
    wait_until("something ran", || lines(&project) >= 1);
    for _ in 0..2 {
        let before = fires(&project).len();
        kill_process(waiting(&project), Signal::KILL).unwrap();
        wait_until("its fire ran", || {
            let fires = fires(&project);
            fires.len() > before && fires.iter().all(|fire| fire.state == FireState::Ran)
        });
    }
    service.signal(Signal::TERM);
    assert_eq!(service.wait(), 0);
    let fires = fires(&project);
    let ran = fires.iter().filter(|fire| fire.result == Some(FireResult::Ok) && fire.attempt == 1 && fire.resumes == 0);
    assert_eq!(ran.count(), fires.len(), "{fires:?}");
    assert_eq!(lines(&project), fires.len());
    wait_until("nobody waits any more", || workers(&project).is_empty());
}

#[test]
fn workers_that_wait_end_by_themselves_when_the_service_is_killed() {
    let project = project(OFTEN);
    let mut service = Service::start(&project);
    let worker = waiting(&project);
    service.kill();
    let (before, began) = (lines(&project), fires(&project).len());
    wait_until("it has ended", || !workers(&project).contains(&worker));
    assert_eq!((lines(&project), fires(&project).len()), (before, began), "nothing ran without a fire");
}

#[test]
fn nobody_waits_while_nothing_is_due_soon() {
    let project = project("[schedule.rare]\nrunbook = \"note.rhai\"\ncron = \"0 0 1 1 *\"\n");
    let service = Service::start(&project);
    wait_until("it is registered", || super::journal(&project).is_some_and(|log| !log.schedules().unwrap().is_empty()));
    std::thread::sleep(Duration::from_secs(2));
    assert!(workers(&project).is_empty());
    drop(service);
}
