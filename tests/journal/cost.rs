//! What a call costs beside itself. Waits for the disk are counted, not timed; times are printed, see docs/performance.md.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use runbook::journal::Journal;
use runbook::primitive::Effect;
use serde_json::json;

use super::processes::command;
use super::{done, new_run, record, started};
use crate::harness::skip;

/// How often a process that does `task` on a run log waits for the disk.
fn waits(task: &str) -> Option<usize> {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path()).unwrap());
    let trace = folder.path().join("trace");
    let traced = command(task, folder.path());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace).arg(traced.get_program());
    strace.args(traced.get_args()).stdout(Stdio::null()).stderr(Stdio::null());
    strace.envs(traced.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(status) = strace.status() else {
        skip("strace");
        return None;
    };
    assert!(status.success());
    let trace = std::fs::read_to_string(trace).unwrap();
    Some(trace.lines().filter(|line| line.contains("sync(")).count())
}

#[test]
fn a_change_waits_for_the_disk_once_and_a_read_never() {
    let (Some(few), Some(many)) = (waits("changes 1"), waits("changes 101")) else { return };
    assert_eq!(many - few, 100, "a hundred changes");
    let (Some(few), Some(many)) = (waits("reads 1"), waits("reads 101")) else { return };
    assert_eq!(many - few, 0, "a hundred reads");
}

fn per_call(folder: &Path, effect: Effect, calls: usize) -> Duration {
    let journal = Journal::open(folder).unwrap();
    let run = journal.begin(&new_run()).unwrap();
    let began = Instant::now();
    for call in 1..=calls {
        let path = format!("1.{call}");
        record(&journal, run, &[started(&path, "sh", "sh make all", effect)]);
        record(&journal, run, &[done(&path, json!({ "code": 0, "stdout": "ok\n" }), 3)]);
    }
    began.elapsed() / u32::try_from(calls).unwrap()
}

#[test]
fn figures() {
    let calls = if cfg!(debug_assertions) { 1_000 } else { 10_000 };
    let folder = tempfile::tempdir().unwrap();
    eprintln!("a read: {:?}", per_call(folder.path(), Effect::Read, calls));
    eprintln!("a change, disk and all: {:?}", per_call(folder.path(), Effect::Change, calls / 10));
    if Path::new("/dev/shm").is_dir() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        eprintln!("a change, without a disk to wait for: {:?}", per_call(memory.path(), Effect::Change, calls));
    }
    let journal = Journal::open(folder.path()).unwrap();
    let began = Instant::now();
    let loaded = journal.calls(1).unwrap().len();
    eprintln!("reading the {loaded} calls of a run: {:?}", began.elapsed());
    let began = Instant::now();
    assert!(journal.verify(1).unwrap().is_whole());
    eprintln!("verifying them: {:?}", began.elapsed());
}
