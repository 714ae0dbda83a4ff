use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use runbook::drivers::Drivers;
use runbook::drivers::docker::Engine;
use runbook::primitive::FailureKind;

use crate::harness::Lab;

#[test]
fn an_engine_that_is_not_there_says_how_to_get_one() {
    let failure = Engine::at("unix:///nowhere/docker.sock").err().unwrap();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.message, "no Docker engine at `unix:///nowhere/docker.sock`: there is no such socket");
    assert_eq!(failure.hints, ["install it: sudo apt-get install docker.io", "start it: sudo systemctl start docker"]);
}

#[test]
fn a_socket_nobody_listens_on_is_an_engine_that_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let address = format!("unix://{}", socket.display());
    let failure = Drivers::default().block_on(Engine::at(&address).unwrap().info()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.message, format!("no Docker engine at `{address}`: nobody listens there"));
}

#[test]
fn a_port_nobody_listens_on_asks_about_docker_host() {
    let failure = Drivers::default().block_on(Engine::at("tcp://127.0.0.1:1").unwrap().info()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(failure.hints, ["is DOCKER_HOST right, and does the engine listen there?"]);
}

#[test]
fn an_address_of_another_kind_is_refused() {
    let failure = Engine::at("docker.example.com").err().unwrap();
    assert_eq!(failure.kind, FailureKind::Argument);
}

#[test]
fn an_engine_that_is_too_old_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let body = r#"{"Version":"17.03.1","ApiVersion":"1.27"}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).unwrap();
    });
    let address = format!("unix://{}", socket.display());
    let failure = Drivers::default().block_on(Engine::at(&address).unwrap().info()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert_eq!(
        failure.message,
        format!("the Docker engine 17.03.1 at `{address}` speaks API 1.27, at least 1.40 is needed")
    );
}

#[test]
fn the_version_agreed_on_is_said_in_every_path() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let serving = std::thread::spawn(move || {
        let answers = [r#"{"Version":"19.03.0","ApiVersion":"1.40"}"#, "[]"];
        answers.map(|body| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).unwrap();
            let line = String::from_utf8_lossy(&request[..length]);
            line.lines().next().unwrap().split('?').next().unwrap().to_owned()
        })
    });
    let engine = Engine::at(&format!("unix://{}", socket.display())).unwrap();
    Drivers::default().block_on(engine.containers(&[])).unwrap();
    let [first, second] = serving.join().unwrap();
    assert!(first.starts_with("GET /version"), "{first}");
    assert_eq!(second, "GET /v1.40/containers/json");
}

#[test]
fn an_engine_tells_about_itself() {
    let Some(lab) = Lab::start() else { return };
    let info = lab.run(lab.engine.info()).unwrap();
    assert!(!info.version.is_empty() && !info.storage_driver.is_empty() && info.memory > 0, "{info:?}");
    lab.script("one", "sleep 600");
    let usage = lab.run(lab.engine.disk_usage()).unwrap();
    assert!(usage.images >= 1 && usage.images_size > 1_000_000 && usage.containers >= 1, "{usage:?}");
}
