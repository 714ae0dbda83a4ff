//! The connection is cut or stalls at points of its life: never a false success, never a wait without end, never a
//! command that is left behind or run twice.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{assert_gone, web};
use crate::harness::Direct;
use crate::harness::cut::{Blow, Way};
use crate::harness::sshd::Sshd;
use runbook::primitive::{Failure, FailureKind, Outcome, Probe};

/// How many points are tried: a sample here, more at night.
fn points() -> u64 {
    std::env::var("RUNBOOK_SSH_POINTS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

fn through(server: &Sshd, way: &Way) -> Direct {
    let here = Direct::new();
    here.write("runbook.toml", &server.entry_at("web", way.port()));
    here
}

/// Appends a line, twice with a pause between.
fn work(here: &Direct, effects: &std::path::Path, read_only: bool) -> Result<Outcome, Failure> {
    let line = format!("echo a >> {0}; echo one; sleep 0.2; echo b >> {0}; echo two", effects.display());
    here.method("ssh.shell", web(here), json!([line]), json!({ "read_only": read_only, "timeout": "20s" }))
}

/// How many bytes a server sends while all goes well.
fn whole(server: &Sshd, read_only: bool) -> u64 {
    let way = Way::open(server.port());
    let here = through(server, &way);
    work(&here, &server.file("whole"), read_only).unwrap();
    drop(here);
    way.passed()
}

#[test]
fn a_cut_link_is_never_a_success_of_a_look_and_leaves_nothing() {
    let Some(server) = Sshd::start() else { return };
    let all = whole(&server, true);
    for point in 0..points() {
        let way = Way::until(server.port(), all * point / points(), Blow::Cut, false);
        let here = through(&server, &way);
        let began = Instant::now();
        let effects = server.file(&format!("look-{point}"));
        if let Ok(outcome) = work(&here, &effects, true) {
            assert_eq!(outcome.value["stdout"], "one\ntwo", "point {point}");
        }
        assert!(began.elapsed() < Duration::from_secs(40), "point {point}: {:?}", began.elapsed());
    }
}

#[test]
fn a_change_over_a_link_that_heals_is_made_once() {
    let Some(server) = Sshd::start() else { return };
    let all = whole(&server, false);
    for point in 0..points() {
        let way = Way::until(server.port(), all * point / points(), Blow::Cut, true);
        let here = through(&server, &way);
        let effects = server.file(&format!("change-{point}"));
        let result = work(&here, &effects, false);
        let done = std::fs::read_to_string(&effects).unwrap_or_default();
        match result {
            Ok(outcome) => assert_eq!((outcome.value["stdout"].as_str(), done.as_str()), (Some("one\ntwo"), "a\nb\n")),
            Err(failure) => assert!(done.is_empty(), "point {point}: {done:?} and {failure:?}"),
        }
    }
}

#[test]
fn a_change_whose_link_is_gone_stands_still_and_is_found_out_later() {
    let Some(server) = Sshd::start() else { return };
    let all = whole(&server, false);
    let way = Way::until(server.port(), all * 9 / 10, Blow::Cut, false);
    let here = through(&server, &way);
    let effects = server.file("later");
    let failure = work(&here, &effects, false).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Halted, "{failure:?}");
    here.write("runbook.toml", &server.entry("web"));
    let line = format!("echo a >> {0}; echo one; sleep 0.2; echo b >> {0}; echo two", effects.display());
    let options = json!({ "read_only": false, "timeout": "20s" });
    match here.recover("ssh.shell", web(&here), json!([line]), options.clone()).unwrap() {
        Probe::Done(outcome) => assert_eq!(outcome.value["stdout"], "one\ntwo"),
        other => panic!("{other:?}"),
    }
    assert_eq!(std::fs::read_to_string(&effects).unwrap(), "a\nb\n");
    here.clean_up("ssh.shell", web(&here), json!([line]), options);
}

#[test]
fn a_host_that_hangs_is_noticed_within_thirty_seconds() {
    let Some(server) = Sshd::start() else { return };
    let here = super::at(&server);
    let name = format!("302.{}", std::process::id());
    let (host, began) = (web(&here), Instant::now());
    std::thread::scope(|scope| {
        let command = json!([["sleep", name]]);
        let call = scope.spawn(|| here.method("ssh.exec", host, command, json!({ "read_only": true })));
        std::thread::sleep(Duration::from_secs(2));
        server.freeze();
        let frozen = Instant::now();
        let failure = call.join().unwrap().unwrap_err();
        assert!(frozen.elapsed() < Duration::from_secs(30), "{:?}", frozen.elapsed());
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.message.contains("has not answered for"), "{failure}");
    });
    assert!(began.elapsed() < Duration::from_secs(40));
    drop(server);
    assert_gone(&name);
}
