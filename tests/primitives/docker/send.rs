//! Images that go from one engine to another without a registry.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::primitive::{FailureKind, handle};
use serde_json::json;

use super::Bench;
use crate::harness::skip;

/// A second engine of this machine, with images of its own. It lives in a network namespace, because a daemon that is told to
/// use no bridge removes `docker0`, which is that of the machine's own.
struct Engine {
    folder: tempfile::TempDir,
    child: Child,
}

impl Engine {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(folder.path().join("config.json"), "{}").unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        if !std::path::Path::new("/usr/sbin/dockerd").exists() || crate::harness::sshd::user() != "root" {
            skip("dockerd, as root");
            return None;
        }
        let child = Command::new("unshare")
            .args(["--net", "dockerd"])
            .args(["--config-file", &path("config.json"), "--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--pidfile", &path("pid"), "--host", &format!("unix://{}", path("docker.sock"))])
            .args(["--bridge", "none", "--iptables=false", "--storage-driver", "vfs"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let engine = Self { folder, child };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(engine.folder.path().join("docker.sock")).is_err() {
            let log = std::fs::read_to_string(engine.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "no second engine: {log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(engine)
    }

    fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[test]
fn an_image_goes_to_another_engine_and_its_next_version_without_the_layers_that_are_there() {
    let Some(bench) = Bench::start() else { return };
    let Some(other) = Engine::start() else { return };
    let there = handle("docker", json!({ "host": other.address() }));
    let base = "RUN head -c 3000000 /dev/urandom >/big";
    let one = bench.lab.image("sent", "1", base);
    let two = bench.lab.image("sent", "2", &format!("{base}\nRUN echo two >/two\nENV VERSION=2"));
    let send = |image: &str| {
        let foreseen = bench.direct.predict("docker.send_image", there.clone(), json!([image]), json!({})).unwrap();
        let sent = bench.direct.method("docker.send_image", there.clone(), json!([image]), json!({})).unwrap();
        assert_eq!(foreseen.changes, sent.changes);
        assert_eq!((&sent.value, &foreseen.value), (&json!(sent.changed.unwrap()), &foreseen.value));
        sent
    };
    let layers = |sent: &runbook::primitive::Outcome| sent.note.clone().unwrap().split(',').next().unwrap().to_owned();
    let first = send(&one);
    assert_eq!(first.changed, Some(true));
    let all = layers(&first);
    assert!(!all.starts_with('0'), "{all}");
    assert_eq!(send(&one).changed, Some(false));
    let second = send(&two);
    assert!(layers(&second).starts_with("1 of "), "{:?}", second.note);
    let ids = |engine: &serde_json::Value| {
        bench.direct.method("docker.image", engine.clone(), json!([two]), json!({})).unwrap().value["id"].clone()
    };
    assert_eq!(ids(&there), ids(&handle("docker", json!({}))));
    let failure = bench.direct.method("docker.send_image", there, json!(["nobody/has:1"]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
}
