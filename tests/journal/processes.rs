//! Several processes on one run log. The others are this test binary again, told by the environment what to do.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::journal::{CallState, Event, Journal, LogQuery, RunFilter, RunState};
use runbook::primitive::{Effect, LeaseRequest, LogStream, ReleaseState};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{done, ended, line, new_run, record, started};
use crate::harness::skip;

const TASK: &str = "RUNBOOK_TEST_TASK";
const FOLDER: &str = "RUNBOOK_TEST_FOLDER";

fn start(task: &str, folder: &Path) -> Child {
    command(task, folder).spawn().unwrap()
}

/// This test binary, about to do `task` on the run log in `folder`.
pub fn command(task: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", "journal::processes::another_process"])
        .envs([(TASK, task), (FOLDER, folder.to_str().unwrap())])
        .stdout(Stdio::null());
    command
}

/// A process that has begun a run, is inside a change, holds the lock and has recorded a release.
struct Holder(Child);

impl Holder {
    fn start(folder: &Path) -> Self {
        Self::doing("hold", folder)
    }

    fn doing(task: &str, folder: &Path) -> Self {
        let holder = Self(start(task, folder));
        let began = Instant::now();
        while !folder.join("ready").exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "the other process never became ready");
            std::thread::sleep(Duration::from_millis(5));
        }
        holder
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lock() -> LeaseRequest {
    LeaseRequest { name: "deploy/prod".into(), wait: Duration::ZERO }
}

/// What the other processes do; nothing when started by hand.
#[test]
#[ignore = "started by the tests of this file"]
fn another_process() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else { return };
    let folder = Path::new(&folder);
    let journal = Journal::open(folder).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let (task, count) = task.split_once(' ').unwrap_or((&task, "0"));
    let said = |what: &str| {
        let mut file = std::fs::File::options().create(true).append(true).open(folder.join("said")).unwrap();
        writeln!(file, "{what}").unwrap();
    };
    // Tries until it works: what stands in the way goes away.
    let insist = |event: &Event| {
        for _ in 0..100 {
            match journal.record(run, &crate::harness::fit(event)) {
                Ok(()) => return,
                Err(failure) => said(&format!("{failure:?}")),
            }
        }
        panic!("it never worked");
    };
    match task {
        "changes" | "reads" => {
            let effect = if task == "reads" { Effect::Read } else { Effect::Change };
            for call in 0..count.parse::<usize>().unwrap() {
                let path = call.to_string();
                record(&journal, run, &[started(&path, "sh", "sh true", effect), done(&path, json!(1), 1)]);
            }
            record(&journal, run, &[ended(run, RunState::Ok, None)]);
        }
        "stubborn" => {
            for call in 1..=30 {
                let path = call.to_string();
                insist(&started(&path, "sh", "sh true", Effect::Change));
                insist(&done(&path, json!("x".repeat(100)), 1));
            }
            insist(&ended(run, RunState::Ok, None));
        }
        "talkative" => {
            for number in 1..=100 {
                let _ =
                    journal.record(run, &crate::harness::fit(&line("", LogStream::Stdout, &format!("line {number}"))));
                if number % 5 == 0
                    && let Err(failure) = journal.flush()
                {
                    said(&format!("{failure:?}"));
                }
            }
            while let Err(failure) = journal.flush() {
                said(&format!("{failure:?}"));
            }
        }
        "hold" => {
            record(&journal, run, &[started("1", "sh", "sh migrate", Effect::Change)]);
            record(&journal, run, &[line("1", LogStream::Stdout, "migrating")]);
            journal.flush().unwrap();
            journal.acquire(run, "ann@desk", &lock(), "migrate").unwrap().unwrap();
            journal.record_release(run, "5", "shop", "prod", &json!({})).unwrap();
            std::fs::write(folder.join("ready"), "").unwrap();
            loop {
                std::thread::park();
            }
        }
        "silent" => {
            record(&journal, run, &[started("1", "sh", "sh migrate", Effect::Change)]);
            std::fs::write(folder.join("ready"), "").unwrap();
            loop {
                std::thread::park();
            }
        }
        "write" => {
            for step in 1..=100 {
                let path = step.to_string();
                record(&journal, run, &[started(&path, "sh", "sh true", Effect::Change)]);
                record(&journal, run, &[line(&path, LogStream::Stdout, &format!("line {step}"))]);
                record(&journal, run, &[done(&path, json!(step), 1)]);
            }
            record(&journal, run, &[ended(run, RunState::Ok, None)]);
        }
        "mark" => {
            let mark = |name: &str| std::fs::write(folder.join(name), "").unwrap();
            mark("mark-1");
            record(&journal, run, &[started("1", "sh", "sh true", Effect::Change)]);
            mark("mark-2");
            record(&journal, run, &[done("1", json!(null), 1), started("2", "disk_free", "disk_free /", Effect::Read)]);
            mark("mark-3");
        }
        other => panic!("no task {other}"),
    }
}

