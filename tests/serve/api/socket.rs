use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::super::{Service, wait_until};
use super::token;
use crate::harness::Project;

fn project() -> Project {
    Project::new()
        .file("note.rhai", "info(\"noted\");\n")
        .file("runbook.toml", "[env.prod]\n[api]\nlisten = \"unix:.runbook/api.sock\"\n")
}

fn ask(project: &Project, head: &str) -> String {
    let mut stream = UnixStream::connect(project.path().join(".runbook/api.sock")).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn answers(project: &Project) -> bool {
    UnixStream::connect(project.path().join(".runbook/api.sock")).is_ok()
}

#[test]
fn a_socket_in_the_project_is_its_owners_and_asks_for_tokens_as_the_loopback_does() {
    let project = project();
    project.runbook(&["run", "note.rhai"]).success();
    let read = token(&project, "ann", "read");
    let mut service = Service::start(&project);
    wait_until("it answers", || answers(&project));
    let mode = std::fs::metadata(project.path().join(".runbook/api.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The name in `Host` says nothing where nobody can lead a browser to.
    let health = ask(&project, "GET /healthz HTTP/1.1\r\nHost: anything.example.com");
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with("{\"status\":\"ok\"}"), "{health}");
    let unknown = ask(&project, "GET /v1/runs HTTP/1.1\r\nHost: x");
    assert!(unknown.starts_with("HTTP/1.1 401"), "{unknown}");
    let runs = ask(&project, &format!("GET /v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {read}"));
    assert!(runs.starts_with("HTTP/1.1 200") && runs.contains("note.rhai"), "{runs}");
    let page = ask(&project, "GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example.com");
    assert!(page.starts_with("HTTP/1.1 403"), "{page}");

    // A second service is refused, and the first goes on answering.
    project.runbook(&["serve"]).code(2).says("is the service of");
    assert!(ask(&project, "GET /healthz HTTP/1.1\r\nHost: x").starts_with("HTTP/1.1 200"));

    // One that was killed leaves its socket behind, and the next takes the place.
    service.kill();
    assert!(project.path().join(".runbook/api.sock").exists() && !answers(&project));
    let _service = Service::start(&project);
    wait_until("the next one answers", || answers(&project));
}

#[test]
fn a_file_that_is_no_socket_is_not_removed_for_one() {
    let project = project();
    project.file_now("runbook.toml", "[api]\nlisten = \"unix:note.rhai\"\n");
    project.runbook(&["serve"]).code(1).says("listen on `unix:note.rhai`");
    assert_eq!(project.read("note.rhai"), "info(\"noted\");\n");
}
