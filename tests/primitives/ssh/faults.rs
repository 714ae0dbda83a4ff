//! Many commands, each hit by something: killed, cut, stalled, timed out. None is told as a success that was none, none hangs
//! past its deadline, none is left behind.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::web;
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::Sshd;
use crate::harness::{Direct, at_night};
use runbook::primitive::{Failure, FailureKind, Outcome};

/// How many commands: a sample, or with `RUNBOOK_NIGHT=1` enough to strike at every packet several times.
fn count() -> usize {
    if at_night() { 500 } else { 60 }
}

/// How many at the same time: most of the time nothing happens but waiting.
const TOGETHER: usize = 20;

struct Case {
    here: Direct,
    /// Seconds no other process sleeps.
    name: String,
    number: usize,
}

impl Case {
    fn call(&self, line: &str, read_only: bool, timeout: &str) -> Result<Outcome, Failure> {
        let options = json!({ "read_only": read_only, "timeout": timeout });
        self.here.method("ssh.shell", web(&self.here), json!([line]), options)
    }

    fn is_change(&self) -> bool {
        (self.number / 4).is_multiple_of(2)
    }
}

/// Somebody on the host kills the command.
fn killed(case: &Case, folder: &Path) -> Result<&'static str, String> {
    let pid = folder.join(format!("pid-{}", case.number));
    let line = format!("echo $$ >{0}.new; mv {0}.new {0}; exec sleep {1}", pid.display(), case.name);
    let signal = if case.number.is_multiple_of(3) { "-TERM" } else { "-KILL" };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while !pid.exists() && began.elapsed().as_secs() < 30 {
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(case.number as u64 * 37 % 500));
            let pid = std::fs::read_to_string(&pid).unwrap_or_default();
            let _ = Command::new("kill").args([signal, pid.trim()]).status();
        });
        match case.call(&line, !case.is_change(), "60s") {
            Err(failure) if failure.kind == FailureKind::Exit => Ok("killed: told so"),
            other => Err(format!("killed: {other:?}")),
        }
    })
}

/// Its time is over.
fn timed_out(case: &Case) -> Result<&'static str, String> {
    let line = format!("sleep {0} & sleep {0}", case.name);
    match case.call(&line, !case.is_change(), "2s") {
        Err(failure) if failure.kind == FailureKind::Timeout => Ok("timed out: told so"),
        other => Err(format!("timed out: {other:?}")),
    }
}

/// The link breaks where a packet of the server ends: it is cut, or nothing comes any more.
fn broken(case: &Case, server: &Sshd, blow: Blow, boundaries: &[u64]) -> Result<&'static str, String> {
    let round = case.number / 8;
    let heals = blow == Blow::Cut && round.is_multiple_of(2);
    // Evenly spread when there are few, and each of them when there are many.
    let point = boundaries[round * boundaries.len() / count().div_ceil(8)];
    let way = Way::until(server.port(), point, blow, heals);
    case.here.write("runbook.toml", &server.entry_at("web", way.port()));
    let effects = server.file(&format!("effects-{}", case.number));
    let result = case.call(&work(&effects), !case.is_change(), "20s");
    let done = std::fs::read_to_string(&effects).unwrap_or_default();
    match result {
        Ok(outcome) if outcome.value["stdout"] == "one\ntwo" && done == "a\nb\n" => Ok("broken: went through"),
        Ok(outcome) => Err(format!("a false success at {point}: {:?}, {done:?}", outcome.value)),
        Err(_) if done.matches('a').count() > 1 => Err(format!("twice at {point}: {done:?}")),
        Err(failure) if heals && case.is_change() && failure.kind == FailureKind::Halted => {
            Err(format!("a link that heals, and still nobody knows, at {point}: {failure}"))
        }
        Err(failure) if failure.kind == FailureKind::Halted => Ok("broken: stands still"),
        Err(_) => Ok("broken: told so"),
    }
}

fn work(effects: &Path) -> String {
    format!("echo a >>{0}; echo one; sleep 0.2; echo b >>{0}; echo two", effects.display())
}

#[test]
fn no_false_success_no_hang_and_nothing_left_behind() {
    let Some(server) = Sshd::start() else { return };
    let whole = [true, false].map(|read_only| {
        let way = Way::open(server.port());
        let case = Case { here: Direct::new(), name: String::new(), number: 0 };
        case.here.write("runbook.toml", &server.entry_at("web", way.port()));
        case.call(&work(&server.file("whole")), read_only, "20s").unwrap();
        drop(case);
        way.boundaries()
    });
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let ends = Mutex::new(BTreeMap::<&str, usize>::new());
    let name = |number: usize| format!("7{number:04}.{}", std::process::id());
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count() {
                        break;
                    }
                    let case = Case { here: Direct::new(), name: name(number), number };
                    case.here.write("runbook.toml", &server.entry("web"));
                    let whole = &whole[usize::from(case.is_change())];
                    let began = Instant::now();
                    let (result, limit) = match number % 4 {
                        0 => (killed(&case, &server.file("")), 45),
                        1 => (timed_out(&case), 45),
                        2 => (broken(&case, &server, Blow::Cut, whole), 60),
                        _ => (broken(&case, &server, Blow::Stall, whole), 90),
                    };
                    let mut problems = problems.lock().unwrap();
                    match result {
                        Ok(end) => *ends.lock().unwrap().entry(end).or_default() += 1,
                        Err(problem) => problems.push(format!("{number}: {problem}")),
                    }
                    if began.elapsed().as_secs() > limit {
                        problems.push(format!("{number}: took {:?}", began.elapsed()));
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    eprintln!("{} commands: {:?}, {} went wrong", count(), ends.into_inner().unwrap(), problems.len());
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), count(), problems.join("\n"));
    let began = Instant::now();
    let left = || {
        let found =
            Command::new("pgrep").args(["-af", &format!("^sleep 7[0-9]{{4}}[.]{}", std::process::id())]).output();
        String::from_utf8_lossy(&found.unwrap().stdout).into_owned()
    };
    while !left().is_empty() {
        assert!(began.elapsed().as_secs() < 15, "left behind:\n{}", left());
        std::thread::sleep(Duration::from_millis(200));
    }
}