#[test]
fn a_run_whose_process_was_killed_is_settled_as_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = Holder::start(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(journal.settle().unwrap(), [0i64; 0]);
    assert_eq!(journal.run(1).unwrap().state, RunState::Running);

    holder.kill();
    assert_eq!(journal.settle().unwrap(), [1]);
    let run = journal.run(1).unwrap();
    assert_eq!(run.state, RunState::Killed);
    assert!(run.finished_at.unwrap() >= run.started_at);
    let failure = run.failure.unwrap();
    let process = format!("its process ({} on {}) ended without finishing the run", run.pid, run.machine);
    assert_eq!(failure.message, process);
    assert_eq!(failure.evidence[0].text, "1 sh migrate");
    assert_eq!(journal.call(1, "1").unwrap().unwrap().state, CallState::Started);
    assert!(journal.finished_call(1, "1").unwrap().is_none());
    assert_eq!(journal.releases("shop", "prod").unwrap()[0].state, ReleaseState::Failed);
    assert!(journal.leases().unwrap().is_empty());
    assert!(!folder.path().join("runs/1.lock").exists());
    assert_eq!(journal.settle().unwrap(), [0i64; 0], "it is settled once");
}

#[test]
fn a_killed_run_went_on_to_its_last_sign_of_life_however_silent_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let earlier = journal.begin(&new_run()).unwrap();
    record(&journal, earlier, &[started("1", "sh", "sh true", Effect::Change), done("1", json!(1), 1)]);
    let mut holder = Holder::doing("silent", folder.path());
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(2_500));
    holder.kill();
    let longest = began.elapsed();
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(journal.settle().unwrap(), [2]);
    let run = journal.run(2).unwrap();
    let begun = journal.call(2, "1").unwrap().unwrap().started_at;
    let silent = Duration::try_from(run.finished_at.unwrap().duration_since(begun)).unwrap();
    assert!(silent > Duration::from_secs(1) && silent < longest + Duration::from_millis(500), "{silent:?}");
    let took = u64::try_from(run.finished_at.unwrap().duration_since(run.started_at).as_millis()).unwrap();
    assert_eq!(run.milliseconds, Some(took));
}

#[test]
fn a_killed_run_whose_lock_file_is_gone_went_on_to_its_last_call() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    journal.begin(&new_run()).unwrap();
    let mut holder = Holder::doing("silent", folder.path());
    holder.kill();
    std::fs::remove_file(folder.path().join("runs/2.lock")).unwrap();
    assert_eq!(journal.settle().unwrap(), [2]);
    let begun = journal.call(2, "1").unwrap().unwrap().started_at;
    assert_eq!(journal.run(2).unwrap().finished_at, Some(begun));
}

