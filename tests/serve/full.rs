//! The disk is full for a while: the service waits that out, and every fire has its row all the same.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use runbook::journal::FireState;
use rustix::process::{Pid, Signal, kill_process};

use super::{fires, journal, lines, project, wait_until};
use crate::harness::skip;

#[test]
fn a_full_disk_is_waited_out_and_nothing_is_lost_or_done_twice() {
    let project = project("[schedule.often]\nrunbook = \"note.rhai\"\nevery = \"1s\"\noverlap = \"queue\"\n");
    project.runbook(&["schedule", "list"]).success();
    let plain = project.command(&["serve"]);
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-b",
        "execve",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=pwrite64:error=ENOSPC:when=60..61",
        "-P",
    ]);
    strace.arg(project.path().join(".runbook/journal.sqlite-wal")).arg(plain.get_program()).args(plain.get_args());
    strace
        .current_dir(project.path())
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(mut child) = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
        skip("strace");
        return;
    };
    let said = Arc::new(Mutex::new(String::new()));
    let (stderr, heard) = (child.stderr.take().unwrap(), said.clone());
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            heard.lock().unwrap().push_str(&format!("{line}\n"));
        }
    });
    wait_until("it is full", || said.lock().unwrap().contains("no space left for"));
    let before = lines(&project);
    wait_until("it goes on", || lines(&project) >= before + 3);
    let service: i32 = project.read(".runbook/service.lock").trim().parse().unwrap();
    kill_process(Pid::from_raw(service).unwrap(), Signal::TERM).unwrap();
    wait_until("it has ended", || child.try_wait().unwrap().is_some());
    assert!(said.lock().unwrap().contains("it is tried again"), "{}", said.lock().unwrap());

    let fires = fires(&project);
    let mut times: Vec<i64> = fires.iter().map(|fire| fire.at).collect();
    times.sort_unstable();
    times.windows(2).for_each(|pair| assert_eq!(pair[1], pair[0] + 1, "every second has its row, and one"));
    let ran = fires.iter().filter(|fire| fire.run.is_some()).count();
    let runs = journal(&project).unwrap().runs(&runbook::journal::RunFilter::default()).unwrap();
    assert_eq!(ran, runs.len());
    assert_eq!(lines(&project), runs.iter().filter(|run| run.state == runbook::journal::RunState::Ok).count());
    assert!(fires.iter().all(|fire| !matches!(fire.state, FireState::Starting | FireState::Running)), "{fires:?}");
    project.runbook(&["state", "verify"]).success();
}
