//! `runbook` dies while a command runs on a host; the command does not.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::harness::Project;
use crate::harness::sshd::Sshd;

fn project(server: &Sshd, script: &str) -> Project {
    Project::script(script).file("runbook.toml", &server.entry("web"))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_command_that_still_runs_is_waited_for_and_not_run_twice() {
    let Some(server) = Sshd::start() else { return };
    let (effects, go) = (server.file("effects"), server.file("go"));
    let script = format!(
        r#"let ran = ssh("web").shell("echo one; echo ran >> {0}; while [ ! -e {1} ]; do sleep 0.1; done; echo two; exit 3", #{{ check: false }});
        info(`code ${{ran.code}}, whole: ${{ran.stdout == "one\ntwo"}}`);"#,
        effects.display(),
        go.display()
    );
    let project = project(&server, &script);
    let child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("it runs", || lines(&effects) == 1);
    kill(child);
    let resumed = project.command(&["resume"]).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    std::fs::write(&go, "").unwrap();
    let output = resumed.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("code 3, whole: true"), "{said}");
    assert_eq!((output.status.code(), lines(&effects)), (Some(0), 1));
}

#[test]
fn a_command_that_ended_meanwhile_gives_its_result() {
    let Some(server) = Sshd::start() else { return };
    let effects = server.file("effects");
    let script = format!(
        r#"let ran = ssh("web").shell("echo ran >> {0}; sleep 2; echo done >> {0}; echo out", #{{}}); info(`it said ${{ran.stdout}}`);"#,
        effects.display()
    );
    let project = project(&server, &script);
    let child = project.command(&["run", "test.rhai"]).stderr(Stdio::null()).spawn().unwrap();
    until("it runs", || lines(&effects) == 1);
    kill(child);
    until("it has ended", || lines(&effects) == 2);
    project.runbook(&["resume"]).success().says("it said out");
    assert_eq!(lines(&effects), 2);
}
