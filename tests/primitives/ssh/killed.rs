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

#[test]
fn a_command_whose_login_is_killed_ends_and_gives_its_result() {
    let Some(server) = Sshd::start() else { return };
    for user in ["", r#", #{ user: "nobody" }"#] {
        let effects = server.file(&format!("effects{}", user.len()));
        std::fs::write(&effects, "").unwrap();
        std::fs::set_permissions(&effects, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        if !user.is_empty() && (!Path::new("/usr/bin/sudo").exists() || crate::harness::sshd::user() != "root") {
            return crate::harness::skip("sudo, and root for it");
        }
        let script = format!(
            r#"let ran = ssh("web"{user}).shell("echo one; echo ran >> {0}; sleep 2; echo ran >> {0}; echo two"); info(`whole: ${{ran.stdout == "one\ntwo"}}`);
            ssh("web"{user}).exec(["true"]);"#,
            effects.display()
        );
        let project = project(&server, &script);
        let child = project.command(&["run", "test.rhai"]).stderr(Stdio::piped()).spawn().unwrap();
        until("it runs", || lines(&effects) == 1);
        server.kill_logins();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("whole: true"), "{said}");
        assert_eq!((output.status.code(), lines(&effects)), (Some(0), 2), "{said}");
    }
}

#[test]
fn a_command_whose_session_is_killed_is_not_told_as_failed_while_it_runs() {
    let Some(server) = Sshd::start() else { return };
    for with_group in [false, true] {
        let effects = server.file(&format!("effects-{with_group}"));
        let script = format!(
            r#"let ran = ssh("web").shell("echo ran >> {0}; sleep 2; echo ran >> {0}; echo out"); info(`it said ${{ran.stdout}}`);"#,
            effects.display()
        );
        let project = project(&server, &script);
        let child = project.command(&["run", "test.rhai"]).stderr(Stdio::piped()).spawn().unwrap();
        until("it runs", || lines(&effects) == 1);
        server.kill_sessions(with_group);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if with_group {
            // Its keeper is gone, too: nobody knows, and nothing is said of it that may not be so.
            assert!(said.contains("run 1 stopped where it was: `web`: its keeper was killed"), "{said}");
        } else {
            assert_eq!((output.status.code(), said.contains("it said out")), (Some(0), true), "{said}");
        }
        until("it has ended", || lines(&effects) == 2);
    }
}

#[test]
fn a_session_that_is_killed_between_two_commands_is_begun_anew() {
    let Some(server) = Sshd::start() else { return };
    let (begun, go) = (server.file("begun"), server.file("go"));
    let script = format!(
        r#"let host = ssh("web"); host.shell("echo > {0}"); wait_until("go", || file("{1}").exists(), #{{ every: "20ms" }});
        info(`it said ${{host.shell("echo out").stdout}}`);"#,
        begun.display(),
        go.display()
    );
    let project = project(&server, &script);
    let child = project.command(&["run", "test.rhai"]).stderr(Stdio::piped()).spawn().unwrap();
    until("it waits", || begun.exists());
    std::thread::sleep(Duration::from_secs(1));
    server.kill_logins();
    std::fs::write(&go, "").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("it said out"), "{said}");
}
