//! Fifty deployments with secrets: meanwhile nobody else on the machine sees one.

use std::fs::File;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::encodings::{Random, secrets};
use crate::harness::{Lab, Project};
use crate::runbooks::systems::docker;

const COMPOSE: &str = "
services:
  api:
    image: runbook-test/busybox:1
    command: sh -c 'trap exit TERM; while :; do sleep 0.1; done'
    stop_grace_period: 2s
    environment: { ONE: '${ONE}', TWO: '${TWO}', RELEASE: '${RELEASE}' }
  other:
    image: runbook-test/busybox:1
    command: sleep 600
    stop_grace_period: 0s
    environment: { RELEASE: '1' }
";

/// So many deployments.
const DEPLOYS: usize = 50;

/// Ten characters of a secret in a row are a leak.
fn pieces(secret: &str) -> Vec<String> {
    let characters: Vec<char> = secret.chars().collect();
    characters.windows(10).map(|piece| piece.iter().collect()).collect()
}

/// Everything of a process that others can read, unless it is one of a container, which has been given the secret.
fn what_others_see(entry: &std::path::Path) -> String {
    let read = |name: &str| std::fs::read(entry.join(name)).unwrap_or_default();
    if String::from_utf8_lossy(&read("cgroup")).contains("docker/") {
        return String::new();
    }
    String::from_utf8_lossy(&[read("cmdline"), read("environ"), read("comm")].concat()).into_owned()
}

#[test]
fn fifty_deployments_show_no_secret_to_others() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.name("shop");
    let known = secrets(&mut Random(7), 10);
    let [one, two] = [known[0].clone(), known[1].clone()];
    let script = format!(
        "for release in 0..{DEPLOYS} {{
            let env = #{{ ONE: secret(\"ONE\"), TWO: secret(\"TWO\"), RELEASE: release.to_string() }};
            compose({name:?}, #{{ env: env }}).up(#{{ wait: \"0s\" }});
            docker().exec(\"{name}-api-1\", [\"true\"], #{{ env: env, stdin: secret(\"ONE\") }});
            docker().run(\"runbook-test/busybox:1\", [\"true\"], #{{ env: #{{ TWO: secret(\"TWO\") }} }});
        }}"
    );
    let project = Project::script(&script)
        .file("compose.yaml", COMPOSE)
        .file("runbook.toml", "[secrets]\nsources = [{ from = \"files\", folder = \"values\" }]\n")
        .file("values/ONE", &one)
        .file("values/TWO", &two);
    let pieces = [pieces(&one), pieces(&two)].concat();
    let leaks = |text: &str| pieces.iter().any(|piece| text.contains(&**piece));
    let (over, processes, inspected) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let told = project.path().join("events");
    // A test that fails leaves it behind for these minutes.
    let until = SystemTime::now() + Duration::from_secs(900);
    let until = until.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let mut events = Command::new("docker")
        .args(["events", "--until", &until, "--format", "{{json .}}"])
        .stdout(File::create(&told).unwrap())
        .spawn()
        .unwrap();
    let mut seen = std::thread::scope(|threads| {
        let watched = threads.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    if leaks(&what_others_see(&entry.path())) {
                        seen.push(format!("a process: {:?}", std::fs::read_to_string(entry.path().join("comm"))));
                    }
                    processes.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        let looked = threads.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                // What the containers that have the secrets are listed with.
                if leaks(&docker(&["ps", "-a", "--no-trunc", "--format", "{{json .}}"])) {
                    seen.push("the list of containers".to_owned());
                }
                let label = format!("label=com.docker.compose.project={name}");
                let others =
                    docker(&["ps", "-aq", "--filter", &label, "--filter", "label=com.docker.compose.service=other"]);
                for id in others.lines() {
                    let text = docker(&["inspect", id]);
                    assert!(serde_json::from_str::<Value>(&text).is_ok());
                    if leaks(&text) {
                        seen.push(format!("container {id}"));
                    }
                    inspected.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            seen
        });
        let ran = project.runbook(&["run", "test.rhai"]);
        over.store(true, Ordering::Relaxed);
        let ran = ran.success();
        let mut seen = watched.join().unwrap();
        seen.extend(looked.join().unwrap());
        seen.extend(leaks(&format!("{}{}", ran.stdout, ran.stderr)).then(|| "the console".to_owned()));
        seen
    });
    events.kill().unwrap();
    events.wait().unwrap();
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.matches(&format!("{name}-api-1")).count() > DEPLOYS, "the engine told of what was done: {told}");
    seen.extend(leaks(&told).then(|| "the engine's events".to_owned()));
    // What the images and networks say to everybody.
    for kind in ["image", "network", "volume"] {
        let all = docker(&[kind, "ls", "-q"]);
        for id in all.lines() {
            seen.extend(leaks(&docker(&[kind, "inspect", id])).then(|| format!("{kind} {id}")));
        }
    }
    assert!(seen.is_empty(), "{seen:?}");
    let (processes, inspected) = (processes.into_inner(), inspected.into_inner());
    assert!(processes > 1000 && inspected > DEPLOYS / 2, "{processes} processes and {inspected} containers looked at");
}
