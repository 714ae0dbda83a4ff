//! Workers that are started before their second, and what becomes of those that nobody needs.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use runbook::journal::{FireResult, FireState, FireTicket};
use rustix::process::{Pid, Signal, kill_process};

use super::{Service, fires, journal, lines, project, wait_until};
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

/// A worker of this project that waits for its fire, as the service starts it.
fn worker(project: &Project) -> Child {
    let mut command = project.command(&["run", "note.rhai", "--quiet", "--fire=-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The same once it has said what is to be written of its run.
fn offering(project: &Project) -> (Child, String) {
    project.runbook(&["run", "note.rhai"]).success();
    let (mut worker, mut offer) = (worker(project), String::new());
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut offer).unwrap();
    (worker, offer)
}

/// A fire in the hands of a worker that shows this ticket.
fn ticket(project: &Project) -> FireTicket {
    let fire = journal(project).unwrap().add_fire("never", Timestamp::now().as_second(), "ticket").unwrap();
    FireTicket { fire, ticket: "ticket".into() }
}

#[test]
fn a_run_that_was_begun_goes_on_though_the_service_died_before_it_could_say_so() {
    let project = project("");
    let (mut worker, offer) = offering(&project);
    let offers = [(ticket(&project), serde_json::from_str(&offer).unwrap())];
    let begun = journal(&project).unwrap().begin_offered(&offers).unwrap();
    assert!(begun[0].is_some());
    assert_eq!(lines(&project), 1, "it waits to be told");
    drop(worker.stdin.take());
    assert!(worker.wait().unwrap().success());
    assert_eq!(lines(&project), 2);
    let fire = fires(&project).remove(0);
    assert_eq!((fire.state, fire.run), (FireState::Running, begun[0]));
    project.runbook(&["state", "verify"]).success();
}

#[test]
fn a_worker_that_nobody_needs_leaves_nothing() {
    let project = project("");
    let (mut worker, _) = offering(&project);
    drop(worker.stdin.take());
    let ended = worker.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("nobody gave this run a fire to begin"));
    assert_eq!(lines(&project), 1);
    assert_eq!(std::fs::read_dir(project.path().join(".runbook/runs")).unwrap().count(), 0);
}

/// Whether it may begin is asked when it does.
#[test]
fn one_that_is_bound_to_hours_begins_by_itself() {
    let project = project("[env.prod]\n")
        .file("policy.toml", "[env.prod]\nallow = [\"command *\"]\napproval = false\nwindows = [\"00:00-24:00\"]\n");
    let script = format!("//! @needs command sh\n{}", project.read("note.rhai"));
    let project = project.file("note.rhai", &script);
    project.runbook(&["run", "note.rhai"]).success();
    let mut worker = worker(&project);
    worker.stdin.take().unwrap().write_all(ticket(&project).to_string().as_bytes()).unwrap();
    let ended = worker.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(ended.stdout.is_empty(), "it offered itself");
    assert_eq!(lines(&project), 2);
    assert_eq!(fires(&project)[0].state, FireState::Running);
}

#[test]
fn nobody_waits_while_nothing_is_due_soon() {
    let project = project("[schedule.rare]\nrunbook = \"note.rhai\"\ncron = \"0 0 1 1 *\"\n");
    let service = Service::start(&project);
    wait_until("it is registered", || journal(&project).is_some_and(|log| !log.schedules().unwrap().is_empty()));
    std::thread::sleep(Duration::from_secs(2));
    assert!(workers(&project).is_empty());
    drop(service);
}