#[test]
fn the_time_of_a_run_that_was_resumed_and_killed_again_leaves_out_how_long_it_lay_still() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = Holder::doing("silent", folder.path());
    holder.kill();
    let lay_still = Duration::from_secs(3);
    std::thread::sleep(lay_still);
    let journal = Journal::open(folder.path()).unwrap();
    journal.take_up(1, "bob@desk").unwrap();
    let owned_since = journal.run(1).unwrap().owned_since;
    drop(journal);
    let journal = Journal::open(folder.path()).unwrap();
    assert_eq!(journal.settle().unwrap(), [1]);
    let run = journal.run(1).unwrap();
    assert!(Duration::try_from(owned_since.duration_since(run.started_at)).unwrap() >= lay_still);
    assert!(Duration::from_millis(run.milliseconds.unwrap()) < lay_still, "{:?}", run.milliseconds);
}

#[test]
fn a_process_that_is_stopped_is_not_taken_for_dead() {
    let folder = tempfile::tempdir().unwrap();
    let holder = Holder::start(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    holder.signal(Signal::STOP);
    assert_eq!(journal.settle().unwrap(), [0i64; 0]);
    std::fs::remove_file(folder.path().join("runs/1.lock")).unwrap();
    assert_eq!(journal.settle().unwrap(), [0i64; 0], "its lock file was removed, but the process is there");
    let run = journal.begin(&new_run()).unwrap();
    assert_eq!(journal.acquire(run, "bob@desk", &lock(), "").unwrap().unwrap_err().run, 1);
}

#[test]
fn a_lock_is_taken_over_from_a_dead_process_and_never_from_a_living_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = Holder::start(folder.path());
    let journal = Journal::open(folder.path()).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let present = journal.acquire(run, "bob@desk", &lock(), "").unwrap().unwrap_err();
    assert_eq!((present.run, present.owner.as_str(), present.step.as_str()), (1, "ann@desk", "migrate"));
    assert_eq!(present.fence, 1);

    holder.kill();
    let lease = journal.acquire(run, "bob@desk", &lock(), "pull").unwrap().unwrap();
    assert_eq!((lease.run, lease.fence), (run, 2));
    let lost = journal.renew(&present, "migrate").unwrap_err();
    assert_eq!(lost.message, "run 1 no longer holds the lock `deploy/prod`");
    journal.release_lease(&present).unwrap();
    assert_eq!(journal.leases().unwrap()[0].run, run, "the dead run's release does not free it");
}

#[test]
fn four_processes_create_and_fill_one_run_log_without_losing_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..4).map(|_| start("write", folder.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let journal = Journal::open(folder.path()).unwrap();
    let runs = journal.runs(&RunFilter { states: vec![RunState::Ok], ..RunFilter::default() }).unwrap();
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [4, 3, 2, 1]);
    for run in runs {
        let calls = journal.calls(run.id).unwrap();
        assert_eq!(calls.iter().filter(|call| call.state == CallState::Done).count(), 100);
        let lines = journal.logs(&LogQuery { run: Some(run.id), ..LogQuery::default() }).unwrap();
        assert_eq!(lines.len(), 100);
        assert_eq!(lines[99].line, "line 100");
    }
}

#[test]
fn a_change_is_on_the_disk_before_it_happens_and_a_read_waits_for_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    drop(Journal::open(folder.path()).unwrap());
    let traced = command("mark", folder.path());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=fsync,fdatasync,openat", "-o"]).arg(&trace).arg(traced.get_program());
    strace.args(traced.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
    strace.envs(traced.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(status) = strace.status() else { return skip("strace") };
    assert!(status.success());
    let trace = std::fs::read_to_string(trace).unwrap();
    let between = |from: &str, to: &str| {
        let lines = trace.lines().skip_while(|line| !line.contains(from)).take_while(|line| !line.contains(to));
        lines.filter(|line| line.contains("fsync(") || line.contains("fdatasync(")).count()
    };
    assert!(between("mark-1", "mark-2") > 0, "{trace}");
    assert_eq!(between("mark-2", "mark-3"), 0, "{trace}");
}
