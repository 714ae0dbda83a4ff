//! A run that gives its lock back while it is saying that it is alive.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Lab, Project};

/// Waits until the holder's next word is under way, and ends.
const SCRIPT: &str = r#"
let app = compose("NAME");
app.up(#{ wait: "0s" });
file("armed").write("");
wait_until("a word is under way", || file("held").exists(), #{ every: "20ms", within: "60s" });
"#;

const COMPOSE: &str =
    "services:\n  api:\n    image: runbook-test/busybox:1\n    command: [sleep, '1000']\n    stop_grace_period: 1s\n";

/// Between a run and its engine: once armed, a word of the holder waits until the lock is gone, and the answer that it
/// is gone waits until the word was answered.
struct Between {
    folder: PathBuf,
    removed: AtomicBool,
    answered: AtomicBool,
}

impl Between {
    fn listen(engine: &str, folder: &Path) -> String {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let between =
            Arc::new(Self { folder: folder.into(), removed: AtomicBool::new(false), answered: AtomicBool::new(false) });
        let engine = engine.strip_prefix("unix://").expect("the tests' engine is local").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, between) = (UnixStream::connect(&engine).unwrap(), Arc::clone(&between));
                std::thread::spawn(move || between.carry(client, server));
            }
        });
        format!("unix://{}", socket.display())
    }

    fn carry(self: Arc<Self>, mut client: UnixStream, mut server: UnixStream) {
        let is_removal = Arc::new(AtomicBool::new(false));
        let answers = {
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (between, is_removal) = (Arc::clone(&self), Arc::clone(&is_removal));
            move || {
                pump(&mut from, &mut to, |_| {
                    if is_removal.swap(false, Ordering::SeqCst) {
                        between.removed.store(true, Ordering::SeqCst);
                        until(&between.answered);
                        // Long enough for who was answered to draw a conclusion.
                        std::thread::sleep(Duration::from_millis(300));
                    }
                });
            }
        };
        std::thread::spawn(answers);
        pump(&mut client, &mut server, |request| {
            if !self.folder.join("armed").exists() {
                return;
            }
            let line = request.lines().next().unwrap_or_default().to_owned();
            if line.starts_with("PUT ") && line.contains("/archive") {
                std::fs::write(self.folder.join("held"), "").unwrap();
                until(&self.removed);
                self.answered.store(true, Ordering::SeqCst);
            } else if line.starts_with("DELETE ") {
                is_removal.store(true, Ordering::SeqCst);
            }
        });
    }
}

fn until(flag: &AtomicBool) {
    let began = Instant::now();
    while !flag.load(Ordering::SeqCst) && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pump(from: &mut UnixStream, to: &mut UnixStream, mut before: impl FnMut(&str)) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut bytes) {
        if length == 0 {
            break;
        }
        before(&String::from_utf8_lossy(&bytes[..length]));
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_lock_that_was_given_back_was_not_lost() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.name("shop");
    let project = Project::script(&SCRIPT.replace("NAME", &name)).file("compose.yaml", COMPOSE);
    let engine = Between::listen(lab.engine.address(), project.path());
    let project = project.env("DOCKER_HOST", &engine);
    project.run().success().never_says("no longer holds");
    assert!(project.path().join("held").exists());
    assert!(lab.run(lab.engine.locks()).unwrap().iter().all(|lock| lock.name != name));
    project.runbook(&["runs", "--json"]).success().prints("\"ok\"");
}
