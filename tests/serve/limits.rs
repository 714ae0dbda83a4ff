use std::time::{Duration, Instant};

use runbook::journal::{FireResult, FireState};
use rustix::process::Signal;

use super::{Service, fires, project, wait_until};

/// A number from `/proc/PID/status`.
fn status(pid: u32, field: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_idle_service_is_small_and_sleeps() {
    let project = project("[schedule.rare]\nrunbook = \"note.rhai\"\ncron = \"0 0 1 1 *\"\n");
    let mut service = Service::start(&project);
    wait_until("it is registered", || super::journal(&project).is_some_and(|log| !log.schedules().unwrap().is_empty()));
    std::thread::sleep(Duration::from_secs(1));
    let before = status(service.pid(), "voluntary_ctxt_switches");
    std::thread::sleep(Duration::from_secs(5));
    let woken = status(service.pid(), "voluntary_ctxt_switches") - before;
    let resident = status(service.pid(), "VmRSS");
    eprintln!("idle: {resident} kB, woken {woken} times in 5 s");
    assert!(woken <= 2, "woken {woken} times");
    // Tests are built without optimization and with what debuggers need; the program that is given out is smaller.
    assert!(resident < 60_000, "{resident} kB");
    let began = Instant::now();
    service.signal(Signal::TERM);
    assert_eq!(service.wait(), 0);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_run_that_takes_too_long_is_stopped_in_good_order() {
    let project = project(
        "[schedule.long]\nrunbook = \"note.rhai\"\nevery = \"1s\"\ntimeout = \"1s\"\noverlap = \"skip\"\n\
         parameters = { seconds = \"1h\" }\n",
    );
    let mut service = Service::start(&project);
    wait_until("one was stopped", || fires(&project).iter().any(|fire| fire.result == Some(FireResult::Cancelled)));
    service.signal(Signal::TERM);
    service.signal(Signal::TERM);
    wait_until("the service has ended", || !std::path::Path::new(&format!("/proc/{}/exe", service.pid())).exists());
    service.wait();
    assert!(fires(&project).iter().all(|fire| fire.state != FireState::Running));
}
