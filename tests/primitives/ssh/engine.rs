//! The engine of a host, through each of the ways that lead to its socket.

use std::time::Duration;

use serde_json::{Value, json};

use super::at;
use crate::harness::sshd::{Quirks, Sshd};
use crate::harness::{Direct, Lab, primitive};
use runbook::drivers::docker::at_once;
use runbook::primitive::FailureKind;

/// The `docker` handle of the host's engine.
fn engine_of(here: &Direct, host: &str) -> Value {
    let host = here.call(primitive("ssh"), json!([host]), Value::Null).unwrap().value;
    here.call(primitive("docker"), json!([host]), Value::Null).unwrap().value
}

/// Asks, and runs a command in a container: a plain request, and one that becomes a stream of both directions.
fn works(lab: &Lab, here: &Direct, host: &str) {
    let engine = engine_of(here, host);
    assert_eq!(engine["host"], format!("ssh://{host}"));
    let version = here.method("docker.version", engine.clone(), json!([]), Value::Null).unwrap().value;
    assert!(version["version"].is_string(), "{version}");
    let name = lab.script("afar", "sleep 600");
    let options = json!({ "stdin": "in\n" });
    let command = ["/bin/sh", "-c", "cat; echo out; echo err >&2"];
    let ran = here.method("docker.exec", engine, json!([name, command]), options).unwrap().value;
    assert_eq!((&ran["stdout"], &ran["stderr"]), (&json!("in\nout"), &json!("err")));
}

#[test]
fn the_server_leads_to_the_socket() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    works(&lab, &at(&server), "web");
}

#[test]
fn the_hosts_docker_client_leads_there_where_the_server_does_not() {
    let quirks = Quirks { config: vec!["AllowStreamLocalForwarding no".into()], ..Quirks::default() };
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::with(quirks)) else { return };
    works(&lab, &at(&server), "web");
}

#[test]
fn sudo_leads_there_where_the_user_may_not() {
    let gate = "case \"$SSH_ORIGINAL_COMMAND\" in *sudo*) eval \"$SSH_ORIGINAL_COMMAND\";; *) echo 'permission denied' >&2; exit 1;; esac";
    let config = vec!["AllowStreamLocalForwarding no".into(), format!("ForceCommand {gate}")];
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::with(Quirks { config, ..Quirks::default() })) else { return };
    works(&lab, &at(&server), "web");
}

#[test]
fn a_host_behind_another_has_an_engine_too() {
    let (Some(lab), Some(bastion), Some(inner)) = (Lab::start(), Sshd::start(), Sshd::start()) else { return };
    let here = Direct::new();
    here.write("runbook.toml", &format!("{}{}jump = \"bastion\"\n", bastion.entry("bastion"), inner.entry("inner")));
    works(&lab, &here, "inner");
}

#[test]
fn what_is_asked_at_once_gets_its_own_answers_however_many_there_are() {
    let (Some(lab), Some(server)) = (Lab::start(), Sshd::start()) else { return };
    let here = at(&server);
    engine_of(&here, "web");
    let engine = here.drivers().docker(Some("ssh://web")).unwrap();
    let names: Vec<String> = (0..3).map(|number| lab.script(&format!("one-{number}"), "sleep 600")).collect();
    let nobody = lab.name("nobody");
    let asked: Vec<&String> = (0..60).map(|number| names.get(number % 4).unwrap_or(&nobody)).collect();
    let questions = asked.iter().map(|name| engine.find(name)).collect::<Vec<_>>();
    let found = lab.run(at_once(questions)).unwrap();
    for (name, found) in asked.iter().zip(found) {
        assert_eq!(found.map(|found| found.name).as_ref(), names.contains(name).then_some(*name));
    }
    // Whoever asked for none of it any more keeps nobody from the answers to what was asked behind.
    for micros in [0, 200, 1000, 3000] {
        let limit = Duration::from_micros(micros);
        let _ = lab.run(async { Ok(tokio::time::timeout(limit, engine.find(&names[0])).await) });
    }
    assert_eq!(lab.run(engine.find(&names[1])).unwrap().unwrap().name, names[1]);
}

#[test]
fn a_host_without_an_engine_says_which_ways_were_tried() {
    let config = vec!["AllowStreamLocalForwarding no".into(), "ForceCommand echo no docker here >&2; exit 1".into()];
    let Some(server) = Sshd::with(Quirks { config, ..Quirks::default() }) else { return };
    let here = at(&server);
    let failure = here.method("docker.version", engine_of(&here, "web"), json!([]), Value::Null).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.message.contains("ssh://web") && failure.message.contains("no docker here"), "{failure:?}");
}
